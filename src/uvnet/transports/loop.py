"""The event loop whose connections are uvnet's, and the ways to get one."""

from __future__ import annotations

import functools
from collections.abc import Callable
from concurrent.futures import Executor
from typing import TYPE_CHECKING, Any

import uvloop
import uvloop.loop

from uvnet._loop.loop import make_loops_by, record_of
from uvnet.transports.base_transport import transports_of
from uvnet.transports.connecting import (
    connect_accepted_socket,
    create_connection,
    create_unix_connection,
    start_tls,
)
from uvnet.transports.sendfile import sendfile, sendfile_native, sock_sendfile
from uvnet.transports.server_options import ServerOptions, server_options
from uvnet.transports.serving import create_server, create_unix_server

if TYPE_CHECKING:
    from typing_extensions import Unpack

__all__ = ["Loop", "loop_factory", "new_event_loop", "patch_loop"]


def check_free(loop: Any, fd: Any) -> None:
    """Raise RuntimeError for the descriptor of a transport: two may not wait on it."""
    try:
        number = fd if isinstance(fd, int) else fd.fileno()
    except (AttributeError, TypeError, ValueError):
        # uvloop says what is wrong with it.
        return
    transport = transports_of(loop).get(number)
    if transport is not None:
        raise RuntimeError(f"File descriptor {number!r} is used by transport {transport!r}")


def _guarded(name: str) -> Callable[..., Any]:
    """A method of uvloop's that no transport's descriptor is given to."""
    method = getattr(uvloop.loop.Loop, name)

    def guard(loop: Any, fd: Any, *arguments: Any) -> Any:
        check_free(loop, fd)
        return method(loop, fd, *arguments)

    return guard


_OURS: dict[str, Callable[..., Any]] = {
    "connect_accepted_socket": connect_accepted_socket,
    "create_connection": create_connection,
    "create_server": create_server,
    "create_unix_connection": create_unix_connection,
    "create_unix_server": create_unix_server,
    "sendfile": sendfile,
    "_sendfile_native": sendfile_native,
    "sock_sendfile": sock_sendfile,
    "start_tls": start_tls,
    **{name: _guarded(name) for name in ("add_reader", "add_writer", "remove_reader", "remove_writer")},
}


class Loop(uvloop.Loop):
    """A uvloop loop whose stream servers and connections are uvnet's."""

    def __init__(self) -> None:
        super().__init__()
        # What asyncio's test utilities look at.
        self._default_executor: Executor | None = None
        # What servers have where nobody says otherwise.
        self._server_options: dict[str, Any] = {}
        record_of(self)

    def set_default_executor(self, executor: Any) -> None:
        super().set_default_executor(executor)
        self._default_executor = executor


for _name, _function in _OURS.items():
    setattr(Loop, _name, _function)


def new_event_loop() -> Loop:
    """A new loop, for `uvicorn --loop uvnet:new_event_loop` or asyncio.Runner(loop_factory=uvnet.new_event_loop).

    asyncio: "asyncio.new_event_loop()".
    """
    return Loop()


make_loops_by(new_event_loop)


def loop_factory(**options: Unpack[ServerOptions]) -> Callable[[], Loop]:
    """A function that makes loops whose servers have these options, for programs that cannot pass any.

    create_server() and create_unix_server() of every loop of uvnet take the same as keywords, which win, and
    create_connection() and its like those about connections.  None is the default of each.

    Of servers: max_connections (int >= 0), beyond which connections are closed at once; block_list: a BlockList of
    addresses whose connections are closed at once; accept_proxy_protocol: True where every connection begins with a
    PROXY protocol header, version 1 or 2, before TLS too: "peername" and "sockname" are then those of the header;
    (get_extra_info("proxy_header") is all of it), or the networks that send one; direct_connections: "refuse" (default)
    or "accept" others, without one; max_proxy_header: bytes, 107 to 65,551 (4,112);
    proxy_header_timeout: seconds, more than 0, for it to come (10); on_drop: called with a mapping for each
    connection that was closed at once, as of Server's 'drop'.
    Of connections: max_buffered: bytes that may wait to be sent (no limit); on_max_buffered: what a write() beyond it
    does, "destroy" the connection (default) or "raise"; idle_timeout: seconds without traffic after which the
    connection is lost (no limit); close_timeout: seconds without a byte going out after which one that was closed is
    lost (60; 0 for no limit); no_delay (True), keep_alive (False), keep_alive_initial_delay (seconds; 0: the system's).
    Raises TypeError or ValueError.  asyncio: "asyncio.new_event_loop()".
    """
    server_options({}, options, "loop_factory()")

    def make() -> Loop:
        made = Loop()
        made._server_options = dict(options)
        return made

    return make


def patch_loop(loop: Any) -> None:
    """Give a uvloop loop that somebody else has made the methods of those that new_event_loop() makes.

    Raises RuntimeError for any other kind of loop, and says how to get one.  This is not in Node.
    """
    record_of(loop)
    for name, function in _OURS.items():
        setattr(loop, name, functools.partial(function, loop))
