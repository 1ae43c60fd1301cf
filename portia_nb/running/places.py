"""Where a user's code runs: coroutines on the loop of whoever waits for the run, else on threads.

A client or a lock that was made on one loop fails or hangs on another. Users make theirs on their
own loop (a notebook's, that of ``asyncio.run``), so their coroutine functions run there while that
loop waits for the run.
"""

from __future__ import annotations

import asyncio
import contextvars
import inspect
from collections.abc import Awaitable, Callable
from typing import Any

from portia_nb.tools.aside import as_exception, threads

from .other_loop import OtherLoop


class Places:
    """The places that one run has."""

    def __init__(
        self, caller: asyncio.AbstractEventLoop | None, context: contextvars.Context | None = None
    ) -> None:
        """Remember who waits.

        Args:
            caller: the loop that waits for the run; None where nobody's loop does.
            context: the caller's context variables, which its functions see.
        """
        self.caller = caller
        self.under_way: dict[asyncio.Task[Any], str] = {}
        """The user's coroutines that are under way: the task that runs each, and its name."""
        self._is_closed = False
        self._other = OtherLoop(caller, self.under_way) if caller is not None else None
        self._context = context

    def close(self) -> None:
        """Let the run begin no further call: it is stopped, or over."""
        self._is_closed = True

    def refuse_late_calls(self) -> None:
        """Refuse to begin a call of a tool or a model where nobody wants it any more.

        A tool that doesn't heed its cancellation would let its step, an agent for one, go on.

        Raises:
            asyncio.CancelledError: the run is stopped or over, or this task was cancelled.
        """
        task = asyncio.current_task()
        if self._is_closed or (task is not None and task.cancelling()):
            raise asyncio.CancelledError("stopped: no further call begins")

    def call(
        self,
        function: Callable[..., Any],
        given: tuple[Any, ...] = (),
        named: dict[str, Any] | None = None,
        *,
        name: str,
        on_caller: bool = True,
    ) -> Awaitable[Any]:
        """Call a user's function in its place, and await what it returns where that is awaitable.

        Args:
            function: plain, called on a thread of ours; or async, called on the caller's loop
                where there is one and `on_caller`, else on the run's own.
            given: its arguments.
            named: its arguments by name.
            name: who calls what, for messages.
            on_caller: False keeps a coroutine on the run's own loop.

        Raises:
            Exception: whatever it raises; what would end a loop comes as `as_exception` says.
        """
        named = named or {}
        if not is_async(function):
            return self._on_thread(function, given, named, name, on_caller)
        return self._await(lambda: function(*given, **named), name, on_caller)

    async def _on_thread(
        self,
        function: Callable[..., Any],
        given: tuple[Any, ...],
        named: dict[str, Any],
        name: str,
        on_caller: bool,
    ) -> Any:
        value = await threads.call(lambda: function(*given, **named), self._context, name=name)
        if inspect.isawaitable(value):
            return await self._await(lambda: value, name, on_caller)
        return value

    async def _await(self, make: Callable[[], Awaitable[Any]], name: str, on_caller: bool) -> Any:
        if on_caller and self._other is not None and self._other.is_open:
            return await self._other.run(make, name)
        task = asyncio.current_task()
        assert task is not None
        self.under_way[task] = name
        try:
            return await make()
        except (SystemExit, KeyboardInterrupt) as error:
            raise as_exception(error, name) from error
        finally:
            del self.under_way[task]


_COROUTINE = inspect.CO_COROUTINE


def is_async(function: Callable[..., Any]) -> bool:
    """Tell whether calling `function` makes a coroutine, objects with an async call included."""
    code = getattr(function, "__code__", None)
    if code is not None and code.co_flags & _COROUTINE:  # the short way: each step comes by here
        return True
    return inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(
        getattr(function, "__call__", None)  # noqa: B004 - an object whose __call__ is async
    )
