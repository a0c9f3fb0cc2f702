"""What objects and errors say of themselves: repr(), what is logged, and that they cannot be pickled."""

from __future__ import annotations

import copy
import inspect
import os
import pickle
import re
import socket as plain
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from harness import Player, Transport, close, event, listen
from places import DOCS, ISOLATED, SUPPORT
from waiting import until

import uvnet
from uvnet._accept.proxy_protocol import ProxyProtocolError
from uvnet.errors import codes
from uvnet.errors.system import lookup_error, system_error

REFERENCE = DOCS / "reference.md"

# === Errors ===

ARGUMENTS: dict[str, Any] = {"method": "write", "limit": 10, "name": "options.x", "code": "EBADF"}

# What quic_error() is given, but for the many reasons of OpenSSL's.
QUIC = (
    "ERROR", "FAILED_TO_CREATE_SESSION", "INVALID_REMOTE_TRANSPORT_PARAMS", "INVALID_TLS_SESSION_TICKET",
    "VERSION_NEGOTIATION",
)  # fmt: skip


def made() -> Iterator[tuple[str, BaseException]]:
    """Every error that uvnet.errors.codes makes, with the function."""
    for name, function in vars(codes).items():
        if not inspect.isfunction(function) or function.__module__ != codes.__name__:
            continue
        if function is codes.quic_error:
            yield from ((f"{name} {code}", function(code, "x", detail=5)) for code in QUIC)
            continue
        wanted = [
            ARGUMENTS.get(parameter.name, "x")
            for parameter in inspect.signature(function).parameters.values()
            if parameter.default is parameter.empty
        ]
        made = function(*wanted)
        if isinstance(made, BaseException):
            yield name, made


MADE = dict(made())
OTHERS: dict[str, BaseException] = {
    "system_error": system_error(-2, "connect", "/tmp/x"),
    "system_error of a port": system_error(-98, "listen", "::", 80, True),
    "lookup_error": lookup_error(-3008, "nowhere"),
    "ProxyProtocolError": ProxyProtocolError("no header"),
}


def test_all_are_found() -> None:
    assert len(MADE) > 25
    assert MADE["premature_close"].code == "ERR_STREAM_PREMATURE_CLOSE"  # type: ignore[attr-defined]


@pytest.mark.parametrize("name", [*MADE, *OTHERS])
def test_an_error_can_be_sent_to_another_process(name: str) -> None:
    error = {**MADE, **OTHERS}[name]
    ways: list[Callable[[Any], Any]] = [copy.copy, copy.deepcopy]
    ways += [
        lambda error, protocol=protocol: pickle.loads(pickle.dumps(error, protocol))
        for protocol in range(pickle.HIGHEST_PROTOCOL + 1)
    ]
    for way in ways:
        same = way(error)
        assert type(same) is type(error)
        assert str(same) == str(error)
        assert same.args == error.args
        assert vars(same) == vars(error)


@pytest.mark.parametrize("name", MADE)
def test_the_reference_says_the_type_of_each_code(name: str) -> None:
    error = MADE[name]
    code = getattr(error, "code", None)
    if code is None or not code.startswith("ERR_"):
        return
    (row,) = re.findall(rf"^\| `{code}` \| `(\w+)` \| (.+) \|$", REFERENCE.read_text(), re.MULTILINE)
    assert row[0] == type(error).__name__


def test_the_reference_has_no_code_that_there_is_not() -> None:
    listed = re.findall(r"^\| `(ERR_\w+)` \|", REFERENCE.read_text(), re.MULTILINE)
    assert len(listed) == len(set(listed))
    assert set(listed) == {
        error.code
        for error in (*MADE.values(), OTHERS["ProxyProtocolError"])
        if getattr(error, "code", "").startswith("ERR_")
    }


# === Pickling ===


def test_what_cannot_be_pickled_says_so_by_its_name() -> None:
    process = subprocess.run(
        [sys.executable, "-X", "dev", "-W", "error", str(ISOLATED / "pickling.py")],
        env={**os.environ, "PYTHONPATH": f"{Path(uvnet.__file__).parent.parent}{os.pathsep}{SUPPORT}"},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert process.stderr == ""
    assert process.stdout.splitlines()[-1:] == ["done"], process.stdout


def test_a_subclass_may_know_better(play: Player) -> None:
    async def scenario() -> None:
        copied = copy.copy(Copied())
        assert isinstance(copied, Copied)

    play(scenario)


class Copied(uvnet.Socket):
    def __reduce__(self) -> tuple[Any, ...]:
        return Copied, ()


# === repr() ===


class Own(uvnet.Server):
    pass


def test_repr_of_a_server(play: Player, tmp_path: Path) -> None:
    async def scenario() -> None:
        server = Own()
        assert repr(server) == "<Own not listening>"
        for host in ("127.0.0.1", "0.0.0.0", "::1", "::"):
            server.listen(0, host)
            await event(server, "listening")
            port = server.address().port
            written = f"[{host}]" if ":" in host else host
            assert repr(server) == f"<Own listening on {written}:{port}>"
            await close(server)
        server.listen(tmp_path / "here")
        assert repr(server) == f"<Own listening on {tmp_path / 'here'}>"
        await close(server)

    play(scenario)


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_repr_of_a_socket(play: Player, host: str) -> None:
    async def scenario() -> None:
        written = f"[{host}]" if ":" in host else host
        server = uvnet.create_server(lambda socket: socket.resume()).listen(0, host)
        await event(server, "listening")
        socket = uvnet.Socket()
        assert repr(socket) == "<Socket not connected>"
        socket.connect(server.address().port, host)
        assert repr(socket) == f"<Socket connecting to {written}:{server.address().port}>"
        await event(socket, "connect")
        names = f"{written}:{socket.local_port} - {written}:{socket.remote_port}"
        assert repr(socket) == f"<Socket open {names}>"
        socket.end()
        assert repr(socket) == f"<Socket readOnly {names}>"
        await event(socket, "close")
        assert repr(socket) == f"<Socket closed {names}>"
        await close(server)

    play(scenario)


def test_repr_of_a_unix_socket(play: Player, tmp_path: Path) -> None:
    async def scenario() -> None:
        server = uvnet.create_server(lambda socket: socket.resume()).listen(tmp_path / "here")
        socket = uvnet.connect(tmp_path / "here")
        assert repr(socket) == f"<Socket connecting to {tmp_path / 'here'}>"
        await event(socket, "connect")
        assert repr(socket) == "<Socket open>"
        socket.destroy()
        await event(socket, "close")
        assert repr(socket) == "<Socket closed>"
        await close(server)

    play(scenario)


def test_repr_of_a_socket_that_is_never_connected(play: Player) -> None:
    async def scenario() -> None:
        socket = uvnet.Socket()
        socket.write("it waits")
        assert repr(socket) == "<Socket not connected>"
        socket.on("error", lambda _: None)
        socket.connect(80, "nowhere.example", lookup=lambda *_: None)
        assert repr(socket) == "<Socket connecting to nowhere.example:80>"
        socket.destroy()
        assert repr(socket) == "<Socket closed>"
        await event(socket, "close")

    play(scenario)


# === What is logged ===


@pytest.mark.parametrize("kind", ["plain", "async"])
def test_a_failing_connection_listener_is_reported_with_the_peer(
    play: Player, transport: Transport, kind: str
) -> None:
    def fails(socket: uvnet.Socket) -> None:
        raise LookupError("in the listener")

    async def fails_later(socket: uvnet.Socket) -> None:
        raise LookupError("in the listener")

    async def scenario() -> tuple[Any, ...]:
        server = await listen(uvnet.create_server(fails if kind == "plain" else fails_later), transport)
        client = uvnet.connect(*transport.connect_arguments(server))
        client.on("error", lambda _: None)
        client.resume()
        await event(client, "connect")
        port = client.local_port
        await until(lambda: play.reported)
        if not client.closed:
            await event(client, "close")
        await close(server)
        return server, port

    server, port = play(scenario)
    play.expect_report(LookupError)
    (context,) = play.reported
    assert context["source"] is server
    assert isinstance(context["connection"], uvnet.Socket)
    assert context["connection"].remote_port == port


def test_the_log_shows_the_peer(caplog: pytest.LogCaptureFixture) -> None:
    """By the exception handler that a loop has of itself."""

    def fails(socket: uvnet.Socket) -> None:
        server.close()
        raise LookupError("in the listener")

    server = uvnet.create_server(fails).listen(0)
    client = plain.create_connection(("127.0.0.1", server.address().port))
    with client:
        uvnet.run()
        names = f"[::ffff:127.0.0.1]:{client.getpeername()[1]} - [::ffff:127.0.0.1]:{client.getsockname()[1]}"
    assert "exception in a listener of Server" in caplog.text
    assert f"connection: <Socket open {names}>" in caplog.text


def test_a_server_whose_descriptor_is_somebody_elses(play: Player) -> None:
    """repr() never raises; what has happened is an 'error' as soon as it is noticed."""

    async def scenario() -> None:
        listening = plain.create_server(("127.0.0.1", 0))
        server = uvnet.create_server()
        server.listen(fd=listening.fileno())
        await event(server, "listening")
        ours, theirs = plain.socketpair()
        os.dup2(ours.fileno(), listening.fileno())
        with pytest.raises(OSError, match="EINVAL"):
            server.address()
        assert repr(server) == "<Server listening>"
        server.once("error", lambda error: None)
        server.close()
        await event(server, "close")
        listening.close()
        ours.close()
        theirs.close()

    play(scenario)
