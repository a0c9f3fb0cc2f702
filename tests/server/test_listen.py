"""listen(): its forms, its order of decisions, its errors (rules 1.2 to 1.5)."""

from __future__ import annotations

import errno
import os
import socket as plain
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from descriptors import open_sockets, option_of, queue_length
from harness import Player, close, event

import uvnet


@pytest.mark.parametrize(
    "listen",
    [
        lambda server, callback: server.listen(0, callback),
        lambda server, callback: server.listen(0, "127.0.0.1", callback),
        lambda server, callback: server.listen(0, "127.0.0.1", 5, callback),
        lambda server, callback: server.listen(0, 5, callback),
        lambda server, callback: server.listen(callback),
        lambda server, callback: server.listen(None, callback),
        lambda server, callback: server.listen({"port": 0}, callback),
        lambda server, callback: server.listen(port=0, callback=callback),
        lambda server, callback: server.listen("0", callback),
        lambda server, callback: server.listen({"port": 0, "callback": callback}),
    ],
)
def test_forms_with_a_callback(play: Player, listen: Callable[[uvnet.Server, Any], Any]) -> None:
    """Rules 1.2.1 and 1.2.5: the last function is called once at 'listening'."""

    async def scenario() -> None:
        server = uvnet.create_server()
        called: list[tuple[Any, ...]] = []
        assert listen(server, lambda *arguments: called.append(arguments)) is server
        await event(server, "listening")
        assert called == [()]
        assert server.listener_count("listening") == 0
        await close(server)

    play(scenario)


def test_a_mapping_is_left_alone(play: Player) -> None:
    """Rule 1.2.1, but the caller's mapping is not written to."""

    async def scenario() -> None:
        given: dict[str, Any] = {"port": None}
        server = uvnet.create_server().listen(given)
        assert server.listening
        assert given == {"port": None}
        await close(server)

    play(scenario)


@pytest.mark.parametrize("name", ["-1x", "abc", "-1", "0x", "8080x", "1e", "0b2", "١"])
def test_texts_that_are_paths(
    play: Player, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rule 1.2.2: a text that is no number >= 0."""
    monkeypatch.chdir(tmp_path)

    async def scenario() -> None:
        server = uvnet.create_server().listen(name)
        assert server.address() == name
        assert (tmp_path / name).is_socket()
        await close(server)

    play(scenario)


@pytest.mark.parametrize("host", [None, "127.0.0.1", "localhost"])
def test_the_port(play: Player, host: str | None) -> None:
    """Node: server.address().port, where there is one."""

    async def scenario() -> None:
        server = uvnet.create_server()
        assert server.port is None
        server.listen(0, host)
        if host is not None:
            # It is looked up first.
            assert server.port is None
            await event(server, "listening")
        assert server.port == server.address().port > 0
        await close(server)
        assert server.port is None

    play(scenario)


def test_a_unix_socket_has_no_port(play: Player, tmp_path: Path) -> None:
    async def scenario() -> None:
        server = uvnet.create_server().listen(tmp_path / "here")
        assert server.listening
        assert server.port is None
        await close(server)

    play(scenario)


@pytest.mark.parametrize("text", ["0", " 0 ", "0x0", "0b0", "0o0", "0.0", "0e5", "-0"])
def test_texts_that_are_ports(play: Player, text: str) -> None:
    """Rule 1.2.2."""

    async def scenario() -> None:
        server = uvnet.create_server().listen(text)
        assert server.address().port > 0
        await close(server)

    play(scenario)


@pytest.mark.parametrize(
    ("arguments", "keywords", "backlog"),
    [
        ((3,), {}, 3),
        ((), {"backlog": 4}, 4),
        ((3,), {"backlog": 4}, 4),
        ((), {"backlog": "5"}, 5),
    ],
)
def test_the_backlog(
    play: Player, tmp_path: Path, arguments: tuple[Any, ...], keywords: dict[str, Any], backlog: int
) -> None:
    """Rule 1.2.3; the kernel takes one more than the backlog."""

    async def scenario() -> None:
        server = uvnet.create_server().listen(str(tmp_path / "socket"), *arguments, **keywords)
        assert queue_length(tmp_path / "socket", 20) == backlog + 1
        await close(server)

    play(scenario)


@pytest.mark.parametrize("keywords", [{}, {"backlog": 0}, {"backlog": None}, {"backlog": "0"}])
def test_the_backlog_where_none_is_given(
    play: Player, tmp_path: Path, keywords: dict[str, Any]
) -> None:
    """Rule 1.2.3: 511."""

    async def scenario() -> None:
        server = uvnet.create_server().listen(str(tmp_path / "socket"), **keywords)
        most = min(512, int(Path("/proc/sys/net/core/somaxconn").read_text()) + 1)
        assert queue_length(tmp_path / "socket", 520) == most
        await close(server)

    play(scenario)


def test_the_order_of_decisions(play: Player, tmp_path: Path) -> None:
    """Rule 1.2.4: a descriptor, a port, a path."""
    path = str(tmp_path / "socket")

    async def scenario() -> None:
        bound = plain.socket()
        bound.bind(("127.0.0.1", 0))
        port = bound.getsockname()[1]
        server = uvnet.create_server().listen(fd=bound.detach(), port=-1, path=path)
        assert server.address().port == port
        await close(server)
        server.listen(port=0, path=path)
        assert server.address().port
        await close(server)
        server.listen(port=None, path=path)
        assert server.address() == path
        await close(server)

    play(scenario)


def test_a_call_that_raises_leaves_no_callback(play: Player) -> None:
    """Rule 1.2.4 and decision 6."""

    async def scenario() -> None:
        called: list[str] = []
        server = uvnet.create_server()
        with pytest.raises(uvnet.NetValueError):
            server.listen(-1, lambda: called.append("bad"))
        server.listen(0, lambda: called.append("good"))
        with pytest.raises(uvnet.NetRuntimeError):
            server.listen(0, lambda: called.append("second"))
        await event(server, "listening")
        assert called == ["good"]
        await close(server)

    play(scenario)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((-1,), "options.port should be >= 0 and < 65536. Received type int (-1)."),
        (({},), "The argument 'options' must have the property \"port\" or \"path\". Received {}"),
        (
            ({"host": "x"},),
            "The argument 'options' must have the property \"port\" or \"path\". Received {'host': 'x'}",
        ),
        ((True,), "The argument 'options' is invalid. Received {'port': True}"),
    ],
)
def test_messages(play: Player, arguments: tuple[Any, ...], message: str) -> None:
    """Rules 1.3.1, 1.3.2 and 0.2.8."""

    async def scenario() -> None:
        with pytest.raises(ValueError) as caught:
            uvnet.create_server().listen(*arguments)
        assert str(caught.value) == message

    play(scenario)


def test_the_address_is_known_at_once(play: Player) -> None:
    """Rules 1.4.1 and 1.4.2, decision 14: without a host, and not with one."""

    async def scenario() -> None:
        server = uvnet.create_server().listen(0)
        assert server.listening
        assert server.address().port
        await close(server)
        server.listen(0, "127.0.0.1")
        assert not server.listening
        assert server.address() is None
        await event(server, "listening")
        assert server.address().address == "127.0.0.1"
        await close(server)

    play(scenario)


@pytest.mark.parametrize("arguments", [(), (None,), (0,), ({"port": None},)], ids=str)
def test_no_port_is_any_that_is_free(play: Player, arguments: tuple[Any, ...]) -> None:
    """Rule 1.2.5: the system chooses, above those that are for services."""

    async def scenario() -> None:
        server = uvnet.create_server().listen(*arguments)
        assert server.port >= 1024
        await close(server)

    play(scenario)


@pytest.mark.parametrize("port", [True, b"80", [80], (80,), object()], ids=lambda port: type(port).__name__)
def test_a_port_that_is_none(play: Player, port: Any) -> None:
    async def scenario() -> None:
        with pytest.raises(ValueError) as caught:
            uvnet.create_server().listen({"port": port})
        assert caught.value.code == "ERR_INVALID_ARG_VALUE"

    play(scenario)


@pytest.mark.parametrize("options", [{}, {"host": None}, {"host": ""}], ids=str)
@pytest.mark.parametrize("positional", [True, False])
def test_no_host_is_every_address(play: Player, options: dict[str, Any], positional: bool) -> None:
    """Rule 1.4.1: so is an empty one, as in Node, and nothing is looked up."""

    async def scenario() -> None:
        server = uvnet.create_server()
        if positional:
            server.listen(0, *options.values())
        else:
            server.listen(port=0, **options)
        assert server.listening
        assert server.address().address == ("::" if plain.has_dualstack_ipv6() else "0.0.0.0")
        await close(server)

    play(scenario)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_close_cancels_the_look_up(play: Player, host: str) -> None:
    """Rules 1.4.3 and 1.4.5, decision 4."""

    async def scenario() -> None:
        events: list[str] = []
        server = uvnet.create_server()
        for name in ("listening", "close", "error"):
            server.on(name, lambda *_, name=name: events.append(name))
        server.listen(0, host, lambda: events.append("callback"))
        server.close()
        await event(server, "close")
        # A second life, so that a late answer of the first would show.
        server.listen(0, "127.0.0.1")
        await event(server, "listening")
        assert events == ["close", "listening", "callback"]
        await close(server)

    play(scenario)


def test_the_server_of_a_name(play: Player) -> None:
    """Rule 1.4.11: one of the addresses of localhost."""

    async def scenario() -> None:
        server = uvnet.create_server(lambda socket: socket.end()).listen(0, "localhost")
        await event(server, "listening")
        address, family, port = server.address()
        assert (address, family) in (("127.0.0.1", "IPv4"), ("::1", "IPv6"))
        client = uvnet.connect(port, address)
        client.resume()
        await event(client, "close")
        await close(server)

    play(scenario)


def test_a_name_that_is_not_found(play: Player) -> None:
    """Rules 1.4.8 and 0.2.6; the server may listen elsewhere in 'error'."""

    async def scenario() -> None:
        server = uvnet.create_server().listen(0, "x" * 64)
        errors: list[Any] = []
        server.on("error", lambda error: (errors.append(error), server.listen(0, "127.0.0.1")))
        await event(server, "listening")
        (error,) = errors
        assert isinstance(error, plain.gaierror)
        assert (error.code, error.syscall, error.hostname) == ("ENOTFOUND", "getaddrinfo", "x" * 64)
        await close(server)

    play(scenario)


def test_a_failed_listen(play: Player) -> None:
    """Rules 1.4.6, 1.4.7 and 1.9.8: an 'error' on a tick, no 'close', and the callback waits."""

    async def scenario() -> None:
        events: list[Any] = []
        first = uvnet.create_server().listen(0)
        port = first.address().port
        server = uvnet.create_server()
        for name in ("listening", "close"):
            server.on(name, lambda name=name: events.append(name))
        server.on("error", lambda error: events.append(error.code))
        server.listen(port, lambda: events.append("first callback"))
        assert events == []
        assert not server.listening
        await event(server, "error")
        assert server.address() is None
        server.listen(0, lambda: events.append("second callback"))
        await event(server, "listening")
        assert events == ["EADDRINUSE", "listening", "first callback", "second callback"]
        await close(first)
        await close(server)

    play(scenario)


def test_the_error_says_where(play: Player) -> None:
    """Rules 0.2.1, 0.2.4 and 1.5."""

    async def scenario() -> None:
        first = uvnet.create_server().listen(0)
        port = first.address().port
        (error,) = await event(uvnet.create_server().listen(port), "error")
        assert isinstance(error, OSError)
        assert (error.errno, error.code, error.syscall) == (errno.EADDRINUSE, "EADDRINUSE", "listen")
        assert (error.address, error.port) == ("::", port)
        assert error.strerror == f"listen EADDRINUSE: address already in use :::{port}"
        (error,) = await event(uvnet.create_server().listen(0, "192.0.2.1"), "error")
        assert error.errno == errno.EADDRNOTAVAIL
        assert error.strerror.endswith(" 192.0.2.1")
        assert getattr(error, "port", None) is None
        await close(first)

    play(scenario)


PRIVILEGED = """
import os
import uvnet

if os.getuid() == 0:
    os.setuid(65534)
server = uvnet.create_server()
server.on("error", lambda error: print(type(error).__name__, error.strerror))
server.listen(81)
uvnet.run()
"""


def test_without_the_right_to_a_port() -> None:
    """Rules 1.4.9 and 1.5: both families are tried, the second failure is the one that is told."""
    lowest = int(Path("/proc/sys/net/ipv4/ip_unprivileged_port_start").read_text())
    if lowest <= 81:
        pytest.skip(f"everybody may use the ports from {lowest} on")
    parent = Path(uvnet.__file__).parent.parent
    done = subprocess.run(
        [sys.executable, "-c", PRIVILEGED],
        capture_output=True,
        text=True,
        timeout=60,
        env={**os.environ, "PYTHONPATH": str(parent)},
    )
    assert done.stdout.strip() == "PermissionError listen EACCES: permission denied 0.0.0.0:81"
    assert done.stderr == ""


def test_reuse_of_addresses(play: Player) -> None:
    """Rule 1.4.12."""

    async def scenario() -> None:
        server = uvnet.create_server().listen(0, "127.0.0.1")
        await event(server, "listening")
        assert option_of(server, plain.SOL_SOCKET, plain.SO_REUSEADDR)
        await close(server)

    play(scenario)


@pytest.mark.parametrize("ipv6_only", [True, False])
@pytest.mark.parametrize("host", [None, "::"])
def test_ipv6_only(play: Player, ipv6_only: bool, host: str | None) -> None:
    """Rule 1.4.10 and decision 5."""

    async def scenario() -> None:
        server = uvnet.create_server()
        server.listen(port=0, host=host, ipv6_only=ipv6_only)
        if not server.listening:
            await event(server, "listening")
        assert option_of(server, plain.IPPROTO_IPV6, plain.IPV6_V6ONLY) == ipv6_only
        await close(server)

    play(scenario)


def test_a_descriptor_that_this_loop_uses(play: Player) -> None:
    """Rule 1.5: EEXIST, and its owner goes on."""

    async def scenario() -> None:
        before = set(open_sockets())
        owner = uvnet.create_server(lambda socket: socket.end()).listen(0)
        (descriptor,) = set(open_sockets()) - before
        (error,) = await event(uvnet.create_server().listen(fd=descriptor), "error")
        assert error.code == "EEXIST"
        client = uvnet.connect(owner.address().port, "127.0.0.1")
        client.resume()
        await event(client, "close")
        await close(owner)

    play(scenario)


def test_a_failed_listen_leaves_no_descriptor(play: Player, tmp_path: Path) -> None:
    """Rule 1.4.6: the handle is discarded."""

    async def scenario() -> None:
        first = uvnet.create_server().listen(0)
        taken = tmp_path / "taken"
        taken.touch()
        before = open_sockets()
        for _ in range(5):
            for arguments in (
                (first.address().port,),
                (first.address().port, "127.0.0.1"),
                (0, "192.0.2.1"),
                (0, "x" * 64),
                (str(taken),),
                (str(tmp_path / "missing" / "socket"),),
                ("/" + "x" * 200,),
            ):
                await event(uvnet.create_server().listen(*arguments), "error")
        assert open_sockets() == before
        await close(first)

    play(scenario)
