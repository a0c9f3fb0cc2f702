"""A worker of serve(): it runs the program's main, and ends gracefully when its primary wants it to.

That is said by SIGTERM.  A program with a handler of its own for it ends in its own way.
"""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import signal
from collections.abc import Callable, Coroutine
from typing import Any

from uvnet._accept.listener import listening_owners
from uvnet._loop.loop import record_of
from uvnet._loop.running import run
from uvnet.cluster.last_words import expect_signals, leave
from uvnet.cluster.primary_signals import take_no_notice

__all__ = ["run_worker"]

GRACE = 0.5  # seconds for main to return by itself, and once more when it was cancelled


def run_worker(main: Callable[[], Any], shutdown_timeout: float) -> None:
    """Call main(), and run the coroutine that it returns, or what it has begun; returns when that is over.

    An exception is left to the primary, which logs it; then this raises SystemExit.
    """
    end = _End(shutdown_timeout)
    expect_signals()
    signal.signal(signal.SIGTERM, end.wanted)
    take_no_notice()
    try:
        made = main()
        if inspect.iscoroutine(made):
            run(end.of(made))
        else:
            end.is_idle_run = True
            run()
    except asyncio.CancelledError as error:
        # Of what serve_forever() and its like raise when their server is closed.
        if not end.is_wanted:
            _fail(error)
    except Exception as error:
        _fail(error)


def _fail(error: BaseException) -> None:
    if leave(error):
        raise SystemExit(1) from None
    raise error


class _End:
    """The graceful end of this process, in up to three steps: servers, main, everything."""

    def __init__(self, timeout: float) -> None:
        self.timeout = timeout
        self.is_wanted = False
        self.is_idle_run = False  # main is over, and run() goes on until nothing is left
        self._main: asyncio.Task[Any] | None = None
        self._task: asyncio.Task[None] | None = None
        self._servers_closed = asyncio.Event()

    async def of(self, main: Coroutine[Any, Any, Any]) -> None:
        """Await main, and the connections of servers whose end was the end of main."""
        self._main = asyncio.current_task()
        if self.is_wanted:
            main.close()
            return
        try:
            await main
        finally:
            if self.is_wanted:
                self._begin(asyncio.get_running_loop())
                await self._servers_closed.wait()

    def wanted(self, _number: int, _frame: object) -> None:
        """SIGTERM has come."""
        self.is_wanted = True
        loop = asyncio._get_running_loop()
        if loop is None:
            # There is nothing to be ended gracefully yet, or any more.
            raise SystemExit(0)
        loop.call_soon_threadsafe(self._begin, loop)

    def _begin(self, loop: asyncio.AbstractEventLoop) -> None:
        if self._task is None:
            self._task = loop.create_task(self._carry_out(loop))

    async def _carry_out(self, loop: asyncio.AbstractEventLoop) -> None:
        try:
            await self._shut_down(listening_owners(record_of(loop)))
        except RuntimeError:
            # A loop that is not uvnet's has no servers of uvnet.
            pass
        finally:
            self._servers_closed.set()
        if self.is_idle_run:
            # What is left is the channel, a look-up, a timer.
            loop.stop()
            return
        me = asyncio.current_task()
        left = {self._main} if self._main is not None else asyncio.all_tasks(loop) - {me}
        _, left = await asyncio.wait(left, timeout=GRACE) if left else (None, left)
        for task in left:
            task.cancel()
        if left:
            await asyncio.wait(left, timeout=GRACE)
            # A task that will not be cancelled is left to SIGKILL.

    async def _shut_down(self, servers: list[Any]) -> None:
        """Let the connections of the servers finish, for so long as they may."""
        await asyncio.gather(
            *(
                server.shutdown(self.timeout) if hasattr(server, "shutdown") else _close(server, self.timeout)
                for server in servers
            ),
            return_exceptions=True,
        )


async def _close(server: Any, timeout: float) -> None:
    """As shutdown() of a uvnet.Server, of an asyncio server."""
    server.close()
    with contextlib.suppress(asyncio.TimeoutError):
        await asyncio.wait_for(server._drained(), timeout)
    server.abort_clients()
