"""`python -m uvnet proxy` in front of the echo server of `python -m uvnet echo`."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import filecmp
import os
import pty
import re
import signal
import socket
import struct
from collections.abc import Iterator
from pathlib import Path

import pytest
from harness import Player, Transport
from peers import CLIENTS, Where, connect_plain, write_payload
from programs import COMMAND, Program, listening, run, started, where_of

import uvnet
from uvnet._cli.limits import LIMITS, add_limit_options, limit_options
from uvnet._cli.proxy import add_proxy
from uvnet._cli.traffic import amount

LIMIT = 30  # seconds


@pytest.mark.parametrize("target", ["tcp", "unix"])
@pytest.mark.parametrize("name", ["nc", "socat", "python"])
def test_everything_goes_through(
    transport: Transport, tmp_path: Path, name: str, target: str
) -> None:
    """Both half-closes included: the clients wait for the end."""
    source = write_payload(tmp_path / "source", 3_000_000)
    sink = tmp_path / "sink"
    addresses = {"unix": str(tmp_path / "target"), "tcp": "127.0.0.1:0"}
    address = transport.path if transport.kind == "unix" else "127.0.0.1:0"
    with (
        listening(*COMMAND, "echo", addresses[target], code=130) as behind,
        listening(*COMMAND, "proxy", address, behind, code=130) as where,
    ):
        asyncio.run(CLIENTS[name](where_of(where), source, sink))
    assert filecmp.cmp(source, sink, shallow=False)
    assert not Path(transport.path).exists()


def test_nobody_behind(tmp_path: Path) -> None:
    missing = tmp_path / "nobody"
    with started(*COMMAND, "proxy", "127.0.0.1:0", str(missing)) as program:
        with connect_plain(where_of(program.line().strip())) as client:
            client.settimeout(LIMIT)
            with contextlib.suppress(ConnectionResetError):
                assert client.recv(1) == b""
            peer = f"127.0.0.1:{client.getsockname()[1]}"
        assert program.error_line() == f"uvnet: {peer}: connect ENOENT {missing}\n"
        program.interrupt()
        assert program.result() == (130, b"", "")


@pytest.mark.parametrize("version", ["1", "2"])
def test_proxy_protocol(tmp_path: Path, version: str) -> None:
    """A header goes out, and a second proxy takes it in and passes the client's address on."""
    header = b""
    with socket.create_server(("127.0.0.1", 0)) as target:
        target.settimeout(LIMIT)
        behind = f"127.0.0.1:{target.getsockname()[1]}"
        last = listening(
            *COMMAND, "proxy", "--proxy-protocol-in", "--proxy-protocol-out", "1",
            "127.0.0.1:0", behind, code=130,
        )  # fmt: skip
        with (
            last as middle,
            listening(
                *COMMAND, "proxy", "--proxy-protocol-out", version, "127.0.0.1:0", middle, code=130
            ) as where,
            connect_plain(where_of(where)) as client,
        ):
            client.sendall(b"hello")
            connection, _ = target.accept()
            with connection:
                connection.settimeout(LIMIT)
                while not header.endswith(b"hello"):
                    header += connection.recv(1000)
            mine, theirs = client.getsockname(), client.getpeername()
    assert header == b"PROXY TCP4 127.0.0.1 127.0.0.1 %d %d\r\nhello" % (mine[1], theirs[1])


def test_a_client_without_a_header_is_refused() -> None:
    with started(*COMMAND, "proxy", "--proxy-protocol-in", "127.0.0.1:0", "1") as program:
        with connect_plain(where_of(program.line().strip())) as client:
            client.settimeout(LIMIT)
            client.sendall(b"GET / HTTP/1.0\r\n\r\n")
            with contextlib.suppress(ConnectionResetError):
                assert client.recv(1) == b""
        assert program.error_line().startswith("no PROXY header: 1 connections")
        program.interrupt()
        assert program.result().code == 130


def test_max_connections(tmp_path: Path) -> None:
    def speak(where: Where) -> socket.socket:
        connection = connect_plain(where)
        connection.settimeout(LIMIT)
        connection.sendall(b"x")
        return connection

    with (
        listening(*COMMAND, "echo", str(tmp_path / "target"), code=130) as behind,
        listening(
            *COMMAND, "proxy", "--max-connections", "1", "127.0.0.1:0", behind, code=130
        ) as where,
    ):
        with speak(where_of(where)) as first:
            assert first.recv(1) == b"x"
            with connect_plain(where_of(where)) as second:
                second.settimeout(LIMIT)
                with contextlib.suppress(ConnectionResetError):
                    assert second.recv(1) == b""
            first.sendall(b"y")
            assert first.recv(1) == b"y"


# === What is said ===


def talk_to(where: Where, data: bytes = b"hello") -> str:
    """Send data, take it back, end; returns this end's name."""
    with connect_plain(where) as client:
        client.settimeout(LIMIT)
        client.sendall(data)
        client.shutdown(socket.SHUT_WR)
        received = b""
        while chunk := client.recv(65536):
            received += chunk
        assert received == data
        return f"127.0.0.1:{client.getsockname()[1]}"


@contextlib.contextmanager
def verbose(tmp_path: Path, *options: str) -> Iterator[tuple[Program, Where, str]]:
    """A proxy that reports, in front of an echo server: the program, where it listens, its target."""
    target = str(tmp_path / "target")
    with (
        listening(*COMMAND, "echo", target, code=130) as behind,
        started(*COMMAND, "proxy", *options, "127.0.0.1:0", behind) as program,
    ):
        yield program, where_of(program.line().strip()), target


def test_each_connection_and_totals(tmp_path: Path) -> None:
    with verbose(tmp_path, "-v") as (program, where, target):
        for data in (b"hello", bytes(5000)):
            peer = talk_to(where, data)
            assert program.error_line() == f"uvnet: {peer}: passed on to {target}\n"
            size = "5 bytes" if data == b"hello" else "5000 bytes (4.9 KiB)"
            line = program.error_line()
            assert re.fullmatch(
                rf"uvnet: {peer}: closed after \d+\.\d s, {re.escape(size)} in, {re.escape(size)} out\n", line
            )
        program.interrupt()
        code, _, errors = program.result()
    assert code == 130
    assert re.fullmatch(
        r"uvnet: 2 connections, 0 open, 0 failed, 0 refused; 5005 bytes \(4\.9 KiB\) in, 5005 bytes \(4\.9 KiB\) out; "
        r"\d+\.\d s\n",
        errors,
    )


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_totals_without_a_connection(tmp_path: Path, number: int) -> None:
    with verbose(tmp_path, "-v") as (program, _, _target):
        program.process.send_signal(number)
        code, _, errors = program.result()
    assert code == 128 + number
    assert errors.startswith("uvnet: 0 connections, 0 open, 0 failed, 0 refused; 0 bytes in, 0 bytes out; ")


def test_totals_on_request(tmp_path: Path) -> None:
    """Without -v too, and with what is open."""
    with verbose(tmp_path) as (program, where, _), connect_plain(where) as client:
        client.settimeout(LIMIT)
        client.sendall(b"x")
        assert client.recv(1) == b"x"
        talk_to(where)
        for _ in range(2):
            program.process.send_signal(signal.SIGUSR1)
            line = program.error_line()
            assert re.match(r"uvnet: 2 connections, [12] open, 0 failed, 0 refused; 6 bytes in, 6 bytes out; ", line)
        program.interrupt()
        assert program.result() == (130, b"", "")


def test_failures_and_refusals(tmp_path: Path) -> None:
    missing = tmp_path / "nobody"
    options = ("-v", "--max-connections", "0")
    with started(*COMMAND, "proxy", *options, "127.0.0.1:0", str(missing)) as program:
        with connect_plain(where_of(program.line().strip())) as client:
            client.settimeout(LIMIT)
            with contextlib.suppress(ConnectionResetError):
                assert client.recv(1) == b""
            peer = f"127.0.0.1:{client.getsockname()[1]}"
        assert program.error_line() == f"uvnet: {peer}: refused, connection limit\n"
        program.interrupt()
        assert "0 connections, 0 open, 0 failed, 1 refused" in program.result().errors
    with started(*COMMAND, "proxy", "-v", "127.0.0.1:0", str(missing)) as program:
        with connect_plain(where_of(program.line().strip())) as client:
            client.settimeout(LIMIT)
            with contextlib.suppress(ConnectionResetError):
                assert client.recv(1) == b""
            peer = f"127.0.0.1:{client.getsockname()[1]}"
        assert program.error_line() == f"uvnet: {peer}: connect ENOENT {missing}\n"
        assert program.error_line().startswith(f"uvnet: {peer}: closed after ")
        program.interrupt()
        assert "1 connection, 0 open, 1 failed, 0 refused" in program.result().errors


def test_a_reset_is_reported(tmp_path: Path) -> None:
    with verbose(tmp_path, "-v") as (program, where, _):
        with connect_plain(where) as client:
            client.settimeout(LIMIT)
            client.sendall(b"x")
            assert client.recv(1) == b"x"
            peer = f"127.0.0.1:{client.getsockname()[1]}"
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        assert "passed on" in program.error_line()
        assert program.error_line() == f"uvnet: {peer}: read ECONNRESET\n"
        assert program.error_line().startswith(f"uvnet: {peer}: closed after ")
        program.interrupt()
        assert program.result().code == 130


def test_a_reset_of_the_target_is_reported() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        target = f"127.0.0.1:{server.getsockname()[1]}"
        with started(*COMMAND, "proxy", "-v", "127.0.0.1:0", target) as program:
            with connect_plain(where_of(program.line().strip())) as client:
                peer = f"127.0.0.1:{client.getsockname()[1]}"
                connection, _ = server.accept()
                assert program.error_line() == f"uvnet: {peer}: passed on to {target}\n"
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                connection.close()
                assert program.error_line() == f"uvnet: {peer}: {target}: read ECONNRESET\n"
                assert program.error_line().startswith(f"uvnet: {peer}: closed after ")
            program.interrupt()
            assert program.result().code == 130


def test_a_client_without_a_name_is_refused(tmp_path: Path) -> None:
    path = str(tmp_path / "socket")
    with started(*COMMAND, "proxy", "-v", "--max-connections", "0", path, "1") as program:
        assert program.line() == f"listening on {path}\n"
        with connect_plain(path):
            assert program.error_line() == "uvnet: a Unix socket: refused, connection limit\n"
        program.interrupt()
        assert program.result().code == 130


def parsed(*options: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    add_proxy(parser.add_subparsers())
    return parser.parse_args(["proxy", *options, "1", "2"])


def test_defaults() -> None:
    found = parsed()
    assert (found.connect_timeout, found.idle_timeout, found.max_connections) == (10, None, None)
    assert (found.proxy_protocol_in, found.proxy_protocol_out, found.verbose) == (False, None, False)


@pytest.mark.parametrize(
    ("option", "within", "beyond"),
    [
        ("--connect-timeout", ("0.001", "86400"), ("0.0009", "86400.1")),
        ("--idle-timeout", ("0.001", "2000000"), ("0.0009", "2000000.1")),
        ("--max-connections", ("0", "2147483647"), ("-1", "2147483648")),
        ("--proxy-protocol-out", ("1", "2"), ("0", "3")),
    ],
)
def test_limits(option: str, within: tuple[str, ...], beyond: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    for text in within:
        assert getattr(parsed(f"{option}={text}"), option[2:].replace("-", "_")) == float(text)
    for text in beyond:
        with pytest.raises(SystemExit):
            parsed(f"{option}={text}")
        assert option in capsys.readouterr().err


def test_idle_timeout(tmp_path: Path) -> None:
    with verbose(tmp_path, "--idle-timeout", "0.2") as (program, where, _):
        with connect_plain(where) as client:
            client.settimeout(LIMIT)
            client.sendall(b"x")
            assert client.recv(1) == b"x"
            with contextlib.suppress(ConnectionResetError):
                assert client.recv(1) == b""
        program.interrupt()
        assert program.result() == (130, b"", "")


@pytest.mark.parametrize(
    ("count", "words"),
    [
        (0, "0 bytes"),
        (1, "1 byte"),
        (1023, "1023 bytes"),
        (1024, "1024 bytes (1.0 KiB)"),
        (2**20, "1048576 bytes (1.0 MiB)"),
        (5 * 2**30 // 2, "2684354560 bytes (2.5 GiB)"),
        (2**40, "1099511627776 bytes (1.0 TiB)"),
        (2**52, "4503599627370496 bytes (4096.0 TiB)"),
    ],
)
def test_amounts(count: int, words: str) -> None:
    assert amount(count) == words


@pytest.mark.parametrize(
    "arguments",
    [("1",), ("1", "nowhere"), ("--proxy-protocol-out", "3", "1", "2")],
    ids=repr,
)
def test_usage_errors(arguments: tuple[str, ...]) -> None:
    assert run(*COMMAND, "proxy", *arguments).code == 2


@pytest.mark.parametrize("option", ["--connect-timeout", "--max-connections"])
def test_options_out_of_range(option: str) -> None:
    result = run(*COMMAND, "proxy", option, "-1", "127.0.0.1:0", "1")
    assert result.code in (1, 2)
    assert result.errors and "Traceback" not in result.errors


def test_a_live_line_on_a_terminal(tmp_path: Path) -> None:
    """It stays below what else is said, and the totals take its place in the end."""
    leader, terminal = pty.openpty()
    try:
        with (
            listening(*COMMAND, "echo", str(tmp_path / "target"), code=130) as behind,
            started(*COMMAND, "proxy", "-v", "127.0.0.1:0", behind, stderr=terminal) as program,
        ):
            peer = talk_to(where_of(program.line().strip()))
            seen = b""
            while not re.search(rb"\d/s out|B/s out", seen) or b"closed after" not in seen:
                seen += os.read(leader, 65536)
            program.interrupt()
            assert program.process.wait(60) == 130
            while b"1 connection, " not in seen or not seen.endswith(b"\n"):
                seen += os.read(leader, 65536)
    finally:
        os.close(leader)
        os.close(terminal)
    text = seen.decode()
    assert re.search(r"\d open of \d, 0 failed, 0 refused; [\d.]+ \w+/s in, [\d.]+ \w+/s out", text)
    assert f"\r\x1b[Kuvnet: {peer}: " in text
    # What a terminal shows in the end: whatever was taken away is gone.
    shown = [line.rpartition("\x1b[K")[2].strip("\r") for line in text.split("\n")]
    assert shown[0].startswith(f"uvnet: {peer}: passed on to ")
    assert shown[1].startswith(f"uvnet: {peer}: closed after ")
    assert shown[2].startswith("uvnet: 1 connection, 0 open, 0 failed, 0 refused; ")
    assert shown[3:] == [""]


def test_limits_of_clients(tmp_path: Path) -> None:
    """As options of the server; which says for each why it refuses somebody."""
    options = ("--max-connections-per-host", "1", "--internet")
    with (
        listening(*COMMAND, "echo", str(tmp_path / "target"), code=130) as behind,
        started(*COMMAND, "proxy", "-v", *options, "127.0.0.1:0", behind) as program,
    ):
        where = where_of(program.line().strip())
        with connect_plain(where) as first:
            first.settimeout(LIMIT)
            first.sendall(b"x")
            assert first.recv(1) == b"x"
            with connect_plain(where) as second:
                second.settimeout(LIMIT)
                with contextlib.suppress(ConnectionResetError):
                    assert second.recv(1) == b""
        program.interrupt()
        errors = program.result().errors
    assert ": refused, host limit\n" in errors
    assert re.search("1 connection, [01] open, 0 failed, 1 refused; 1 byte in, 1 byte out; ", errors)


def test_every_limit_is_one_of_a_server(play: Player) -> None:
    parser = argparse.ArgumentParser()
    add_limit_options(parser)
    given = {name: 7 for name, *_ in LIMITS}
    words = [word for name in given for word in (f"--{name.replace('_', '-')}", "7")]
    options = limit_options(parser.parse_args([*words, "--internet"]))
    assert options == {**given, "preset": "internet"}
    assert limit_options(parser.parse_args([])) == {}

    async def scenario() -> None:
        assert uvnet.create_proxy(1, **options).dropped["host limit"] == 0

    play(scenario)
    for name in given:
        with pytest.raises(SystemExit):
            parser.parse_args([f"--{name.replace('_', '-')}", "-1"])
