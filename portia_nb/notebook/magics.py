"""The magics as IPython registers them: for help, completion, and cells that can't await."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable
from typing import Any

from IPython.core.magic import Magics, line_cell_magic, magics_class, no_var_expand
from traitlets import Bool, Float, observe

from .asyncio_run import AsyncioRun
from .cell_errors import CellErrors
from .commands.declared import CELL
from .commands.help_text import help_on, help_on_lines
from .completion import make_matcher
from .face import Face
from .transform import await_magics, is_shown_by_cell
from .viewing import Watching


@magics_class
class PortiaMagics(Magics):
    """The settings of the notebook face: ``%config PortiaMagics.live_view = False``."""

    ask = Bool(True, help="Ask the person at the notebook; off: a run stops at a question.").tag(
        config=True
    )
    form_time_s = Float(
        3.0, min=0, help="Seconds that a page has to draw a form before input() is tried."
    ).tag(config=True)
    live_view = Bool(True, help="Show runs live that Python calls start.").tag(config=True)
    asyncio_run = Bool(True, help="Let a program's own asyncio.run work in a cell.").tag(
        config=True
    )

    def __init__(self, shell: Any) -> None:
        """Belong to `shell`; `extension.load` registers it."""
        super().__init__(shell=shell, parent=shell)
        self.face = Face(shell, settings=self)
        self.patch = AsyncioRun(shell)
        self.errors = CellErrors(self.face)
        self.matcher = make_matcher(self.face)
        self.watcher = Watching(self.face)
        self.map_watcher = self._watch_map
        self.examiner = self._examine

    def _watch_map(self, live: Any) -> None:
        """Show how far a map has got that a Python call starts."""
        from .map_view import watch

        watch(self.face, live)

    def _examine(self, portia: Any) -> Any:
        """Return what `Portia.doctor` says here of how people can be asked."""
        from .doctor import asking

        return asking(self.face, portia)

    @observe("asyncio_run")
    def _switch_asyncio_run(self, change: Any) -> None:
        if change["new"]:
            self.patch.install()
        else:
            self.patch.restore()

    def transform(self, lines: list[str]) -> list[str]:
        """Return a cell's lines with its portia magics awaited, where cells can await asyncio."""
        shell = self.face.shell
        can_await = shell.autoawait and str(shell.loop_runner) == "asyncio"
        return await_magics(lines) if can_await else lines

    @no_var_expand
    @line_cell_magic
    def portia(self, line: str, cell: str | None = None) -> Any:
        """Do what the magic says while this cell is blocked, where it can't await."""
        from .asking import Prompts
        from .own_thread import OwnThread

        prompts = Prompts(self.shell)
        if cell is None:
            target = (
                None if is_shown_by_cell(inspect.currentframe(), self.face.shell.user_ns) else ""
            )
            flow = self._line(line, prompts, serves=False, target=target)
        else:
            flow = self._cell(line, cell, prompts, serves=False)
        # Here the main thread is blocked: the flow gets a loop of its own, and input() stays here.
        return OwnThread(flow, "portia-cell").result(self.shell, prompts.serve)

    async def await_cell(self, line: str, body: str) -> None:
        """Do what a ``%%portia`` cell says while the cell awaits; see `transform.await_magics`."""
        from .asking import Prompts

        with self.face.detour.open():
            await self._cell(line, body, Prompts(self.shell), serves=True)

    async def await_line(self, line: str, *, target: str | None) -> Any:
        """Do what a ``%portia`` line says while the cell awaits, and return its value."""
        from .asking import Prompts

        with self.face.detour.open():
            return await self._line(line, Prompts(self.shell), serves=True, target=target)

    async def _cell(self, line: str, body: str, prompts: Any, *, serves: bool) -> None:
        async def run() -> None:
            from .cell import run_cell

            await run_cell(self.face, line, body, prompts, serves=serves)

        await self._carded(run)

    async def _line(self, line: str, prompts: Any, *, serves: bool, target: str | None) -> Any:
        async def run() -> Any:
            from .commands.call import run_line

            return await run_line(self.face, line, prompts, serves=serves, target=target)

        return await self._carded(run)

    async def _carded(self, run: Callable[[], Awaitable[Any]]) -> Any:
        """Await ``run()``; whatever it raises shows itself as one short card."""
        try:
            return await run()
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if task is not None:
                task.uncancel()
            # A CancelledError would end the cell without stopping Run All.
            raise self.face.carded(KeyboardInterrupt("stopped")) from None
        except BaseException as error:
            raise self.face.carded(error) from error.__cause__


PortiaMagics.portia.__doc__ = f"{help_on(CELL)}\n\n{help_on_lines()}"
