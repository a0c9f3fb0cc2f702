"""Servers on what somebody else has opened: descriptors, socket.socket, other servers (rule 1.7)."""

from __future__ import annotations

import errno
import os
import socket as plain
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from descriptors import open_sockets, queue_length
from harness import Player, Transport, close, event, listen
from waiting import turns

import uvnet


def bound(transport: Transport) -> plain.socket:
    """A socket of Python's that is bound and does not listen."""
    if transport.kind == "unix":
        made = plain.socket(plain.AF_UNIX)
        made.bind(transport.path)
    else:
        made = plain.socket()
        made.bind(("127.0.0.1", 0))
    return made


def where(made: plain.socket) -> tuple[Any, ...]:
    name = made.getsockname()
    return (name,) if isinstance(name, str) else (name[1], "127.0.0.1")


async def greeted(*address: Any) -> bytes:
    client = uvnet.connect(*address)
    (chunk,) = await event(client, "data")
    await event(client, "close")
    return chunk


def greeter() -> uvnet.Server:
    return uvnet.create_server(lambda socket: socket.end(b"hello"))


class Holder:
    """An object with a descriptor, as Node's handles have one."""

    def __init__(self, descriptor: int) -> None:
        self.fd = descriptor


FORMS: dict[str, Callable[[plain.socket], tuple[tuple[Any, ...], dict[str, Any]]]] = {
    "fd=": lambda made: ((), {"fd": made.detach()}),
    "{fd}": lambda made: (({"fd": made.detach()},), {}),
    "{fd}, exclusive": lambda made: (({"fd": made.detach(), "exclusive": True},), {}),
    "object with fd": lambda made: ((Holder(made.detach()),), {}),
    "socket": lambda made: ((made,), {}),
    "handle=": lambda made: ((), {"handle": made}),
    "{handle}": lambda made: (({"handle": made},), {}),
    "handle, host and flags": lambda made: (
        (),
        {"handle": made, "host": "192.0.2.1", "ipv6_only": True},
    ),
}


@pytest.mark.parametrize("listens", [False, True], ids=["bound", "listening"])
@pytest.mark.parametrize("form", FORMS)
def test_forms(play: Player, transport: Transport, form: str, listens: bool) -> None:
    """Rules 1.7.1 and 1.7.3: the family is found out, and host and flags do not matter."""

    async def scenario() -> None:
        before = open_sockets()
        made = bound(transport)
        address = where(made)
        if listens:
            made.listen()
        arguments, keywords = FORMS[form](made)
        called: list[str] = []
        server = greeter().listen(*arguments, **keywords, callback=lambda: called.append("listening"))
        assert server.listening
        assert made.fileno() == -1
        await event(server, "listening")
        assert called == ["listening"]
        assert await greeted(*address) == b"hello"
        await close(server)
        # Ownership has moved.
        assert open_sockets().items() <= before.items()

    play(scenario)


def test_the_address_of_an_adopted_path(play: Player, tmp_path: Path) -> None:
    """Rules 1.7.1 and 1.6.5: the path is known from a socket.socket; the file is not ours."""

    async def scenario() -> None:
        path = str(tmp_path / "socket")
        made = plain.socket(plain.AF_UNIX)
        made.bind(path)
        server = greeter().listen(made)
        assert server.address() == path
        await close(server)
        assert os.path.exists(path)

    play(scenario)


@pytest.mark.parametrize("form", ["positional", "option"])
def test_the_backlog(play: Player, tmp_path: Path, form: str) -> None:
    """Rule 1.7.3."""

    async def scenario() -> None:
        made = plain.socket(plain.AF_UNIX)
        made.bind(str(tmp_path / "socket"))
        server = uvnet.create_server()
        if form == "positional":
            server.listen(made, 3)
        else:
            server.listen(fd=made.detach(), backlog=3)
        assert queue_length(tmp_path / "socket", 20) == 4
        await close(server)

    play(scenario)


@pytest.mark.parametrize("kind", ["closed", "file", "udp", "directory"])
def test_no_socket_to_listen_on(play: Player, tmp_path: Path, kind: str) -> None:
    """Rules 1.5 and 1.7.1: an 'error' (EINVAL), and the descriptor stays the caller's."""

    async def scenario() -> None:
        if kind == "closed":
            descriptor = 9999
        elif kind == "udp":
            descriptor = plain.socket(type=plain.SOCK_DGRAM).detach()
        else:
            descriptor = os.open(tmp_path if kind == "directory" else os.devnull, os.O_RDONLY)
        server = uvnet.create_server().listen(fd=descriptor)
        assert not server.listening
        (error,) = await event(server, "error")
        assert (error.errno, error.code, error.syscall) == (errno.EINVAL, "EINVAL", "listen")
        assert server.address() is None
        if kind != "closed":
            os.close(descriptor)

    play(scenario)


def test_a_pipe_of_the_shell(play: Player) -> None:
    """Rules 1.5 and 1.7.1: it is no socket, and stays the caller's."""

    async def scenario() -> None:
        descriptor, other = os.pipe()
        (error,) = await event(uvnet.create_server().listen(fd=descriptor), "error")
        assert error.code == "EINVAL"
        os.close(descriptor)
        os.close(other)

    play(scenario)


def test_a_closed_socket_object(play: Player) -> None:
    """Rule 1.7.1."""

    async def scenario() -> None:
        made = plain.socket()
        made.close()
        (error,) = await event(uvnet.create_server().listen(made), "error")
        assert error.code == "EINVAL"

    play(scenario)


def test_a_datagram_socket_stays_its_owner_s(play: Player) -> None:
    """Rule 1.7.1."""

    async def scenario() -> None:
        with plain.socket(type=plain.SOCK_DGRAM) as made:
            made.bind(("127.0.0.1", 0))
            (error,) = await event(uvnet.create_server().listen(made), "error")
            assert error.code == "EINVAL"
            assert made.getsockname()[1]

    play(scenario)


def test_another_server(play: Player, transport: Transport) -> None:
    """Rule 1.7.2: it is taken over, with the path; the other one no longer listens."""

    async def scenario() -> None:
        first = await listen(greeter(), transport)
        address = first.address()
        second = uvnet.create_server(lambda socket: socket.end(b"second"))
        second.listen(first)
        assert second.listening
        assert second.address() == address
        assert not first.listening
        assert first.address() is None
        assert await greeted(*transport.connect_arguments(second)) == b"second"
        await close(second)
        assert not os.path.lexists(transport.path)
        # Free again, in every sense.
        await listen(first, transport)
        await close(first)

    play(scenario)


def test_another_server_that_does_not_listen(play: Player) -> None:
    """Rule 1.7.2."""

    async def scenario() -> None:
        (error,) = await event(uvnet.create_server().listen(uvnet.create_server()), "error")
        assert error.code == "EINVAL"

    play(scenario)


def test_a_server_that_listens_on_itself(play: Player) -> None:
    """Rule 1.3.3: it listens already."""

    async def scenario() -> None:
        server = uvnet.create_server().listen(0)
        with pytest.raises(uvnet.NetRuntimeError) as caught:
            server.listen(server)
        assert caught.value.code == "ERR_SERVER_ALREADY_LISTEN"
        assert server.listening
        await close(server)
        (error,) = await event(server.listen(server), "error")
        assert error.code == "EINVAL"

    play(scenario)


@pytest.mark.parametrize("handle", [[], (1,), object(), Holder("3")])  # type: ignore[arg-type]
def test_what_is_no_handle(play: Player, handle: Any) -> None:
    """Rule 1.3.2."""

    async def scenario() -> None:
        server = uvnet.create_server()
        with pytest.raises(uvnet.NetValueError) as caught:
            server.listen(handle)
        assert caught.value.code == "ERR_INVALID_ARG_VALUE"
        with pytest.raises((TypeError, ValueError)):
            server.listen(handle=handle)
        assert not server.listening

    play(scenario)


def test_a_connected_socket_cannot_listen(play: Player) -> None:
    """Rule 1.7.1: an 'error', and nothing is left open."""

    async def scenario() -> None:
        before = open_sockets()
        ours, theirs = plain.socketpair()
        (error,) = await event(uvnet.create_server().listen(ours), "error")
        assert error.code == "EINVAL"
        theirs.close()
        ours.close()
        assert open_sockets().items() <= before.items()

    play(scenario)


def test_a_socket_of_ours(play: Player, transport: Transport) -> None:
    """Rule 1.7: its descriptor goes over to the server."""

    async def scenario() -> None:
        made = bound(transport)
        address = where(made)
        socket = uvnet.Socket(fd=made.detach(), readable=False, writable=False)
        server = uvnet.create_server(lambda client: client.end("hello")).listen(socket)
        assert server.listening and socket.pending
        assert await greeted(*address) == b"hello"
        await close(server)

    play(scenario)


def test_a_socket_that_cannot_listen(play: Player) -> None:
    """Rule 1.5: a connected one gives 'error'; one without a connection is refused at the call."""

    async def scenario() -> None:
        ours, theirs = plain.socketpair()
        (error,) = await event(uvnet.create_server().listen(uvnet.Socket(fd=ours.detach())), "error")
        assert (error.code, error.syscall) == ("EINVAL", "listen")
        theirs.close()
        server = uvnet.create_server()
        with pytest.raises(uvnet.NetRuntimeError) as caught:
            server.listen(uvnet.Socket())
        assert caught.value.code == "ERR_SOCKET_CLOSED"
        assert not server.listening

    play(scenario)


@pytest.mark.parametrize("rest", [(), (None,), (5,), (5, None), (len,), (5, len)], ids=str)
def test_what_follows_a_handle(play: Player, rest: tuple[Any, ...]) -> None:
    """listen(handle[, backlog][, callback])."""

    async def scenario() -> None:
        with plain.socket() as made:
            made.bind(("127.0.0.1", 0))
            called: list[str] = []
            # `len` stands for a callback.
            arguments = [(lambda: called.append("callback")) if each is len else each for each in rest]
            server = uvnet.create_server().listen(made, *arguments)
            await turns()
            assert server.listening
            assert called == (["callback"] if len in rest else [])
            await close(server)

    play(scenario)


@pytest.mark.parametrize("rest", [("x",), (5, "x"), (None, "x"), (5, 5), (True,)], ids=str)
def test_what_no_form_has(play: Player, rest: tuple[Any, ...]) -> None:
    async def scenario() -> None:
        with plain.socket() as made:
            made.bind(("127.0.0.1", 0))
            server = uvnet.create_server()
            with pytest.raises(TypeError, match="does not know what to do with"):
                server.listen(made, *rest)
            assert not server.listening and made.fileno() >= 0

    play(scenario)
