"""`python -m uvnet proxy` in front of the echo server of `python -m uvnet echo`."""

from __future__ import annotations

import asyncio
import contextlib
import filecmp
import socket
from pathlib import Path

import pytest
from conftest import Transport
from peers import CLIENTS, Where, connect_plain, write_payload
from programs import COMMAND, listening, run, started, where_of

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
        assert program.error_line() == f"uvnet: connect ENOENT {missing}\n"
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
        assert program.error_line().startswith("uvnet: ")
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
