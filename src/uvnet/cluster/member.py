"""Member: a worker under a supervisor, from its start to its end."""

from __future__ import annotations

import asyncio
import logging
import signal
import time
from collections.abc import Callable
from typing import Any

from uvnet.addresses.address import Address, bracketed
from uvnet.cluster.last_words import LAST_WORDS, LastWords, Said
from uvnet.cluster.primary import ForkedWorker, Primary
from uvnet.cluster.primary_signals import held_back

__all__ = ["Member", "WorkerFailed", "start_member"]

_log = logging.getLogger("uvnet")

HANDING_OVER = 1.0  # seconds for a worker to take what it was dealt, before it is told to end
MARGIN = 3.0  # seconds beyond its timeout for a worker to end by itself
FEW = 3  # questions of the heartbeat
DYING = 2.0  # seconds for a worker that hangs to leave its stack


class WorkerFailed(Exception):
    """A worker that did not come to listen: why, and whether it ended by itself."""

    def __init__(self, text: str, by_itself: bool) -> None:
        super().__init__(text)
        self.by_itself = by_itself


class Member:
    """A worker, what its supervisor wants of it, and how it ends.

    ended: called with the member and the state it was in once it is over.
    leaves: called with the member when it listens no more by itself.
    """

    def __init__(
        self,
        worker: ForkedWorker,
        primary: Primary,
        last_words: LastWords,
        ended: Callable[[Member, str], object],
        leaves: Callable[[Member], object],
    ) -> None:
        self.worker = worker
        self.pid: int = worker.process.pid
        # On the clock of the system, which goes on when this process executes itself anew.
        self.began = time.monotonic()
        # "starting", "serving", "stopping" or "over".
        self.state = "starting"
        self.listening_since: float | None = None
        self.vital_signs: dict[str, Any] = {}
        self.unanswered = 0  # questions of the heartbeat
        self.is_aborted = False
        self.over: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.last_words = last_words
        self._primary = primary
        self._ended = ended
        self._leaves = leaves
        self._said = Said("", "")
        self._listens: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._timers: list[asyncio.TimerHandle] = []
        self._left = 0
        worker._observe("listening", self._is_listening)
        worker.listens_no_more = self._leaves_by_itself
        worker._observe("exit", lambda *_: self._is_over(), once=True)

    def __str__(self) -> str:
        return f"worker {self.worker.id} (pid {self.pid})"

    @property
    def lifetime(self) -> float:
        """Seconds for which it has listened; 0 where it never did."""
        return 0.0 if self.listening_since is None else time.monotonic() - self.listening_since

    def snapshot(self) -> dict[str, Any]:
        """See Supervisor.snapshot()."""
        signs = {name: self.vital_signs.get(name) for name in ("connections", "accepted", "cpu", "memory")}
        state = "hanging" if self.state == "serving" and self.unanswered > FEW else self.state
        return {
            "id": self.worker.id,
            "pid": self.pid,
            "state": state,
            "age": round(time.monotonic() - self.began, 1),
            **signs,
        }

    def how_it_ended(self, in_short: bool = False) -> str:
        process = self.worker.process
        signal_code = process.signal_code
        how = f"was ended by {signal_code}" if signal_code else f"ended with exit code {process.exit_code}"
        return how + (self._said.in_short() if in_short else str(self._said))

    async def until_it_listens(self, timeout: float) -> None:
        """Raises WorkerFailed where it ends before that, or takes longer; then it is made to end."""
        await asyncio.wait((self._listens, self.over), timeout=timeout, return_when=asyncio.FIRST_COMPLETED)
        if self.over.done():
            by_itself = self.worker.process.signal_code is None
            raise WorkerFailed(f"{self} {self.how_it_ended()}", by_itself)
        if not self._listens.done():
            self.abort()
            await self.over
            raise WorkerFailed(f"{self} did not listen within {timeout:g} s{self._said}", by_itself=False)

    # === Its end ===

    def go_on_serving(self, is_stopping: bool, timeout: float) -> None:
        """It has served, or has been stopped, for an earlier primary of this process."""
        self.state = "serving"
        self.listening_since = time.monotonic()
        self._listens.set_result(None)
        if is_stopping:
            # Not told again.
            self.worker.process.killed = True
            self.stop(timeout)

    def stop(self, timeout: float) -> None:
        """Have it end gracefully: it is dealt no more, takes what it was dealt, and has `timeout` seconds then."""
        if self.state in ("stopping", "over"):
            return
        self.state = "stopping"
        self.worker.exited_after_disconnect = True
        shares = [
            share for each in self._primary.sockets if (share := each.users.get(self.worker.id)) is not None
        ]
        self._left = len(shares) + 1
        self._after(HANDING_OVER, self._terminate)
        self._after(timeout + MARGIN, self._took_too_long, timeout)
        for share in shares:
            share.leave(self._one_is_idle)
        self._one_is_idle()

    def abort(self) -> None:
        """Have it leave the stack that it hangs with, and end."""
        self.is_aborted = True
        self.signal(signal.SIGABRT)
        self._after(DYING, self.kill)

    def kill(self) -> None:
        self.signal(signal.SIGKILL)

    def signal(self, number: int) -> None:
        if self.state != "over":
            self.worker.process.kill(number)

    def leave(self, timeout: float) -> None:
        """It ends by itself, for which it has as long as if it had been stopped."""
        self.state = "stopping"
        self._after(timeout + MARGIN, self._took_too_long, timeout)

    # === Private ===

    def _leaves_by_itself(self) -> None:
        if self.state == "serving":
            self._leaves(self)

    def _after(self, seconds: float, function: Callable[..., object], *arguments: Any) -> None:
        self._timers.append(asyncio.get_running_loop().call_later(seconds, function, *arguments))

    def _one_is_idle(self) -> None:
        self._left -= 1
        if self._left == 0:
            self._terminate()

    def _terminate(self) -> None:
        self._left = -1
        # Not twice: a second one may mean more to a program than the first.
        if not self.worker.process.killed:
            self.signal(signal.SIGTERM)

    def _took_too_long(self, timeout: float) -> None:
        _log.warning("%s has not ended within %g s, and is killed", self, timeout)
        self.kill()

    def _is_listening(self, address: Address | str | None) -> None:
        _log.info("%s listens on %s", self, _name_of(address))
        if self.state == "starting":
            self.state = "serving"
            self.listening_since = time.monotonic()
            # What its start took is past.
            self.unanswered = 0
        if not self._listens.done():
            self._listens.set_result(None)

    def _is_over(self) -> None:
        was, self.state = self.state, "over"
        for timer in self._timers:
            timer.cancel()
        self._said = self.last_words.read()
        self.last_words.close()
        self.over.set_result(None)
        self._ended(self, was)


def _name_of(address: Address | str | None) -> str:
    if isinstance(address, Address):
        return f"{bracketed(address.address)}:{address.port}"
    # An abstract name, as it is usually written.
    return "@" + address[1:] if address and address[0] == "\0" else address or "a socket"


def start_member(
    primary: Primary, ended: Callable[[Member, str], object], leaves: Callable[[Member], object]
) -> Member:
    """Start a worker; raises OSError."""
    words = LastWords()
    try:
        with held_back():
            worker = primary.fork({LAST_WORDS: str(words.fileno())}, (words.fileno(),))
    except BaseException:
        words.close()
        raise
    return Member(worker, primary, words, ended, leaves)
