"""Connecting by name or address: the look-up, and what its answer means; then the attempts of attempts.py.

One Connector serves one connect() of one socket.  It decides what to do next; the socket does it and reports back.
Node: "socket.connect(options)"; rules 2.2, 2.3 and 8.1.
"""

from __future__ import annotations

import asyncio
import socket as _socket
from collections.abc import Mapping
from typing import Any

from uvnet.addresses.ip import is_ip, text_of
from uvnet.addresses.lookup import look_up
from uvnet.arguments.checks import is_async_callable
from uvnet.errors.codes import invalid_family, invalid_ip
from uvnet.socket.attempts import Attempts
from uvnet.socket.options import ConnectOptions

__all__ = ["Connector", "defaults"]


class _Defaults:
    """What connect() does where its options do not say."""

    auto_select_family = True
    attempt_timeout = 0.25  # seconds


defaults = _Defaults()


class Connector:
    """The way of one socket to its peer."""

    def __init__(self, socket: Any, options: ConnectOptions) -> None:
        self.socket = socket
        self.options = options
        self.attempts = Attempts(socket, options)
        self.many = False
        self.answered = False
        self.lookup_request: Any = None
        self.task: asyncio.Task[Any] | None = None
        self.cancelled = False

    # -- called by the socket ---------------------------------------------------------------------

    def start(self) -> None:
        family = is_ip(self.options.host)
        if family:
            self.socket._next_tick(self._try, [(self.options.host, family)])
        else:
            self._look_up()

    def cancel(self) -> None:
        """The socket was destroyed or is connected: nothing may follow."""
        self.cancelled = True
        self.attempts.cancel()
        if self.lookup_request is not None:
            self.lookup_request.cancel()
            self.lookup_request = None
        if self.task is not None:
            self.task.cancel()
            self.task = None

    def attempt_done(self, handle: Any, status: int) -> None:
        """The attempt with this handle has succeeded (0) or failed (a libuv error)."""
        self.attempts.done(handle, status)

    # -- looking up -------------------------------------------------------------------------------

    def _look_up(self) -> None:
        options, socket = self.options, self.socket
        self.many = options.auto_select_family and not options.family and not options.local_address
        hints = options.hints
        if not options.family and not hints:
            hints = _socket.AI_ADDRCONFIG
        if options.lookup is None:
            try:
                self.lookup_request = look_up(
                    socket._record, socket, options.host, options.family, hints, self._looked_up
                )
            except OSError as error:
                self.socket._next_tick(self._looked_up, error, None)
            return
        query = {"family": options.family, "hints": hints, "all": self.many}
        if is_async_callable(options.lookup):
            task = self.socket._record.loop.create_task(options.lookup(options.host, query))
            task.add_done_callback(self._lookup_task_done)
            self.task = task
        else:
            try:
                options.lookup(options.host, query, self._lookup_answered)
            except Exception as error:
                # connect() has begun by now: its failure is an 'error'.
                socket._next_tick(self._looked_up, error, None)

    def _lookup_task_done(self, task: asyncio.Task[Any]) -> None:
        self.task = None
        if self.cancelled:
            return
        if task.cancelled():
            # Somebody else has: there will be no answer, and where the loop ends no error is wanted.
            self.socket.destroy()
            return
        error = task.exception()
        if error is not None:
            self._lookup_answered(error)
        else:
            self._lookup_answered(None, task.result())

    def _lookup_answered(
        self, error: BaseException | None, answer: Any = None, family: Any = None
    ) -> None:
        """The callback of a look-up of the user's: one address, or a list of them."""
        addresses = None
        if error is None:
            try:
                addresses = _addresses(answer, family)
            except Exception as problem:
                # Of an object of the user's own.
                error = problem
        self._looked_up(error, addresses)

    def _looked_up(
        self, error: BaseException | None, addresses: list[tuple[Any, Any]] | None
    ) -> None:
        self.lookup_request = None
        socket, options = self.socket, self.options
        if self.cancelled or self.answered:
            return
        # A look-up of the user's may call back more than once.
        self.answered = True
        if error is None and not addresses:
            error = invalid_ip(None)
        if error is not None:
            socket._emit_safely("lookup", error, None, None, options.host)
            if not self.cancelled:
                socket._next_tick(self._give_up, error)
            return
        assert addresses
        if not self.many:
            addresses = addresses[:1]
        for address, family in addresses:
            socket._emit_safely("lookup", None, address, family, options.host)
            if self.cancelled:
                return
        socket._touch_idle()
        usable = [pair for pair in addresses if _is_address(pair[0]) and pair[1] in (4, 6)]
        usable = list(dict.fromkeys(usable))
        if not usable:
            address, family = addresses[0]
            if not _is_address(address):
                problem: Exception = invalid_ip(address)
            else:
                problem = invalid_family(family, options.host, options.port)
            socket._next_tick(self._give_up, problem)
        else:
            self._try(_alternate(usable))

    # -- trying -----------------------------------------------------------------------------------

    def _try(self, addresses: list[tuple[str, int]]) -> None:
        if not self.cancelled:
            self.attempts.start(addresses)

    def _give_up(self, error: BaseException) -> None:
        if not self.cancelled:
            self.socket._connection_failed(error)


def _addresses(answer: Any, family: Any) -> list[tuple[Any, Any]]:
    """The addresses of an answer, each with its family; `family` is that of a single address."""
    if isinstance(answer, list | tuple):
        return [_address_and_family(item) for item in answer]
    if family is None or isinstance(answer, Mapping):
        return [_address_and_family(answer)]
    return [_address_and_family((answer, family))]


def _address_and_family(item: Any) -> tuple[Any, Any]:
    """One address of an answer: itself, a pair with its family, or a mapping of both."""
    if isinstance(item, Mapping):
        address, family = item.get("address"), item.get("family")
    elif isinstance(item, tuple | list) and len(item) == 2:
        address, family = item
    else:
        address, family = item, is_ip(item) or None
    text = text_of(address)
    return address if text is None else text, family


def _is_address(value: Any) -> bool:
    return isinstance(value, str) and is_ip(value) != 0


def _alternate(addresses: list[tuple[str, int]]) -> list[tuple[str, int]]:
    """Families in turn, beginning with the first address's (rule 8.1.2)."""
    first = addresses[0][1]
    queues = [
        [pair for pair in addresses if pair[1] == first],
        [pair for pair in addresses if pair[1] != first],
    ]
    ordered: list[tuple[str, int]] = []
    while any(queues):
        for queue in queues:
            if queue:
                ordered.append(queue.pop(0))
    return ordered
