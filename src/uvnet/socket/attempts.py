"""Attempts to connect to the addresses of one host, side by side: "happy eyeballs", RFC 8305.

The next address is tried when an attempt fails, or when the newest one has had no answer for the attempt delay; the
earlier ones go on.  The first to connect wins, and the others are closed.  Each attempt has a handle, and the socket
is on one of them; the others are its own too, so that it is told of them.
Node: "socket.connect(options)"; rules 2.3 and 8.1, except that Node closes an attempt before it begins the next.
"""

from __future__ import annotations

import asyncio
import errno
from collections.abc import Callable
from typing import Any

from uvnet.errors.codes import ip_blocked
from uvnet.errors.system import system_error
from uvnet.socket.options import ConnectOptions

__all__ = ["Attempts"]


class _Attempt:
    """An address with the handle that connects to it."""

    def __init__(self, address: str, family: int) -> None:
        self.address = address
        self.family = family
        self.handle: Any = None  # until it is closed for another one
        self.error: Exception | None = None


class Attempts:
    """What one connect() tries, from the addresses to a connection or an error."""

    def __init__(self, socket: Any, options: ConnectOptions) -> None:
        self.socket = socket
        self.options = options
        self.waiting: list[tuple[str, int]] = []
        self.begun: list[_Attempt] = []
        self.several = False
        self.timer: asyncio.TimerHandle | None = None
        self.over = False

    def start(self, addresses: list[tuple[str, int]]) -> None:
        """Try the addresses, each with its family, 4 or 6, in this order."""
        self.waiting = list(addresses)
        self.several = len(addresses) > 1
        if self.several:
            self.socket.auto_select_family_attempted_addresses = []
        self._do(self._try_next)

    def cancel(self) -> None:
        """Nothing may follow.  The handle that the socket is on stays open."""
        self.over = True
        self._stop_timer()
        self._close(self.begun)

    def done(self, handle: Any, status: int) -> None:
        """The attempt with this handle has connected (0) or failed (a libuv error)."""
        self._do(self._done, handle, status)

    def _done(self, handle: Any, status: int) -> None:
        attempt = next((attempt for attempt in self.begun if attempt.handle is handle), None)
        if attempt is None:
            # Of a life before.
            return
        error: Exception | None
        if status < 0:
            error = self._connect_error(attempt, status)
        else:
            # Only the system knows what it has made of the address, and the list may have changed.
            blocked = self.socket._blocked_peer(handle)
            error = None if blocked is None else ip_blocked(blocked)
        if error is not None:
            self._fail(attempt, error)
            if not self.over:
                self._try_next()
            return
        self._be_on(attempt)
        self.cancel()
        self.socket._connection_made()

    def _try_next(self) -> None:
        """Begin the next attempt, and those after it while they fail at once.  Give up where all have failed."""
        while self.waiting:
            attempt = _Attempt(*self.waiting.pop(0))
            self.begun.append(attempt)
            error = self._begin(attempt)
            if error is None:
                return
            self._fail(attempt, error)
            if self.over:
                return
        under_way = [attempt for attempt in self.begun if attempt.error is None]
        if under_way:
            self._be_on(under_way[-1])
            self._close_failed()
            return
        errors = [attempt.error for attempt in self.begun if attempt.error is not None]
        self.socket._connection_failed(_all_failed(errors) if self.several else errors[0])

    def _begin(self, attempt: _Attempt) -> Exception | None:
        """Begin to connect; what is wrong at once, or None."""
        options, socket = self.options, self.socket
        address, family = attempt.address, attempt.family
        self._stop_timer()
        # The first one has the handle that the socket began with.
        attempt.handle = socket._current_handle() if len(self.begun) == 1 else socket._renew_handle()
        self._close_failed()
        if self.several:
            socket.auto_select_family_attempted_addresses.append(f"{address}:{options.port}")
        socket._emit_safely("connectionAttempt", address, options.port, family)
        if self.over:
            return None
        if self.waiting:
            self.timer = socket._record.loop.call_later(options.attempt_timeout, self._delay_over)
        blocked = socket._blocked(address, options.local_address)
        if blocked is not None:
            return ip_blocked(blocked)
        error: Exception | None = socket._prepare_socket(family)
        if error is not None:
            return error
        if options.local_address or options.local_port:
            local = self._local_address(attempt)
            status = socket._bind_local(local, options.local_port, family)
            if status < 0:
                return system_error(status, "bind", local, options.local_port)
        status = socket._start_connect(address, options.port)
        return self._connect_error(attempt, status) if status < 0 else None

    def _fail(self, attempt: _Attempt, error: Exception) -> None:
        attempt.error = error
        self.socket._emit_safely(
            "connectionAttemptFailed", attempt.address, self.options.port, attempt.family, error
        )

    def _delay_over(self) -> None:
        """The newest attempt goes on, and the next one begins beside it."""
        self.timer = None
        newest = self.begun[-1]
        self.socket._emit_safely(
            "connectionAttemptTimeout", newest.address, self.options.port, newest.family
        )
        if not self.over:
            self._do(self._try_next)

    def _do(self, step: Callable[..., None], *arguments: Any) -> None:
        """Take a step.  Where there is no memory for it, nothing would come after it: all has failed."""
        try:
            step(*arguments)
        except Exception as error:
            if self.over:
                raise
            self.socket._connection_failed(error)

    def _be_on(self, attempt: _Attempt) -> None:
        """The socket is on this attempt's handle from now on."""
        if self.socket._current_handle() is not attempt.handle:
            self.socket._use_handle(attempt.handle)

    def _close_failed(self) -> None:
        self._close([attempt for attempt in self.begun if attempt.error is not None])

    def _close(self, attempts: list[_Attempt]) -> None:
        """Close their handles, but for the one that the socket is on."""
        current = self.socket._current_handle()
        for attempt in attempts:
            handle = attempt.handle
            if handle is not None and handle is not current:
                attempt.handle = None
                self.socket._close_handle(handle)

    def _local_address(self, attempt: _Attempt) -> str:
        return self.options.local_address or ("::" if attempt.family == 6 else "0.0.0.0")

    def _connect_error(self, attempt: _Attempt, status: int) -> OSError:
        options = self.options
        if not options.local_port:
            return system_error(status, "connect", attempt.address, options.port)
        return system_error(
            status, "connect", attempt.address, options.port,
            local_address=self._local_address(attempt), local_port=options.local_port,
        )  # fmt: skip

    def _stop_timer(self) -> None:
        if self.timer is not None:
            self.timer.cancel()
            self.timer = None


def _all_failed(errors: list[Exception]) -> Exception:
    """One error for all attempts: of the first one's class, with every error in `errors`."""
    first = errors[0]
    message = "; ".join(getattr(error, "strerror", None) or str(error) for error in errors)
    number = next((error.errno for error in errors if isinstance(error, OSError)), errno.EACCES)
    error = OSError(number, f"every connection attempt failed: {message}")
    for name in ("code", "syscall", "address", "port"):
        if hasattr(first, name):
            setattr(error, name, getattr(first, name))
    error.errors = errors  # type: ignore[attr-defined]
    return error
