"""`python -m uvnet`: addresses, help, errors, exit codes, Ctrl-C, echo, bench, info."""

from __future__ import annotations

import argparse
import asyncio
import filecmp
import os
import platform
import re
import signal
import socket
from pathlib import Path

import pytest
import uvloop
from harness import Transport
from peers import CLIENTS, connect_plain, write_payload
from programs import COMMAND, listening, run, started, where_of

import uvnet
from uvnet._cli.endpoint import Endpoint, describe, endpoint_type

SUBCOMMANDS = ("echo", "cat", "proxy", "bench", "info")


@pytest.mark.parametrize(
    ("text", "endpoint"),
    [
        ("80", Endpoint(port=80)),
        ("0", Endpoint(port=0)),
        ("65535", Endpoint(port=65535)),
        ("localhost:80", Endpoint(host="localhost", port=80)),
        ("127.0.0.1:80", Endpoint(host="127.0.0.1", port=80)),
        ("[::1]:80", Endpoint(host="::1", port=80)),
        ("[fe80::1%eth0]:80", Endpoint(host="fe80::1%eth0", port=80)),
        ("unix:name", Endpoint(path="name")),
        ("unix:80", Endpoint(path="80")),
        ("unix:@name", Endpoint(path="@name")),
        ("/tmp/a:80", Endpoint(path="/tmp/a:80")),
        ("./name", Endpoint(path="./name")),
        ("@name", Endpoint(path="\0name")),
        ("@a/b", Endpoint(path="\0a/b")),
    ],
)
def test_addresses(text: str, endpoint: Endpoint) -> None:
    assert endpoint_type(text) == endpoint


@pytest.mark.parametrize(
    "text",
    [
        "", "name", "::1", "::1:80", "1:2:3", "host:", ":80", "[::1]", "[]:80", "65536", "host:65536", "9" * 5000,
        "-1", "host:-1", "host:http", "٣", "host:٣", "unix:", "@", "a/\0b", " 80",
    ],
)  # fmt: skip
def test_what_is_no_address(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError):
        endpoint_type(text)


@pytest.mark.parametrize(
    "text", ["[::1]:80", "127.0.0.1:80", "/tmp/name", "@name", "unix:name", "localhost:80"]
)
def test_addresses_are_printed_as_they_are_given(text: str) -> None:
    assert str(endpoint_type(text)) == text


def test_addresses_of_servers_are_printed() -> None:
    assert describe(uvnet.Address("::", "IPv6", 80)) == "[::]:80"
    assert describe(uvnet.Address("0.0.0.0", "IPv4", 80)) == "0.0.0.0:80"
    assert describe("\0name") == "@name"


@pytest.mark.parametrize("arguments", [(), *((name,) for name in SUBCOMMANDS)], ids=repr)
def test_help(arguments: tuple[str, ...]) -> None:
    result = run(*COMMAND, *arguments, "--help")
    assert (result.code, result.errors) == (0, "")
    usage = " ".join(["usage: python -m uvnet", *arguments])
    assert result.output.decode().startswith(usage)
    # Where there is none to give, help is not about addresses.
    assert ("@NAME" in result.output.decode()) == (arguments not in (("bench",), ("info",)))


def test_help_lists_every_subcommand() -> None:
    found = re.findall(r"^    (\w+)  ", run(*COMMAND, "--help").output.decode(), re.MULTILINE)
    assert tuple(found) == SUBCOMMANDS


@pytest.mark.parametrize("arguments", [(), *((name,) for name in SUBCOMMANDS)], ids=repr)
def test_version(arguments: tuple[str, ...]) -> None:
    result = run(*COMMAND, *arguments, "--version")
    assert result == (0, f"uvnet {uvnet.__version__}\n".encode(), "")


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("info",), 141),
        (("echo", "127.0.0.1:0"), 141),
        (("bench", "--rounds", "1", "--seconds", "0.01"), 141),
        (("--help",), 0),
        (("proxy", "--help"), 0),
        (("--version",), 0),
    ],
    ids=repr,
)
def test_nobody_reads_what_is_printed(arguments: tuple[str, ...], code: int) -> None:
    """As in `python -m uvnet info | head -1`: no word about it."""
    reader, writer = os.pipe()
    os.close(reader)
    with open(writer, "wb") as stdout:
        result = run(*COMMAND, *arguments, stdout=stdout)
    assert (result.code, result.errors) == (code, "")


def test_nobody_reads_what_is_said(tmp_path: Path) -> None:
    """A server outlives the reader of its log."""
    reader, writer = os.pipe()
    os.close(reader)
    with open(writer, "wb") as stderr, started(*COMMAND, "echo", "-v", "127.0.0.1:0", stderr=stderr) as program:
        where = where_of(program.line().strip().removeprefix("listening on "))
        for _ in range(2):
            with connect_plain(where) as client:
                client.settimeout(30)
                client.sendall(b"hello")
                assert client.recv(5) == b"hello"
        program.interrupt()
        assert program.process.wait(30) == 130


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("no such command",),
        ("echo", "nowhere"),
        ("echo", "1", "2"),
        ("cat",),
        ("cat", "--no-such-option", "1"),
        ("bench", "--rounds", "0"),
        ("bench", "--seconds", "nan"),
        ("bench", "--size", "x"),
        ("bench", "--connections", "1.5"),
        ("proxy", "0"),
        ("proxy", "0", "1", "--connect-timeout", "0"),
        ("proxy", "0", "1", "--connect-timeout", "nan"),
        ("proxy", "0", "1", "--idle-timeout", "0"),
        ("proxy", "0", "1", "--idle-timeout", "long"),
        ("proxy", "0", "1", "--max-connections", "-1"),
        ("proxy", "0", "1", "--max-connections", "many"),
        ("proxy", "0", "1", "--proxy-protocol-out", "3"),
        ("info", "1"),
    ],
    ids=repr,
)
def test_usage_errors(arguments: tuple[str, ...]) -> None:
    result = run(*COMMAND, *arguments)
    assert (result.code, result.output) == (2, b"")
    assert result.errors.startswith("usage: python -m uvnet")
    assert "error: " in result.errors


@pytest.mark.parametrize("arguments", [("echo",), ("cat", "-l")], ids=repr)
def test_an_address_in_use(arguments: tuple[str, ...]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        where = f"127.0.0.1:{taken.getsockname()[1]}"
        result = run(*COMMAND, *arguments, where)
    assert result == (1, b"", f"uvnet: listen EADDRINUSE: address already in use {where}\n")


def test_connection_refused(tmp_path: Path) -> None:
    path = tmp_path / "nobody"
    result = run(*COMMAND, "cat", str(path))
    assert result == (1, b"", f"uvnet: connect ENOENT {path}\n")
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        where = f"127.0.0.1:{bound.getsockname()[1]}"
        assert run(*COMMAND, "cat", where) == (1, b"", f"uvnet: connect ECONNREFUSED {where}\n")


def test_a_path_that_is_too_long(tmp_path: Path) -> None:
    result = run(*COMMAND, "echo", f"{tmp_path}/{'x' * 200}")
    assert (result.code, result.output) == (1, b"")
    assert re.fullmatch(r"uvnet: .*\n", result.errors)


@pytest.mark.parametrize("arguments", [("echo", "127.0.0.1:0"), ("info",)], ids=repr)
def test_stdout_takes_nothing(arguments: tuple[str, ...]) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("no /dev/full on this system")
    with Path("/dev/full").open("wb") as full:
        result = run(*COMMAND, *arguments, stdout=full)
    assert result == (1, b"", "uvnet: ENOSPC: no space left on device\n")


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)], ids=["Ctrl-C", "SIGTERM"]
)
def test_signals_end_echo(tmp_path: Path, number: int, code: int) -> None:
    """No traceback, no socket file, and the connections are closed."""
    path = tmp_path / "socket"
    with listening(*COMMAND, "echo", str(path), number=number, code=code) as where:
        assert where == str(path)
        client = connect_plain(str(path))
        client.sendall(b"hello")
        assert client.recv(10) == b"hello"
    with client:
        assert client.recv(10) == b""
    assert not path.exists()


@pytest.mark.parametrize("name", CLIENTS)
def test_echo(transport: Transport, tmp_path: Path, name: str) -> None:
    """Real clients, each with a half-close at the end."""
    source = write_payload(tmp_path / "source", 1_000_000)
    sink = tmp_path / "sink"
    address = str(tmp_path / "socket") if transport.kind == "unix" else "127.0.0.1:0"
    with listening(*COMMAND, "echo", address, code=130) as where:
        asyncio.run(CLIENTS[name](where_of(where), source, sink))
    assert filecmp.cmp(source, sink, shallow=False)


@pytest.mark.skipif(platform.system() != "Linux", reason="abstract names exist on Linux alone")
def test_echo_on_an_abstract_socket(tmp_path: Path) -> None:
    name = f"uvnet{tmp_path}"
    with listening(*COMMAND, "echo", f"@{name}", code=130) as where:
        assert where == f"@{name}"
        with connect_plain(f"\0{name}") as client:
            client.sendall(b"hello")
            assert client.recv(10) == b"hello"


def test_echo_reports_connections() -> None:
    with started(*COMMAND, "echo", "-v", "127.0.0.1:0") as program:
        port = where_of(program.line().strip())
        with connect_plain(port) as client:
            mine = f"127.0.0.1:{client.getsockname()[1]}"
            assert program.error_line() == f"uvnet: {mine}: connected\n"
            client.sendall(b"hello")
            assert client.recv(10) == b"hello"
        assert program.error_line() == f"uvnet: {mine}: closed, 5 bytes echoed\n"
        program.interrupt()
        assert program.result().code == 130


def test_bench() -> None:
    arguments = ("--rounds", "1", "--seconds", "0.05", "--connections", "3", "--size", "100")
    result = run(*COMMAND, "bench", *arguments)
    assert (result.code, result.errors) == (0, "")
    rows = re.findall(r"^(\w+(?: \w+)?) +([\d,]+) +([\d.]+)$", result.output.decode(), re.MULTILINE)
    assert [row[0] for row in rows] == ["uvnet", "uvloop Protocol", "asyncio Protocol"]
    assert all(int(row[1].replace(",", "")) > 0 and float(row[2]) > 0 for row in rows)
    assert "3 connections" in result.output.decode()


def test_ctrl_c_ends_bench_and_its_servers() -> None:
    with started(*COMMAND, "bench", "--seconds", "60") as program:
        assert program.line().startswith("measuring")
        program.interrupt()
        # The servers hold stderr, too: it ends when they have ended.
        assert program.result() == (130, b"", "")


def test_info() -> None:
    result = run(*COMMAND, "info")
    assert (result.code, result.errors) == (0, "")
    rows = dict(re.findall(r"^  (\S.*?)  +(.+)$", result.output.decode(), re.MULTILINE))
    assert rows["uvnet"].startswith(uvnet.__version__)
    assert rows["uvloop"] == uvloop.__version__
    assert rows["Python"].endswith(platform.python_version())
    assert re.match(r"\d+\.\d+\.\d+", rows["libuv"])
    assert rows["event loop"] == "uvloop.Loop"
    assert "RLIMIT_NOFILE" in rows["open files"]
    assert {"splice", "reuse_port", "abstract Unix sockets", "IPv6"} <= rows.keys()
