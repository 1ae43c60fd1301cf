"""Run blocking code beside the loop, on a daemon thread of its own."""

from __future__ import annotations

import asyncio
import contextvars
import threading
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")


async def run_aside(call: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> R:
    """Await ``call(*args, **kwargs)``, made once on a new daemon thread with the caller's context.

    When cancelled, the thread is left to end by itself and what it returns or raises is dropped.

    Raises:
        Exception: whatever `call` raises. What would end the loop or a coroutine instead of being
            raised (`SystemExit`, `StopIteration`) is the cause of a `RuntimeError`.
    """
    # Not asyncio's executor: it has few threads, and a hung one keeps the interpreter from exiting.
    loop = asyncio.get_running_loop()
    done: asyncio.Future[R] = loop.create_future()
    context = contextvars.copy_context()
    name = getattr(call, "__qualname__", type(call).__name__)

    def settle(result: R | None, error: Exception | None) -> None:
        if done.done():
            return
        if error is None:
            done.set_result(result)  # type: ignore[arg-type]
        else:
            done.set_exception(error)

    def work() -> None:
        result: Any = None
        error: Exception | None = None
        try:
            result = context.run(call, *args, **kwargs)
        except BaseException as raised:
            if isinstance(raised, Exception) and not isinstance(raised, StopIteration):
                error = raised
            else:
                error = RuntimeError(f"{name} raised {type(raised).__name__}")
                error.__cause__ = raised
        try:
            loop.call_soon_threadsafe(settle, result, error)
        except RuntimeError:
            # The loop was closed while the call was under way: nobody is left to be told.
            return

    threading.Thread(target=work, name=f"portia aside: {name}", daemon=True).start()
    return await done
