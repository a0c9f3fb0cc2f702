"""What an exception of uvnet says: its class, Node's code, the message, and the properties.  Rule 0.2."""

from __future__ import annotations

import errno
from collections.abc import Callable
from typing import Any

import pytest
from harness import Player, Transport, close, event, listen
from pairs import take_over
from waiting import until, upcoming

import uvnet

NAMES = ("code", "syscall", "address", "port", "hostname", "local_address", "local_port")


def properties(error: BaseException) -> dict[str, Any]:
    return {name: getattr(error, name) for name in NAMES if hasattr(error, name)}


def test_an_error_of_listen(play: Player, transport: Transport) -> None:
    """Rules 0.2.1, 0.2.4 and 0.2.5: with libuv's text, and a port where there is one."""

    async def scenario() -> None:
        first = await listen(uvnet.create_server(), transport)
        second = uvnet.create_server()
        if transport.kind == "tcp":
            where: Any = (first.address().port, "127.0.0.1")
            shown = f"127.0.0.1:{where[0]}"
            expected = {"address": "127.0.0.1", "port": where[0]}
        else:
            where, shown = (transport.path,), f"{transport.path} (somebody listens there)"
            expected = {"address": transport.path, "port": -1}
        second.listen(*where)
        (error,) = await event(second, "error")
        assert type(error) is OSError
        assert error.errno == errno.EADDRINUSE
        assert error.strerror == f"listen EADDRINUSE: address already in use {shown}"
        assert properties(error) == {"code": "EADDRINUSE", "syscall": "listen", **expected}
        await close(first)

    play(scenario)


def test_an_error_of_connect(play: Player) -> None:
    """Rules 0.2.2, 0.2.4 and 0.2.5: without a text; the address of IPv6 has no brackets."""

    async def scenario() -> None:
        for host in ("127.0.0.1", "::1"):
            socket = uvnet.connect(1, host)
            closed = upcoming(socket, "close")
            (error,) = await event(socket, "error")
            await closed
            if error.code == "EADDRNOTAVAIL":  # a system without IPv6
                continue
            assert isinstance(error, ConnectionRefusedError)
            assert error.errno == errno.ECONNREFUSED
            assert error.strerror == f"connect ECONNREFUSED {host}:1"
            assert properties(error) == {
                "code": "ECONNREFUSED",
                "syscall": "connect",
                "address": host,
                "port": 1,
            }

    play(scenario)


def test_a_local_address_in_the_error(play: Player) -> None:
    """Rules 0.2.2 and 2.3.7."""

    async def scenario() -> None:
        free = uvnet.create_server().listen(0, "127.0.0.1")
        await event(free, "listening")
        port = free.address().port
        await close(free)
        socket = uvnet.connect(port=1, host="127.0.0.1", local_address="127.0.0.1", local_port=port)
        closed = upcoming(socket, "close")
        (error,) = await event(socket, "error")
        await closed
        assert error.strerror == f"connect ECONNREFUSED 127.0.0.1:1 - Local (127.0.0.1:{port})"
        assert (error.local_address, error.local_port) == ("127.0.0.1", port)

    play(scenario)


def test_an_error_of_an_open_connection(play: Player, transport: Transport) -> None:
    """Rules 0.2.3 and 0.2.5: the system call, the code, and no address."""

    async def scenario() -> None:
        socket, peer = take_over(transport.kind, readable=False)
        errors: list[Any] = []
        socket.on("error", errors.append)
        peer.close()
        while not errors:
            socket.write(b"x")
            await until(lambda: errors or not socket.writable_length)
        (error,) = errors
        assert isinstance(error, BrokenPipeError | ConnectionResetError)
        assert error.strerror == f"write {error.code}"
        assert properties(error) == {"code": error.code, "syscall": "write"}
        assert error.errno == getattr(errno, error.code)
        await until(lambda: socket.closed)

    play(scenario)


Case = tuple[Callable[[], Any], type[Exception], str, str]
CASES: list[Case] = [
    (
        lambda: uvnet.Socket().write(5),
        TypeError,
        "ERR_INVALID_ARG_TYPE",
        'The "chunk" argument must be of type str or a bytes-like object. Received type int (5)',
    ),
    (
        lambda: uvnet.connect({"port": None}),
        TypeError,
        "ERR_INVALID_ARG_TYPE",
        'The "options.port" property must be one of type int or str. Received None',
    ),
    (
        lambda: uvnet.connect(port=80, hints=-1),
        ValueError,
        "ERR_INVALID_ARG_VALUE",
        "The property 'options.hints' is invalid. Received -1",
    ),
    (
        lambda: uvnet.connect(-1),
        ValueError,
        "ERR_SOCKET_BAD_PORT",
        "Port should be >= 0 and < 65536. Received type int (-1).",
    ),
    (
        lambda: uvnet.create_server().listen(-1),
        ValueError,
        "ERR_SOCKET_BAD_PORT",
        "options.port should be >= 0 and < 65536. Received type int (-1).",
    ),
    (
        lambda: uvnet.Socket(fd=-1),
        ValueError,
        "ERR_OUT_OF_RANGE",
        'The value of "options.fd" is out of range. It must be >= 0 and <= 2147483647. Received -1',
    ),
    (
        lambda: uvnet.connect(),
        TypeError,
        "ERR_MISSING_ARGS",
        'The "options" or "port" or "path" argument must be specified',
    ),
    (
        lambda: uvnet.connect(port=80, local_address="here"),
        TypeError,
        "ERR_INVALID_IP_ADDRESS",
        "Invalid IP address: here",
    ),
    (
        lambda: uvnet.Socket(fd=2**31 - 1),
        TypeError,
        "ERR_INVALID_FD_TYPE",
        "Unsupported fd type: UNKNOWN",
    ),
    (
        lambda: uvnet.Socket().write(None),
        TypeError,
        "ERR_STREAM_NULL_VALUES",
        "May not write null values to stream",
    ),
    (
        lambda: uvnet.Socket().set_encoding("klingon"),
        TypeError,
        "ERR_UNKNOWN_ENCODING",
        "Unknown encoding: klingon",
    ),
    (
        lambda: uvnet.Socket().write("x", callback="y"),
        TypeError,
        "ERR_INVALID_ARG_TYPE",
        "The \"callback\" argument must be of type function. Received type str ('y')",
    ),
]


@pytest.mark.parametrize(("call", "kind", "code", "message"), CASES, ids=[case[2] for case in CASES])
def test_messages_of_bad_arguments(
    play: Player, call: Callable[[], Any], kind: type[Exception], code: str, message: str
) -> None:
    """Rules 0.2.7 and 0.2.8."""

    async def scenario() -> None:
        with pytest.raises(kind) as caught:
            call()
        assert (caught.value.code, str(caught.value)) == (code, message)  # type: ignore[attr-defined]

    play(scenario)


def test_messages_of_a_bad_state(play: Player, transport: Transport) -> None:
    """Rules 0.2.7 and 0.2.8: what callbacks get."""

    async def scenario() -> None:
        said: dict[str, str] = {}

        def note(error: Any) -> None:
            assert isinstance(error, RuntimeError | BrokenPipeError)
            said[error.code] = getattr(error, "strerror", None) or str(error)

        def ignore(error: Any) -> None: ...

        ended, peer = take_over(transport.kind)
        peer.close()
        ended.on("error", ignore)
        ended.end()
        await until(lambda: ended.closed)
        ended.end(note)
        destroyed, peer = take_over(transport.kind)
        destroyed.end()
        destroyed.on("error", ignore)
        destroyed.write(b"x", note)
        await until(lambda: destroyed.closed)
        destroyed.write(b"x", note)
        peer.close()
        gone, peer = take_over(transport.kind)
        gone.destroy()
        gone.write(b"x", note)
        await until(lambda: gone.closed)
        peer.close()
        fresh = uvnet.Socket()
        fresh.on("error", ignore)
        fresh.write(b"x", note)
        await until(lambda: fresh.closed)
        early = uvnet.connect(transport.path)
        early.write(b"x", note)
        early.destroy()
        await until(lambda: early.closed)
        half, peer = take_over(transport.kind)
        half.on("error", ignore)
        half.on("end", lambda: uvnet.next_tick(lambda: uvnet.next_tick(half.write, b"x", note)))
        peer.shutdown(1)
        await until(lambda: half.closed)
        peer.close()
        uvnet.finished(gone, note)
        uvnet.create_server().close(note)
        with pytest.raises(RuntimeError) as caught:
            server = await listen(uvnet.create_server(), transport)
            server.listen(0)
        note(caught.value)
        await close(server)
        with pytest.raises(RuntimeError) as caught:
            gone_by_end, peer = take_over(transport.kind, allow_half_open=True)
            peer.close()
            await event(gone_by_end, "end")
            gone_by_end.unshift(b"x")
        note(caught.value)
        gone_by_end.destroy()
        await until(lambda: gone_by_end.closed)
        assert said == {
            "ERR_STREAM_ALREADY_FINISHED": "Cannot call end after a stream was finished",
            "ERR_STREAM_WRITE_AFTER_END": "write after end",
            "ERR_STREAM_DESTROYED": "Cannot call write after a stream was destroyed",
            "ERR_SOCKET_CLOSED": "Socket is closed",
            "ERR_SOCKET_CLOSED_BEFORE_CONNECTION": "Socket closed before the connection was established",
            "EPIPE": "This socket has been ended by the other party",
            "ERR_STREAM_PREMATURE_CLOSE": "Premature close",
            "ERR_SERVER_NOT_RUNNING": "Server is not running.",
            "ERR_SERVER_ALREADY_LISTEN": "Listen method has been called more than once without closing.",
            "ERR_STREAM_UNSHIFT_AFTER_END_EVENT": "stream.unshift() after end event",
        }

    play(scenario)
