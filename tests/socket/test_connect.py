"""connect(): forms, defaults, and connections that do not come about.  Rules 2.2, 2.3 and 2.5."""

from __future__ import annotations

import socket as plain
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from free_ports import free_port
from harness import Player, Transport, close, event, listen
from pairs import Listening, take_over
from waiting import until, upcoming

import uvnet


class Watched:
    """A socket and its events, with their arguments."""

    def __init__(self) -> None:
        self.socket = uvnet.Socket()
        self.events: list[tuple[Any, ...]] = []
        for name in ("lookup", "connect", "ready", "end", "finish", "error", "close"):
            self.socket.on(name, lambda *arguments, name=name: self.events.append((name, *arguments)))

    async def one_error(self) -> OSError:
        """The error of a life that has nothing else, but maybe a 'lookup'."""
        await until(lambda: self.socket.closed)
        events = [event for event in self.events if event[0] != "lookup"]
        assert [event[0] for event in events] == ["error", "close"]
        assert events[1] == ("close", True)
        assert self.socket.errored is events[0][1]
        error = events[0][1]
        assert isinstance(error, OSError)
        return error


def details(error: OSError) -> dict[str, Any]:
    names = ("code", "syscall", "address", "port", "hostname")
    return {name: getattr(error, name) for name in names if hasattr(error, name)}


def test_a_refused_port(play: Player) -> None:
    """Rules 2.3.6 and 2.3.7."""

    async def scenario() -> None:
        with plain.socket() as taken:
            taken.bind(("127.0.0.1", 0))  # bound, and nobody listens
            port = taken.getsockname()[1]
            watched = Watched()
            watched.socket.connect(port, "127.0.0.1")
            error = await watched.one_error()
        assert isinstance(error, ConnectionRefusedError)
        assert error.strerror == f"connect ECONNREFUSED 127.0.0.1:{port}"
        assert details(error) == {
            "code": "ECONNREFUSED",
            "syscall": "connect",
            "address": "127.0.0.1",
            "port": port,
        }

    play(scenario)


@pytest.mark.parametrize(("host", "any_address"), [("127.0.0.1", "0.0.0.0"), ("::1", "::")])
@pytest.mark.parametrize("listens", [True, False])
def test_a_local_port_alone(play: Player, host: str, any_address: str, listens: bool) -> None:
    """Rules 2.3.4 and 2.3.7: of the family that the address has, and an error tells of it."""
    family = plain.AF_INET6 if ":" in host else plain.AF_INET

    async def scenario() -> None:
        with plain.socket(family) as taken:
            try:
                taken.bind((host, 0))
            except OSError:
                pytest.skip(f"{host} is no address here")
            if listens:
                taken.listen()
            port, local_port = taken.getsockname()[1], free_port(any_address)
            watched = Watched()
            watched.socket.connect(port, host, local_port=local_port)
            if listens:
                await event(watched.socket, "connect")
                assert (watched.socket.local_address, watched.socket.local_port) == (host, local_port)
                watched.socket.destroy()
                await until(lambda: watched.socket.closed)
                return
            error: Any = await watched.one_error()
        assert error.strerror == f"connect ECONNREFUSED {host}:{port} - Local ({any_address}:{local_port})"
        assert (error.local_address, error.local_port) == (any_address, local_port)

    play(scenario)


def test_a_local_address_alone(play: Player) -> None:
    async def scenario() -> None:
        server = uvnet.create_server(lambda peer: peer.end()).listen(0, "127.0.0.1")
        await event(server, "listening")
        async with await uvnet.open_connection(
            server.address().port, "127.0.0.1", local_address="127.0.0.5"
        ) as socket:
            assert socket.local_address == "127.0.0.5"
        await close(server)

    play(scenario)


@pytest.mark.parametrize(("local_address", "code"), [("192.0.2.1", "EADDRNOTAVAIL"), ("::1", "EINVAL")])
def test_a_local_address_that_cannot_be(play: Player, local_address: str, code: str) -> None:
    """Of nobody here, or of another family than the address to connect to."""

    async def scenario() -> None:
        watched = Watched()
        watched.socket.connect(1, "127.0.0.1", local_address=local_address)
        error = await watched.one_error()
        told = details(error)
        assert (told["code"], told["syscall"], told["address"]) == (code, "bind", local_address)

    play(scenario)


@pytest.mark.parametrize("host", [None, ""])
def test_no_host_is_localhost(play: Player, host: str | None) -> None:
    async def scenario() -> None:
        asked: list[str] = []
        watched = Watched()
        watched.socket.connect(1, host, lookup=lambda name, _, done: (asked.append(name), done(OSError())))
        await watched.one_error()
        assert asked == ["localhost"]

    play(scenario)


def test_a_missing_path(play: Player, tmp_path: Path) -> None:
    """Rules 2.3.4 and 2.3.7: reported later, with the path as the address."""

    async def scenario() -> None:
        path = str(tmp_path / "nobody")
        watched = Watched()
        watched.socket.connect(path)
        assert watched.events == []
        assert watched.socket.connecting
        error = await watched.one_error()
        assert isinstance(error, FileNotFoundError)
        assert error.strerror == f"connect ENOENT {path}"
        assert details(error) == {"code": "ENOENT", "syscall": "connect", "address": path}

    play(scenario)


def test_a_path_that_is_no_socket(play: Player, tmp_path: Path) -> None:
    """Rule 2.3.8."""

    async def scenario() -> None:
        path = tmp_path / "file"
        path.write_bytes(b"")
        watched = Watched()
        watched.socket.connect(str(path))
        error = await watched.one_error()
        assert details(error).pop("code") in ("ECONNREFUSED", "ENOTSOCK")
        assert (error.syscall, error.address) == ("connect", str(path))  # type: ignore[attr-defined]

    play(scenario)


def test_an_overlong_path(play: Player, tmp_path: Path) -> None:
    """Decision 11 and rule 2.3.4: an error with the path and the limit, as an event."""

    async def scenario() -> None:
        path = str(tmp_path / ("x" * 120))
        watched = Watched()
        watched.socket.connect(path)
        assert watched.events == []
        error = await watched.one_error()
        assert details(error) == {"code": "EINVAL", "syscall": "connect", "address": path}
        assert f"connect EINVAL {path}" in str(error)
        assert "107" in str(error)

    play(scenario)


def test_a_name_that_does_not_exist(play: Player) -> None:
    """Rules 2.3.3 and 0.2.6, with the system's own look-up."""

    async def scenario() -> None:
        host = "no-such-host.invalid"
        watched = Watched()
        watched.socket.connect(80, host)
        error = await watched.one_error()
        assert isinstance(error, plain.gaierror)
        # Where there is no name server at all the answer is another one.
        assert error.code in ("ENOTFOUND", "EAI_AGAIN")  # type: ignore[attr-defined]
        assert error.strerror == f"getaddrinfo {error.code} {host}"  # type: ignore[attr-defined]
        assert details(error) == {
            "code": error.code,  # type: ignore[attr-defined]
            "syscall": "getaddrinfo",
            "hostname": host,
        }
        assert watched.events[0] == ("lookup", error, None, None, host)

    play(scenario)


@pytest.mark.parametrize("arguments", [({"path": 7},), (-1,), (80, 5), ({"port": 80, "local_address": "x"},)])
def test_a_refused_call_changes_nothing(
    play: Player, transport: Transport, arguments: tuple[Any, ...]
) -> None:
    """Rule 2.2.3 and decision 6: the socket can be connected afterwards, and no listener was added."""

    async def scenario() -> None:
        server = await listen(uvnet.create_server(lambda peer: peer.end("hello")), transport)
        socket = uvnet.Socket()
        called: list[str] = []
        with pytest.raises((TypeError, ValueError)):
            socket.connect(*arguments, lambda: called.append("wrong"))
        assert (socket.connecting, socket.pending, socket.ready_state) == (False, True, "open")
        socket.connect(*transport.connect_arguments(server), lambda: called.append("right"))
        assert await event(socket, "data") == (b"hello",)
        await event(socket, "close")
        assert called == ["right"]
        await close(server)

    play(scenario)


def test_an_empty_path_is_none(play: Player) -> None:
    """Rules 2.2.4, 2.2.5 and 2.2.6: it means port 0 of localhost, which is refused."""

    async def scenario() -> None:
        watched = Watched()
        watched.socket.connect(path="")
        error = await watched.one_error()
        assert error.syscall == "connect"  # type: ignore[attr-defined]
        assert not hasattr(error, "port")
        assert [event[4] for event in watched.events if event[0] == "lookup"].count("localhost") >= 1

    play(scenario)


def test_an_empty_path_leaves_the_port(play: Player) -> None:
    """Rule 2.2.4."""

    async def scenario() -> None:
        server = uvnet.create_server(lambda peer: peer.end()).listen(0, "127.0.0.1")
        await event(server, "listening")
        port = server.address().port
        async with await uvnet.open_connection(path="", port=port, host="127.0.0.1") as socket:
            assert socket.remote_port == port
        await close(server)

    play(scenario)


def test_a_path_wins_over_a_port(play: Player, tmp_path: Path) -> None:
    """Rule 2.2.4: the opposite of listen()."""

    async def scenario() -> None:
        watched = Watched()
        watched.socket.connect(path=str(tmp_path / "nobody"), port=1)
        assert (await watched.one_error()).code == "ENOENT"  # type: ignore[attr-defined]

    play(scenario)


@pytest.mark.parametrize("host", [None, "", "left out"])
def test_the_host_is_localhost(play: Player, host: str | None) -> None:
    """Rule 2.2.6."""

    async def scenario() -> None:
        server = uvnet.create_server(lambda peer: peer.end()).listen(0)
        hosts: list[str] = []

        def lookup(name: str, query: dict[str, Any], callback: Any) -> None:
            hosts.append(name)
            callback(None, [("127.0.0.1", 4)])

        options = {} if host == "left out" else {"host": host}
        socket = uvnet.connect({"port": server.address().port, "lookup": lookup, **options})
        socket.resume()
        await event(socket, "close")
        assert hosts == ["localhost"]
        await close(server)

    play(scenario)


@pytest.fixture
def defaults() -> Iterator[None]:
    """What a test sets is taken back."""
    family = uvnet.get_default_auto_select_family()
    timeout = uvnet.get_default_auto_select_family_attempt_timeout()
    yield
    uvnet.set_default_auto_select_family(family)
    uvnet.set_default_auto_select_family_attempt_timeout(timeout)


@pytest.mark.parametrize("default", [True, False])
def test_all_addresses_or_one_by_default(play: Player, defaults: None, default: bool) -> None:
    """Rule 8.1.1: what connect() is told itself comes first."""

    async def scenario() -> None:
        uvnet.set_default_auto_select_family(default)
        assert uvnet.get_default_auto_select_family() is default
        asked: list[bool] = []

        def lookup(_host: str, query: dict[str, Any], callback: Any) -> None:
            asked.append(query["all"])
            callback(OSError("none"))

        for option in ({}, {"auto_select_family": None}, {"auto_select_family": True}, {"auto_select_family": False}):
            watched = Watched()
            watched.socket.connect(1, "somewhere.invalid", lookup=lookup, **option)
            await watched.one_error()
        assert asked == [default, default, True, False]

    play(scenario)


def test_defaults_of_several_addresses(defaults: None) -> None:
    """Rule 8.1.1: those of Node, and what cannot be one is refused."""
    assert uvnet.get_default_auto_select_family() is True
    assert uvnet.get_default_auto_select_family_attempt_timeout() == 0.25
    wrong_family: Any
    for wrong_family in (None, 1, "x"):
        with pytest.raises(TypeError) as caught:
            uvnet.set_default_auto_select_family(wrong_family)
        assert caught.value.code == "ERR_INVALID_ARG_TYPE"  # type: ignore[attr-defined]
    wrong_time: Any
    for wrong_time, kind in ((None, TypeError), ("x", TypeError), (True, TypeError), (0, ValueError), (-1, ValueError)):
        with pytest.raises(kind):
            uvnet.set_default_auto_select_family_attempt_timeout(wrong_time)
    assert uvnet.get_default_auto_select_family() is True
    assert uvnet.get_default_auto_select_family_attempt_timeout() == 0.25
    uvnet.set_default_auto_select_family_attempt_timeout(2)
    assert uvnet.get_default_auto_select_family_attempt_timeout() == 2
    uvnet.set_default_auto_select_family_attempt_timeout(0.001)
    assert uvnet.get_default_auto_select_family_attempt_timeout() == 0.01


def test_connect_goes_through_the_method(play: Player, transport: Transport) -> None:
    """Rule 2.2.1: a subclass may override connect(); a listener given to it is called once."""

    async def scenario() -> None:
        server = await listen(uvnet.create_server(lambda peer: peer.end()), transport)
        calls: list[str] = []

        class Mine(uvnet.Socket):
            def connect(self, *arguments: Any, **keywords: Any) -> Any:
                calls.append("connect")
                return super().connect(*arguments, **keywords)

        socket = Mine()
        assert socket.connect(*transport.connect_arguments(server), lambda: calls.append("done")) is socket
        socket.resume()
        await event(socket, "close")
        assert calls == ["connect", "done"]
        assert socket.listener_count("connect") == 0
        await close(server)

    play(scenario)


def test_addresses_asked_for_too_early(play: Player) -> None:
    """Rule 2.5.3: None while connecting, and right afterwards."""

    async def scenario() -> None:
        server = uvnet.create_server(lambda peer: peer.end()).listen(0, "127.0.0.1")
        await event(server, "listening")
        socket = uvnet.connect(server.address().port, "127.0.0.1")
        assert (socket.remote_address, socket.remote_port, socket.remote_family) == (None, None, None)
        assert (socket.local_address, socket.local_port, socket.address()) == (None, None, None)
        await event(socket, "connect")
        assert (socket.remote_address, socket.remote_family) == ("127.0.0.1", "IPv4")
        assert socket.remote_port == server.address().port
        socket.resume()
        await event(socket, "close")
        assert socket.remote_port == server.address().port
        await close(server)

    play(scenario)


def test_a_unix_socket_has_no_addresses(play: Player, transport: Transport) -> None:
    """Rule 2.5.4: on both sides."""

    async def scenario() -> None:
        socket, peer = take_over(transport.kind)
        found = [socket.address(), socket.local_address, socket.local_port, socket.local_family]
        found += [socket.remote_address, socket.remote_port, socket.remote_family]
        assert [value is None for value in found] == [transport.kind == "unix"] * 7
        socket.destroy()
        await event(socket, "close")
        peer.close()

    play(scenario)


def test_fifty_lives(play: Player, transport: Transport) -> None:
    """Rules 2.14.1 and 2.14.2: one socket, connected from its 'close' listener again and again."""

    async def scenario() -> None:
        lives = 50
        with Listening.on(transport) as listening:
            watched = Watched()
            socket = watched.socket
            socket.on("data", lambda chunk: socket.end())
            for life in range(lives):
                socket.connect(*listening.where)
                assert (socket.destroyed, socket.bytes_read, socket.bytes_written) == (False, 0, 0)
                closed = upcoming(socket, "close")
                await event(socket, "connect")
                peer = listening.accept()
                peer.send(b"%d" % life)
                if life % 2:
                    await event(socket, "finish")
                peer.close()
                assert await closed == (False,)
        names = [event[0] for event in watched.events]
        assert {name: names.count(name) for name in set(names)} == {
            "connect": lives,
            "ready": lives,
            "end": lives,
            "finish": lives,
            "close": lives,
        }

    play(scenario)


def test_an_error_of_the_life_before(play: Player, transport: Transport) -> None:
    """Rules 2.11.5 and 2.14.2: it comes late, and takes nothing from the new life, whose own error comes too."""

    async def scenario() -> None:
        with Listening.on(transport) as listening:
            watched = Watched()
            socket = watched.socket
            first, second = ConnectionAbortedError("first"), ConnectionAbortedError("second")
            socket.connect(*listening.where).destroy(first)
            socket.connect(*listening.where)
            await event(socket, "ready")
            listening.accept().close()
            assert (socket.readable, socket.writable, socket.ready_state) == (True, True, "open")
            socket.destroy(second)
            await until(lambda: watched.events.count(("close", True)) == 2)
            names = [name for name, *_ in watched.events if name != "close"]
            assert names == ["error", "connect", "ready", "error"]
            assert [values for name, *values in watched.events if name == "error"] == [[first], [second]]
            while True:
                try:
                    listening.accept().close()
                except BlockingIOError:
                    break

    play(scenario)


def test_a_callback_of_the_old_life_connects(play: Player, transport: Transport) -> None:
    """Rule 2.14.2: what the old life owes is paid inside connect(); the callback's connection is the one."""

    async def scenario() -> None:
        server = await listen(uvnet.create_server(lambda peer: peer.resume()), transport)
        arguments = transport.connect_arguments(server)
        socket = uvnet.Socket().connect(*arguments)
        refused: list[str] = []

        def connect() -> None:
            try:
                socket.connect(*arguments)
            except OSError as error:
                refused.append(error.code)

        socket.write(b"never sent", lambda _error: connect())
        socket.destroy()
        connect()
        await event(socket, "ready")
        assert refused == ["EALREADY"]
        socket.destroy()
        await event(socket, "close")
        await close(server)

    play(scenario)
