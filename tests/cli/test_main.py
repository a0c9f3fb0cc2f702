"""`python -m uvnet`: addresses, help, errors, exit codes, Ctrl-C, echo, bench, info."""

from __future__ import annotations

import argparse
import asyncio
import errno
import filecmp
import os
import platform
import re
import resource
import signal
import socket
import struct
import sys
from pathlib import Path

import pytest
import uvloop
from descriptors import open_descriptors
from harness import Transport
from peers import CLIENTS, connect_plain, write_payload
from programs import COMMAND, listening, run, started, where_of

import uvnet
from uvnet._cli import info
from uvnet._cli.endpoint import Endpoint, describe, endpoint_type
from uvnet._cli.program import explain, guarded, number_type
from uvnet.errors.system import system_error

SUBCOMMANDS = ("echo", "cat", "proxy", "serve", "top", "bench", "info")


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
    assert describe(None) == "an unnamed socket"


@pytest.mark.parametrize("arguments", [(), *((name,) for name in SUBCOMMANDS)], ids=repr)
def test_help(arguments: tuple[str, ...]) -> None:
    result = run(*COMMAND, *arguments, "--help")
    assert (result.code, result.errors) == (0, "")
    usage = " ".join(["usage: python -m uvnet", *arguments])
    assert result.output.decode().startswith(usage)
    # Where there is none to give, help is not about addresses.
    assert ("@NAME" in result.output.decode()) == (arguments not in (("top",), ("bench",), ("info",)))


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


@pytest.mark.parametrize(
    "arguments", [("echo", "WHERE"), ("cat", "-l", "WHERE"), ("proxy", "-v", "WHERE", "1")], ids=repr
)
def test_an_address_in_use(arguments: tuple[str, ...]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        where = f"127.0.0.1:{taken.getsockname()[1]}"
        result = run(*COMMAND, *(where if each == "WHERE" else each for each in arguments))
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


@pytest.mark.parametrize("read", [True, False])
def test_which_errors_mean_that_nobody_reads(read: bool) -> None:
    """A broken pipe that is no socket's, and where stdout is one."""
    code = (
        "import errno, sys; from uvnet._cli.program import _is_of_stdout; from uvnet.errors.system import system_error\n"
        "errors = BrokenPipeError(), OSError(errno.ENOSPC, 'full'), system_error(-errno.EPIPE, 'write')\n"
        "print([_is_of_stdout(error) for error in errors], file=sys.stderr)"
    )
    reader, writer = os.pipe()
    with open(writer, "wb") as stdout:
        if not read:
            os.close(reader)
        result = run("-c", code, stdout=stdout)
        if read:
            os.close(reader)
    assert result == (0, b"", f"{[not read, False, False]}\n")


def test_signals_outside_a_loop() -> None:
    """As while `bench` starts its servers."""
    before = signal.signal(signal.SIGTERM, signal.SIG_DFL), signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        assert guarded(lambda: signal.raise_signal(signal.SIGINT) or 0) == 130
        with pytest.raises(SystemExit) as caught:
            guarded(lambda: signal.raise_signal(signal.SIGTERM) or 0)
        assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL
    finally:
        signal.signal(signal.SIGTERM, before[0])
        signal.signal(signal.SIGINT, before[1])
    assert caught.value.code == 143


def test_nothing_is_left_open() -> None:
    before = open_descriptors()
    assert guarded(lambda: 5) == 5
    assert open_descriptors() == before


def test_a_signal_that_is_ignored_stays_so() -> None:
    """As of a program that a shell has put into the background."""
    code = "import os, signal, sys; signal.signal(signal.SIGINT, signal.SIG_IGN); os.execv(sys.executable, sys.argv[1:])"
    arguments = (sys.executable, *COMMAND, "echo", "127.0.0.1:0")
    with started("-c", code, *arguments) as program:
        port = where_of(program.line().strip())
        program.interrupt()
        with connect_plain(port) as client:
            client.sendall(b"hello")
            assert client.recv(10) == b"hello"
        program.process.terminate()
        assert program.result() == (143, b"", "")


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


def test_echo_reports_a_reset_and_goes_on() -> None:
    with started(*COMMAND, "echo", "-v", "127.0.0.1:0") as program:
        port = where_of(program.line().strip())
        for _ in range(2):
            with connect_plain(port) as client:
                mine = f"127.0.0.1:{client.getsockname()[1]}"
                assert program.error_line() == f"uvnet: {mine}: connected\n"
                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            assert program.error_line() == f"uvnet: {mine}: read ECONNRESET\n"
            assert program.error_line() == f"uvnet: {mine}: closed, 0 bytes echoed\n"
        program.interrupt()
        assert program.result() == (130, b"", "")


def test_echo_reports_a_client_without_a_name(tmp_path: Path) -> None:
    with started(*COMMAND, "echo", "-v", str(tmp_path / "socket")) as program:
        with connect_plain(where_of(program.line().strip().removeprefix("listening on "))):
            assert program.error_line() == "uvnet: a Unix socket: connected\n"
        assert program.error_line() == "uvnet: a Unix socket: closed, 0 bytes echoed\n"
        program.interrupt()
        assert program.result() == (130, b"", "")


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (OSError(errno.ENOENT, "No such file or directory"), "ENOENT: no such file or directory"),
        (OSError(99_999, "Odd"), "99999: odd"),
        (OSError("text alone"), "text alone"),
        (OSError(), "OSError"),
        (ValueError("wrong"), "wrong"),
        (ValueError(), "ValueError"),
        (system_error(-errno.ECONNREFUSED, "connect", "::1", 80), "connect ECONNREFUSED ::1:80"),
    ],
    ids=repr,
)
def test_errors_are_worded(error: BaseException, words: str) -> None:
    assert explain(error) == words


def test_numbers_within_limits() -> None:
    whole, any_number = number_type(int, 1, 3), number_type(float, 0.5, 3)
    assert [whole(text) for text in ("1", "3")] == [1, 3]
    assert [any_number(text) for text in ("0.5", "3")] == [0.5, 3]
    for text in ("0", "4", "1.5", "x", ""):
        with pytest.raises(argparse.ArgumentTypeError, match="is not a whole number between 1 and 3"):
            whole(text)
    for text in ("0.4", "3.1", "nan", "inf", "x"):
        with pytest.raises(argparse.ArgumentTypeError, match="is not a number between 0.5 and 3"):
            any_number(text)


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
    assert rows["event loop"] == "uvnet.transports.loop.Loop"
    assert "RLIMIT_NOFILE" in rows["open files"]
    assert {"splice", "reuse_port", "abstract Unix sockets", "IPv6"} <= rows.keys()
    assert rows["GIL"] == ("on" if getattr(sys, "_is_gil_enabled", lambda: True)() else "off")
    assert rows["dual stack"] == ("yes" if socket.has_dualstack_ipv6() else "no")
    assert rows["splice"] == ("yes" if sys.platform == "linux" else "no")
    if sys.platform == "linux":
        assert rows["abstract Unix sockets"] == "yes"
        assert rows["CPUs"] == f"{len(os.sched_getaffinity(0))} of {os.cpu_count()}"
        most = Path("/proc/sys/net/core/somaxconn").read_text().strip()
        assert rows["listen backlog"] == f"{most} (net/core/somaxconn)"
        ports = " ".join(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split())
        assert rows["local ports"] == f"{ports} (net/ipv4/ip_local_port_range)"


@pytest.mark.parametrize("most", [200, resource.RLIM_INFINITY])
def test_info_of_open_files(monkeypatch: pytest.MonkeyPatch, most: int) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda _: (100, most))
    told = dict(info._limits())["open files"]
    assert told == f"100, may be raised to {most if most == 200 else 'no limit'} (RLIMIT_NOFILE)"


@pytest.mark.parametrize(("count", "told"), [(8, 8), (None, 1)])
def test_info_of_processors_elsewhere(monkeypatch: pytest.MonkeyPatch, count: int | None, told: int) -> None:
    """Where a process cannot say which ones it may use, and where nobody knows."""
    monkeypatch.setattr(sys, "platform", "darwin")
    monkeypatch.setattr(os, "cpu_count", lambda: count)
    assert info._usable_cpus() == told


def test_info_of_what_cannot_be_had() -> None:
    """An address of nobody here, and a setting that there is not."""
    assert info._can_bind(socket.AF_INET, ("127.0.0.1", 0)) is True
    assert info._can_bind(socket.AF_INET, ("192.0.2.1", 0)) is False
    assert info._kernel_setting("net/no/such/setting") is None
