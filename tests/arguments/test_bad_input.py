"""Bad input raises the documented error at the call, changes nothing and loses nothing."""

from __future__ import annotations

import os
import socket as plain
from typing import Any

import pytest
import uvloop
from harness import Player, close, event
from waiting import upcoming

import uvnet
from uvnet.addresses.endpoint import normalize


def refused(call: Any, kind: type[Exception], code: str | None) -> None:
    """`call` raises `kind` with Node's `code`."""
    with pytest.raises(kind) as caught:
        call()
    if code is not None:
        assert getattr(caught.value, "code", None) == code, caught.value


BAD_LISTEN: list[tuple[tuple[Any, ...], dict[str, Any], type[Exception], str | None]] = [
    ((-1,), {}, ValueError, "ERR_SOCKET_BAD_PORT"),
    ((65536,), {}, ValueError, "ERR_SOCKET_BAD_PORT"),
    ((1.5,), {}, ValueError, "ERR_SOCKET_BAD_PORT"),
    ((float("nan"),), {}, ValueError, "ERR_SOCKET_BAD_PORT"),
    ((float("inf"),), {}, ValueError, "ERR_SOCKET_BAD_PORT"),
    (("",), {}, ValueError, "ERR_SOCKET_BAD_PORT"),
    ((" ",), {}, ValueError, "ERR_SOCKET_BAD_PORT"),
    ((True,), {}, ValueError, "ERR_INVALID_ARG_VALUE"),
    (([],), {}, ValueError, "ERR_INVALID_ARG_VALUE"),
    ((), {"port": "abc"}, ValueError, "ERR_SOCKET_BAD_PORT"),
    ((), {"port": -1, "path": "/tmp/never"}, ValueError, "ERR_SOCKET_BAD_PORT"),
    (({},), {}, ValueError, "ERR_INVALID_ARG_VALUE"),
    (({"host": {"port": 3000}},), {}, ValueError, "ERR_INVALID_ARG_VALUE"),
    (({"backlog": {}},), {}, ValueError, "ERR_INVALID_ARG_VALUE"),
    ((), {"host": "127.0.0.1"}, ValueError, "ERR_INVALID_ARG_VALUE"),
    ((), {"exclusive": True}, ValueError, "ERR_INVALID_ARG_VALUE"),
    ((), {"path": 5}, ValueError, "ERR_INVALID_ARG_VALUE"),
    ((), {"path": "8080"}, ValueError, "ERR_INVALID_ARG_VALUE"),
    ((), {"path": "\0name", "readable_all": True}, ValueError, "ERR_INVALID_ARG_VALUE"),
    ((), {"fd": "3"}, ValueError, "ERR_INVALID_ARG_VALUE"),
    ((), {"fd": -1}, ValueError, "ERR_INVALID_ARG_VALUE"),
    ((), {"fd": 2**31}, ValueError, "ERR_OUT_OF_RANGE"),
    ((), {"handle": True}, ValueError, "ERR_INVALID_ARG_VALUE"),
    ((), {"handle": -1}, ValueError, "ERR_OUT_OF_RANGE"),
    ((), {"path": "\ud800"}, ValueError, "ERR_INVALID_ARG_VALUE"),
    ((0,), {"backlog": "0x" + "f" * 400}, ValueError, "ERR_OUT_OF_RANGE"),
    ((0,), {"backlog": 10**5000}, ValueError, "ERR_OUT_OF_RANGE"),
    ((0,), {"host": 5}, TypeError, "ERR_INVALID_ARG_TYPE"),
    ((0, True), {}, TypeError, "ERR_INVALID_ARG_TYPE"),
    ((0,), {"host": "a\0b"}, ValueError, "ERR_INVALID_ARG_VALUE"),
    ((0,), {"backlog": "many"}, TypeError, "ERR_INVALID_ARG_TYPE"),
    ((0,), {"backlog": -5}, ValueError, "ERR_OUT_OF_RANGE"),
    ((0,), {"callback": 5}, TypeError, "ERR_INVALID_ARG_TYPE"),
    ((0, "127.0.0.1", 511, "no function"), {}, TypeError, None),
    ((0,), {"prot": 1}, TypeError, None),
]


@pytest.mark.parametrize(("arguments", "keywords", "kind", "code"), BAD_LISTEN)
def test_listen_refuses(
    play: Player, arguments: tuple[Any, ...], keywords: dict[str, Any], kind: type[Exception], code: str | None
) -> None:
    """Rules 1.2 and 1.3."""

    async def scenario() -> None:
        server = uvnet.create_server()
        refused(lambda: server.listen(*arguments, **keywords), kind, code)
        assert not server.listening
        assert server.event_names() == []
        server.listen(0)
        await close(server)

    play(scenario)


BAD_CONNECT: list[tuple[tuple[Any, ...], dict[str, Any], type[Exception], str | None]] = [
    ((), {}, TypeError, "ERR_MISSING_ARGS"),
    (({},), {}, TypeError, "ERR_MISSING_ARGS"),
    ((-1,), {}, ValueError, "ERR_SOCKET_BAD_PORT"),
    ((65536,), {}, ValueError, "ERR_SOCKET_BAD_PORT"),
    ((True,), {}, TypeError, "ERR_INVALID_ARG_TYPE"),
    ((), {"port": None}, TypeError, "ERR_INVALID_ARG_TYPE"),
    ((), {"path": "", "port": None}, TypeError, "ERR_INVALID_ARG_TYPE"),
    ((), {"path": 7}, TypeError, "ERR_INVALID_ARG_TYPE"),
    ((), {"path": "\ud800"}, ValueError, "ERR_INVALID_ARG_VALUE"),
    ((80,), {"host": 5}, TypeError, "ERR_INVALID_ARG_TYPE"),
    ((80,), {"local_address": "nowhere"}, TypeError, "ERR_INVALID_IP_ADDRESS"),
    ((80,), {"local_port": "1"}, TypeError, "ERR_INVALID_ARG_TYPE"),
    ((80,), {"local_port": 70000}, ValueError, "ERR_SOCKET_BAD_PORT"),
    ((80,), {"lookup": "dns"}, TypeError, "ERR_INVALID_ARG_TYPE"),
    ((80,), {"family": 5}, ValueError, "ERR_INVALID_ARG_VALUE"),
    ((80,), {"family": []}, TypeError, "ERR_INVALID_ARG_TYPE"),
    ((80,), {"hints": "x"}, TypeError, "ERR_INVALID_ARG_TYPE"),
    ((80,), {"hints": -1}, ValueError, "ERR_INVALID_ARG_VALUE"),
    ((80,), {"timeout": -1}, ValueError, "ERR_OUT_OF_RANGE"),
    ((80,), {"timeout": "x"}, TypeError, "ERR_INVALID_ARG_TYPE"),
    ((80,), {"auto_select_family": 1}, TypeError, "ERR_INVALID_ARG_TYPE"),
    ((80,), {"auto_select_family_attempt_timeout": -1}, ValueError, "ERR_OUT_OF_RANGE"),
    ((80,), {"keep_alive_initial_delay": "x"}, TypeError, "ERR_INVALID_ARG_TYPE"),
    ((80, "127.0.0.1", "no function"), {}, TypeError, None),
    (("app", True), {}, TypeError, None),
    ((80,), {"hots": "x"}, TypeError, None),
]


@pytest.mark.parametrize(("arguments", "keywords", "kind", "code"), BAD_CONNECT)
def test_connect_refuses(
    play: Player, arguments: tuple[Any, ...], keywords: dict[str, Any], kind: type[Exception], code: str | None
) -> None:
    """Rule 2.2 and decision 6: the socket stays as it was."""

    async def scenario() -> None:
        socket = uvnet.Socket()
        refused(lambda: socket.connect(*arguments, **keywords), kind, code)
        assert not socket.connecting
        assert socket.pending
        assert not socket.destroyed
        assert socket.timeout is None
        assert socket.event_names() == []

    play(scenario)


class CallableOptions(dict[str, Any]):
    """A mapping that can be called, too."""

    def __call__(self) -> None:
        raise AssertionError


@pytest.mark.parametrize(
    ("arguments", "keywords", "found"),
    [
        ((), {}, {}),
        ((None,), {}, {"port": None}),
        ((None, None, None), {}, {"port": None}),
        ((80, None), {}, {"port": 80}),
        ((80, None, None), {}, {"port": 80}),
        ((80, "host", None), {}, {"port": 80, "host": "host"}),
        ((80, "host"), {"port": 81}, {"port": 81, "host": "host"}),
        (("path", None), {}, {"path": "path"}),
        (({"port": 80}, None), {"host": "host"}, {"port": 80, "host": "host"}),
        ((CallableOptions(port=80),), {}, {"port": 80}),
        ((80, None), {"host": "host", "callback": None}, {"port": 80, "host": "host"}),
    ],
)
def test_forms_of_arguments(arguments: tuple[Any, ...], keywords: dict[str, Any], found: dict[str, Any]) -> None:
    """Rule 1.2.1: None at the end is nothing, and a callback comes last or as a keyword."""
    assert normalize("connect", arguments, keywords, ("host",)) == (found, None)
    if arguments and arguments[-1] is not None:
        assert normalize("connect", (*arguments, print), keywords, ("host",)) == (found, print)
    assert normalize("connect", arguments, {**keywords, "callback": print}, ("host",)) == (found, print)
    with pytest.raises(TypeError) as caught:
        normalize("connect", arguments, {**keywords, "callback": 5}, ("host",))
    assert caught.value.code == "ERR_INVALID_ARG_TYPE"  # type: ignore[attr-defined]


def test_any_finite_time_is_a_time(play: Player) -> None:
    """Rule 2.12.2: what is too long is cut off."""

    async def scenario() -> None:
        socket = uvnet.Socket()
        for seconds in (10**400, 1e308, 2**31):
            assert socket.set_timeout(seconds) is socket
        socket.destroy()
        await event(socket, "close")

    play(scenario)


def test_a_look_up_that_raises(play: Player) -> None:
    """Rule 2.3.3: connect() has begun by then, so its failure is an 'error'."""

    def broken(*_: Any) -> None:
        raise LookupError("in the look-up")

    async def scenario() -> None:
        socket = uvnet.connect(1, "somewhere", lookup=broken)
        closed = upcoming(socket, "close")
        (error,) = await event(socket, "error")
        assert isinstance(error, LookupError)
        await closed

    play(scenario)


@pytest.mark.parametrize("answer", [5, object(), [[]], [([], [])], [{"address": {}}]])
def test_a_look_up_that_answers_with_nonsense(play: Player, answer: Any) -> None:
    """Rule 2.3.3."""

    async def scenario() -> None:
        socket = uvnet.connect(
            1, "somewhere", lookup=lambda host, query, callback: callback(None, answer, 4)
        )
        closed = upcoming(socket, "close")
        (error,) = await event(socket, "error")
        assert error.code == "ERR_INVALID_IP_ADDRESS"
        await closed

    play(scenario)


def test_connect_has_no_use_for_an_open_descriptor(play: Player) -> None:
    """It would be connected already; nothing is taken over."""

    async def scenario() -> None:
        ours, theirs = plain.socketpair()
        with ours, theirs:
            refused(lambda: uvnet.connect(1, handle=ours), ValueError, "ERR_INVALID_ARG_VALUE")
            refused(lambda: uvnet.connect(1, fd=ours.fileno()), ValueError, "ERR_INVALID_ARG_VALUE")
            ours.send(b"still ours")

    play(scenario)


def test_connect_while_connecting_or_connected(play: Player) -> None:
    """Decision 16: OSError, and the connection goes on."""

    async def scenario() -> None:
        server = uvnet.create_server(lambda socket: socket.pipe(socket)).listen(0)
        port = server.address().port
        socket = uvnet.connect(port, "127.0.0.1")
        refused(lambda: socket.connect(port), OSError, "EALREADY")
        await event(socket, "connect")
        refused(lambda: socket.connect(port), OSError, "EISCONN")
        socket.end("still here")
        assert await event(socket, "data") == (b"still here",)
        await event(socket, "close")
        await close(server)

    play(scenario)


def test_a_second_listen_is_refused(play: Player) -> None:
    """Rule 1.3.3 and decision 4, also while a host is looked up."""

    async def scenario() -> None:
        server = uvnet.create_server().listen(0)
        refused(lambda: server.listen(0), RuntimeError, "ERR_SERVER_ALREADY_LISTEN")
        await close(server)
        server.listen(0, "127.0.0.1")
        refused(lambda: server.listen(0), RuntimeError, "ERR_SERVER_ALREADY_LISTEN")
        await event(server, "listening")
        await close(server)

    play(scenario)


@pytest.mark.parametrize("data", [5, 1.5, object(), ["a"], {"a": 1}, True])
def test_write_refuses_what_is_no_data(play: Player, data: Any) -> None:
    """Rule 2.6.2: TypeError, and the socket is unharmed."""

    async def scenario() -> None:
        server = uvnet.create_server(lambda socket: socket.pipe(socket)).listen(0)
        socket = uvnet.connect(server.address().port, "127.0.0.1")
        refused(lambda: socket.write(data), TypeError, "ERR_INVALID_ARG_TYPE")
        refused(lambda: socket.end(data), TypeError, "ERR_INVALID_ARG_TYPE")
        refused(lambda: socket.write(None), TypeError, "ERR_STREAM_NULL_VALUES")
        refused(lambda: socket.write("x", "latin9"), TypeError, "ERR_UNKNOWN_ENCODING")
        refused(lambda: socket.write(b"x", "latin9"), TypeError, "ERR_UNKNOWN_ENCODING")
        refused(lambda: socket.write("x", "utf8", "no function"), TypeError, "ERR_INVALID_ARG_TYPE")
        refused(lambda: socket.end("x", "utf8", "no function"), TypeError, "ERR_INVALID_ARG_TYPE")
        assert socket.writable
        assert socket.bytes_written == 0
        socket.end("fine")
        assert await event(socket, "data") == (b"fine",)
        await event(socket, "close")
        await close(server)

    play(scenario)


def test_other_methods_refuse(play: Player) -> None:
    async def scenario() -> None:
        socket = uvnet.Socket()
        refused(lambda: socket.set_timeout("x"), TypeError, "ERR_INVALID_ARG_TYPE")
        refused(lambda: socket.set_timeout(-1), ValueError, "ERR_OUT_OF_RANGE")
        refused(lambda: socket.set_timeout(float("nan")), ValueError, "ERR_OUT_OF_RANGE")
        refused(lambda: socket.set_timeout(1, "x"), TypeError, "ERR_INVALID_ARG_TYPE")
        assert socket.timeout is None
        refused(lambda: socket.set_encoding("latin9"), TypeError, "ERR_UNKNOWN_ENCODING")
        refused(lambda: socket.set_default_encoding("latin9"), TypeError, "ERR_UNKNOWN_ENCODING")
        refused(lambda: socket.set_keep_alive(True, "x"), TypeError, "ERR_INVALID_ARG_TYPE")
        refused(lambda: socket.set_keep_alive(True, 1, 1, 0), ValueError, "ERR_OUT_OF_RANGE")
        refused(lambda: socket.set_type_of_service(256), ValueError, "ERR_OUT_OF_RANGE")
        refused(lambda: socket.set_type_of_service("x"), TypeError, "ERR_INVALID_ARG_TYPE")
        refused(lambda: socket.set_type_of_service(2**40), ValueError, "ERR_OUT_OF_RANGE")
        refused(lambda: socket.set_keep_alive(True, 10**400), ValueError, "ERR_OUT_OF_RANGE")
        refused(lambda: socket.destroy("x"), TypeError, "ERR_INVALID_ARG_TYPE")
        refused(lambda: socket.read(-1), ValueError, "ERR_OUT_OF_RANGE")
        refused(lambda: socket.read("x"), TypeError, "ERR_INVALID_ARG_TYPE")
        refused(lambda: socket.unshift(5), TypeError, "ERR_INVALID_ARG_TYPE")
        refused(lambda: socket.pipe(5), TypeError, "ERR_INVALID_ARG_TYPE")
        assert not socket.destroyed
        server = uvnet.create_server()
        refused(lambda: server.close("x"), TypeError, "ERR_INVALID_ARG_TYPE")
        refused(lambda: server.get_connections("x"), TypeError, "ERR_INVALID_ARG_TYPE")
        refused(lambda: uvnet.create_server("/tmp/path"), TypeError, "ERR_INVALID_ARG_TYPE")
        refused(lambda: uvnet.create_server(0), TypeError, "ERR_INVALID_ARG_TYPE")
        refused(lambda: uvnet.create_server({}, "x"), TypeError, "ERR_INVALID_ARG_TYPE")
        refused(lambda: uvnet.create_server(high_water_mark="x"), TypeError, "ERR_INVALID_ARG_TYPE")
        refused(lambda: uvnet.create_server(unknown=1), TypeError, None)
        refused(lambda: uvnet.Socket(unknown=1), TypeError, None)
        refused(lambda: uvnet.Socket(onread={"buffer": b"fixed", "callback": print}), TypeError, None)
        refused(lambda: uvnet.Socket(onread=5), TypeError, "ERR_INVALID_ARG_TYPE")

    play(scenario)


@pytest.mark.parametrize(
    ("descriptor", "kind", "code"),
    [
        (-1, ValueError, "ERR_OUT_OF_RANGE"),
        (2**31, ValueError, "ERR_OUT_OF_RANGE"),
        ("3", TypeError, "ERR_INVALID_ARG_TYPE"),
        (None, TypeError, "ERR_INVALID_ARG_TYPE"),
        (2**31 - 1, TypeError, "ERR_INVALID_FD_TYPE"),
    ],
)
def test_socket_refuses_descriptors(
    play: Player, descriptor: Any, kind: type[Exception], code: str
) -> None:
    """Rule 2.1.4."""

    async def scenario() -> None:
        refused(lambda: uvnet.Socket(fd=descriptor), kind, code)

    play(scenario)


def test_a_file_is_no_socket(play: Player) -> None:
    """Rule 2.1.4; the descriptor stays the caller's."""

    async def scenario() -> None:
        descriptor = os.open(__file__, os.O_RDONLY)
        try:
            refused(lambda: uvnet.Socket(fd=descriptor), TypeError, "ERR_INVALID_FD_TYPE")
            os.fstat(descriptor)
        finally:
            os.close(descriptor)

    play(scenario)


def test_use_after_destroy(play: Player) -> None:
    """Rules 2.4.4, 2.8.3 and decision 8: errors for callbacks, and nothing is raised."""

    async def scenario() -> None:
        server = uvnet.create_server(lambda socket: socket.resume()).listen(0)
        socket = uvnet.connect(server.address().port, "127.0.0.1")
        await event(socket, "connect")
        codes: list[str] = []
        socket.destroy()
        assert socket.write("x", lambda error: codes.append(error.code)) is False
        socket.end("y", lambda error: codes.append(error.code))
        await event(socket, "close")
        assert codes == ["ERR_STREAM_DESTROYED", "ERR_STREAM_DESTROYED"]
        for call in (socket.pause, socket.resume, socket.ref, socket.unref, socket.set_no_delay, socket.destroy):
            assert call() is socket
        assert socket.set_timeout("not even validated") is socket
        assert socket.address() is None
        assert socket.remote_port == server.address().port
        assert socket.ready_state == "closed"
        assert socket.read() is None
        await close(server)

    play(scenario)


def test_objects_of_a_closed_loop_say_so() -> None:
    async def make() -> tuple[Any, Any]:
        return uvnet.create_server(), uvnet.Socket()

    server, socket = uvloop.run(make())
    for call in (
        lambda: server.listen(0),
        lambda: server.close(),
        lambda: socket.connect(1),
        lambda: socket.write(b"x"),
        lambda: socket.end(),
        lambda: socket.destroy(),
    ):
        with pytest.raises(RuntimeError, match="closed"):
            call()


def test_a_socket_object_is_taken_over(play: Player) -> None:
    """A socket.socket wherever Node takes a handle (decision 24)."""

    async def scenario() -> None:
        ours, theirs = plain.socketpair()
        socket = uvnet.Socket(handle=ours)
        assert ours.fileno() == -1
        theirs.sendall(b"hello")
        assert await event(socket, "data") == (b"hello",)
        theirs.close()
        await event(socket, "close")
        listening = plain.socket()
        listening.bind(("127.0.0.1", 0))
        port = listening.getsockname()[1]
        server = uvnet.create_server(lambda socket: socket.end("bye")).listen(listening)
        assert server.address().port == port
        client = uvnet.connect(port, "127.0.0.1")
        assert await event(client, "data") == (b"bye",)
        await event(client, "close")
        await close(server)

    play(scenario)
