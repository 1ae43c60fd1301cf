"""Looking at runs, and handing them on: lists of runs, files to share, plans as code."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from portia_nb.errors import InvalidOption
from portia_nb.model.ids import PlanRunUUID, PlanUUID
from portia_nb.model.plan import Plan
from portia_nb.model.run import PlanRun, PlanRunState
from portia_nb.tools.aside import run_aside

from .comparing import compare_runs
from .comparison import RunComparison
from .exporting import ExportedFile, Wanted, export
from .history import PAGE_SIZE, RunHistory, find_history
from .map_export import export_map
from .map_kept import map_named, open_map
from .map_result import PlanMap
from .runner import Runner


class Sharing(Runner):
    """What a `Portia` can do with kept runs for people to look at."""

    def runs(
        self,
        *,
        state: str | PlanRunState | Iterable[str | PlanRunState] | None = None,
        since: str | dt.timedelta | dt.datetime | dt.date | None = None,
        goal: str | None = None,
        forked_from: PlanRun | PlanRunUUID | str | None = None,
        tool: Any = None,
        of_map: PlanMap | str | None = None,
        limit: int | None = PAGE_SIZE,
        page: int = 1,
    ) -> RunHistory:
        """Return the kept runs, newest first, as a list that shows itself.

        A map is one line, under its own id; `of_map` lists the runs of its rows.

        Args:
            state: in plain words, as `ListedRun.state`, or a `PlanRunState`, or several.
            since: runs made since then: an age (``"2d"``, ``"12h"``, a `timedelta`), a day
                (``"2026-01-31"``), or a moment.
            goal: text in the plan's query, whatever its case.
            forked_from: the run, or its id, that they were forked from.
            tool: a tool, or its id, that a step of the plan names.
            of_map: the map, or its id, that they are rows of.
            limit: runs on a page; None: all on one.
            page: which page, from 1.

        Raises:
            InvalidOption: no such state, no such time, or no such page.

        >>> from portia_nb import Config, PlanBuilderV2, Portia
        >>> portia = Portia(Config(store="memory"), tools=[])
        >>> plan = PlanBuilderV2("Say 42").function_step(function=lambda: 42).build()
        >>> run = portia.run_plan(plan)
        >>> [found.goal for found in portia.runs(state="done", since="1h")]
        ['Say 42']
        """
        map_id = map_named(self.store, of_map)
        if of_map is not None and map_id is None:
            raise InvalidOption(f"{of_map!r} is no map: its id begins with map-", option="of_map")
        return find_history(
            self.store,
            state=state,
            since=since,
            goal=goal,
            forked_from=forked_from,
            tool=tool,
            of_map=map_id,
            limit=limit,
            page=page,
        )

    async def aruns(self, **wanted: Any) -> RunHistory:
        """Return the kept runs; the arguments are those of `runs`."""
        return await run_aside(lambda: self.runs(**wanted))

    def diff(
        self, a: PlanRun | PlanRunUUID | str, b: PlanRun | PlanRunUUID | str | None = None
    ) -> RunComparison:
        """Return where two runs differ, as ``%portia diff`` shows it; the same as `compare`.

        Args:
            a: a run, or its id.
            b: another; None: `a` is compared with the run that it was forked from.

        Raises:
            PlanRunNotFoundError: the store holds no such run.
            InvalidPlanRunStateError: `b` is None, and `a` wasn't forked.
        """
        return compare_runs(self._parts, a, b)

    async def adiff(
        self, a: PlanRun | PlanRunUUID | str, b: PlanRun | PlanRunUUID | str | None = None
    ) -> RunComparison:
        """Return where two runs differ; see `diff`."""
        return await run_aside(compare_runs, self._parts, a, b)

    def export(
        self,
        what: PlanRun | PlanRunUUID | PlanMap | Plan | PlanUUID | str,
        target: str | Path | None = None,
        *,
        preview: bool = False,
        values: bool = True,
        redact: bool = True,
        emails: bool = False,
        record: str | Path | None = None,
        overwrite: bool = False,
    ) -> ExportedFile:
        """Write a run, a map or a plan to a file to hand on, without keys and passwords.

        The file's suffix says what it becomes. A run:

        - ``.html``: one page for people, without script and without any request: plan, picture,
          timeline, outputs, questions and answers, attempts, cost, where it comes from;
        - ``.json``: all of it for programs, and for `portia-nb store import`; its ``events`` are
          the trace; the format is described in `portia_nb.session.run_document`;
        - ``.jsonl``: the trace by lines, one for each event, which can be imported, too;
        - ``.py``: a test for pytest that replays the run's `record` without key or network, and
          compares every output; a copy of the record is put beside it.

        A map: ``.csv``, its table with a line for each row: inputs, output, state, error and cost;
        ``.json``, the same for programs, with the plan; ``.html``, one page for people.

        A plan: ``.py``, a script that builds it, see `Plan.to_script`.

        The same run makes the same bytes each time.

        Args:
            what: a run, a map or a plan, or its id.
            target: the file; None: ``<id of the run>.html``, of a map ``<id>.csv``, of a plan
                ``plan.py``.
            preview: True: write nothing; what comes back lists each place that would be redacted,
                and why.
            values: False: leave out values, arguments, inputs and answers.
            redact: False: take nothing out. Else what is taken out is what the settings and the
                environment hold as keys or passwords, what looks like one, and the value of
                whatever is called like one; and this machine's name.
            emails: True: take out e-mail addresses, too.
            record: for ``.py`` of a run: the file that `recording` filled during the run.
            overwrite: True: replace a file that is there with something else in it.

        Raises:
            PlanRunNotFoundError: the store holds no such run; likewise for a plan.
            InvalidOption: the suffix says nothing, or a record is needed.
            StorageError: the file is there with something else in it, or can't be written.

        >>> import tempfile
        >>> from portia_nb import Config, PlanBuilderV2, Portia
        >>> portia = Portia(Config(store="memory"), tools=[])
        >>> run = portia.run_plan(PlanBuilderV2().function_step(function=lambda: 42).build())
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     done = portia.export(run, f"{folder}/run.html")
        ...     done.is_written, "<script" in done.path.read_text()
        (True, False)
        """
        wanted = Wanted(values, redact, emails, overwrite, preview, record)
        if isinstance(what, PlanMap):  # as it was handed out, with values that no store can keep
            return export_map(self._parts, what, target, wanted)
        if (map_id := map_named(self.store, what)) is not None:
            return export_map(self._parts, open_map(self, map_id), target, wanted)
        return export(self._parts, what, target, wanted)

    async def aexport(
        self, what: PlanRun | PlanMap | Plan | str, target: str | Path | None = None, **wanted: Any
    ) -> ExportedFile:
        """Write a run, a map or a plan to a file; the arguments are those of `export`."""
        return await run_aside(lambda: self.export(what, target, **wanted))
