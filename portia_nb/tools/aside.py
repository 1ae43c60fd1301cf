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
        BaseException: whatever `call` raises; `StopIteration` comes as `RuntimeError`, since a
            coroutine can't raise it.
    """
    # Not asyncio's executor: it has few threads, and a hung one keeps the interpreter from exiting.
    loop = asyncio.get_running_loop()
    done: asyncio.Future[R] = loop.create_future()
    context = contextvars.copy_context()

    def settle(result: R | None, error: BaseException | None) -> None:
        if done.done():
            return
        if error is None:
            done.set_result(result)  # type: ignore[arg-type]
        else:
            done.set_exception(error)

    def work() -> None:
        result: Any = None
        error: BaseException | None = None
        try:
            result = context.run(call, *args, **kwargs)
        except StopIteration as raised:
            error = RuntimeError(f"{call!r} raised StopIteration")
            error.__cause__ = raised
        except BaseException as raised:
            error = raised
        try:
            loop.call_soon_threadsafe(settle, result, error)
        except RuntimeError:
            # The loop was closed while the call was under way: nobody is left to be told.
            return

    name = getattr(call, "__qualname__", type(call).__name__)
    threading.Thread(target=work, name=f"portia aside: {name}", daemon=True).start()
    return await done
