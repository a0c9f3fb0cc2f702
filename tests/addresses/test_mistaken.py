"""Text that is an address is refused where a path of a Unix socket is meant, and the message says what was meant.

Node makes a file of it.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from harness import Player, close, event

import uvnet
from uvnet.addresses.host_port import HostPort, parse_host_port

HOSTS = ["127.0.0.1", "0.0.0.0", "localhost", "LOCALHOST", "::", "::1", "fe80::1%lo", "[::1]", "2001:db8::5"]
NAMES = ["example.com", "my-host", "*", "_srv.example", "127.1", "bücher.example"]
PORTS = ["0", "80", "8080", "65536", "80a", "http", ""]
MISTAKEN = [*HOSTS, *(f"{host}:{port}" for host in (*HOSTS, *NAMES, "") for port in PORTS)]
MEANT = ["app.sock", "app", "example.com", "a:b:c", "a b:c d", "[app]", "[::1", "~", "a[0]:1", "x::1]", "1.2.3.4.5", "127.0.0.01"]

CALLS: dict[str, Callable[..., Any]] = {
    "listen": lambda *arguments: uvnet.create_server().listen(*arguments),
    "Socket.connect": lambda *arguments: uvnet.Socket().connect(*arguments),
    "connect": uvnet.connect,
    "create_connection": uvnet.create_connection,
    "open_connection": lambda *arguments: uvnet.open_connection(*arguments).send(None),
    "listen of a proxy": lambda *arguments: uvnet.create_proxy(1).listen(*arguments),
}


@pytest.fixture(autouse=True)
def directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("call", CALLS)
def test_every_form_is_refused(play: Player, directory: Path, call: str) -> None:
    second = "listen" if "listen" in call else "connect"

    async def scenario() -> None:
        for text in MISTAKEN:
            for rest in ((), (8080,), (print,)):
                with pytest.raises(uvnet.NetValueError) as caught:
                    CALLS[call](text, *rest)
                assert caught.value.code == "ERR_INVALID_ARG_VALUE"
                message = str(caught.value)
                assert f"the port comes first, as in {second}(" in message, text
                assert repr(f"./{text}") in message
        assert uvnet.active_handles() == []

    play(scenario)
    assert os.listdir(directory) == []


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("127.0.0.1", 8080), "taken for an address, and the port comes first, as in connect(8080, '127.0.0.1')"),
        (("127.0.0.1", "8080"), "as in connect(8080, '127.0.0.1')"),
        (("127.0.0.1",), "as in connect(port, '127.0.0.1')"),
        (("localhost", 80), "taken for the name of a host, and the port comes first, as in connect(80, 'localhost')"),
        (("example.com", 80), "taken for the name of a host, and the port comes first, as in connect(80, 'example.com')"),
        (("localhost:8080",), "taken for a host and a port, and the port comes first, as in connect(8080, 'localhost')"),
        (("[::1]:80",), "as in connect(80, '::1')"),
        (("[::1]",), "as in connect(port, '::1')"),
        (("localhost:80a",), "taken for a host and a port, which '80a' cannot be"),
        (("localhost:80a",), "as in connect(port, 'localhost')"),
        (("localhost:80²",), "which '80²' cannot be"),
        (("localhost:8\u0660",), "which '8\u0660' cannot be"),
        ((":8080",), "as in connect(8080);"),
    ],
)  # fmt: skip
def test_words(play: Player, arguments: tuple[Any, ...], words: str) -> None:
    async def scenario() -> None:
        with pytest.raises(uvnet.NetValueError) as caught:
            uvnet.connect(*arguments)
        assert words in str(caught.value)

    play(scenario)


@pytest.mark.parametrize(
    ("upstream", "words"),
    [
        ("localhost:80a", "taken for a host and a port, which '80a' cannot be"),
        ("localhost:", "which '' cannot be"),
        ("[::1]:x", "which 'x' cannot be"),
        ("localhost", "must have a port"),
        ("[::1]", "must have a port"),
        ("127.0.0.1", "must have a port"),
        ("fe80::1%lo:80", "an IPv6 address brackets"),
        ("::1:99999", "an IPv6 address brackets"),
    ],
)
def test_words_of_a_proxy(play: Player, upstream: str, words: str) -> None:
    async def scenario() -> None:
        with pytest.raises(uvnet.NetValueError) as caught:
            uvnet.create_proxy(upstream)
        assert caught.value.code == "ERR_INVALID_ARG_VALUE"
        assert words in str(caught.value)

    play(scenario)


def forms(text: str) -> list[tuple[tuple[Any, ...], dict[str, Any]]]:
    """All the ways to mean a file."""
    return [((f"./{text}",), {}), ((Path(text),), {}), ((), {"path": text}), (({"path": text},), {})]


async def served_at(listening: tuple[Any, Any], connecting: tuple[Any, Any]) -> list[str]:
    server = uvnet.create_server(lambda socket: socket.end())
    server.listen(*listening[0], **listening[1])
    await event(server, "listening")
    files = os.listdir(".")
    client = uvnet.connect(*connecting[0], **connecting[1])
    client.resume()
    assert await event(client, "close") == (False,)
    await close(server)
    return files


@pytest.mark.parametrize("text", ["127.0.0.1", "localhost:8080", "[::1]:80", "::1", ":80", "localhost"])
def test_a_file_of_such_a_name(play: Player, text: str) -> None:
    async def scenario() -> None:
        for form in forms(text):
            assert await served_at(form, form) == [text]

    play(scenario)


@pytest.mark.parametrize("text", MEANT)
def test_what_is_no_address_is_a_path(play: Player, text: str) -> None:
    async def scenario() -> None:
        assert await served_at(((text, 5), {}), ((text,), {})) == [text]
        assert uvnet.create_proxy(text).listening is False

    play(scenario)


def test_an_abstract_name_may_look_like_an_address() -> None:
    assert parse_host_port("\0127.0.0.1:80") is None
    assert parse_host_port("\0localhost:80") is None
    assert parse_host_port("/run/localhost:80") is None


def test_parts() -> None:
    assert parse_host_port("localhost:80") == HostPort("localhost", "80", False)
    assert parse_host_port("[::1]:80") == HostPort("::1", "80", True)
    assert parse_host_port("[::1]") == HostPort("::1", None, True)
    assert parse_host_port("::1") == HostPort("::1", None, False)
    # A zone goes on to the end.
    assert parse_host_port("fe80::1%lo:80") == HostPort("fe80::1%lo:80", None, False)
    assert parse_host_port("::1:99999") == HostPort("::1", "99999", False)
