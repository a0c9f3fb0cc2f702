"""The load generator of the benchmarks: its report adds up, and a server that is wrong fails the run."""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import socketserver
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import pytest

pytest.importorskip("bench", reason="the benchmarks are not beside these tests")

from bench.build import build, compiler

pytestmark = pytest.mark.skipif(
    shutil.which(compiler()[0]) is None, reason="there is no C compiler to build the load generator with"
)

SIZE = 64
CONNECTIONS = 3
# Seconds; by then the window that is measured has begun and has not ended.
WARM_UP, WINDOW, LATE = 0.1, 0.6, 0.25

Handler = Callable[[socket.socket], None]


def echo(connection: socket.socket) -> None:
    while data := connection.recv(65536):
        connection.sendall(data)


def echo_wrongly_from(begin: float, change: Callable[[bytes], bytes]) -> Handler:
    """Echo, and change what is echoed `begin` seconds after the first message."""

    def handle(connection: socket.socket) -> None:
        data = connection.recv(65536)
        started = time.monotonic()
        while data:
            connection.sendall(change(data) if time.monotonic() - started >= begin else data)
            data = connection.recv(65536)

    return handle


def count(wrong_by: int) -> Handler:
    """What a sink does: it reads to the end and answers with the number of bytes."""

    def handle(connection: socket.socket) -> None:
        received = 0
        while data := connection.recv(1 << 20):
            received += len(data)
        connection.sendall(str(received + wrong_by).encode())

    return handle


@contextmanager
def serving(handle: Handler) -> Iterator[int]:
    """A server with a thread for each connection; its port."""

    class Connection(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            with suppress(OSError):  # the load generator left
                handle(self.request)

    # Leaving it waits for the threads.
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Connection) as server:
        accepting = threading.Thread(target=server.serve_forever, args=(0.01,))
        accepting.start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()
            accepting.join()


def load(port: int, mode: str, *more: str) -> dict[str, Any]:
    command = [
        *(str(build("load")), "--mode", mode, "--port", str(port), "--connections", str(CONNECTIONS)),
        *("--size", str(SIZE), "--warm-up", str(WARM_UP), "--seconds", str(WINDOW)),
        *("--server-pid", str(os.getpid()), *more),
    ]
    answer = subprocess.run(command, capture_output=True, timeout=60, check=False)
    report = json.loads(answer.stdout)
    assert isinstance(report, dict)
    assert answer.returncode == report["errors"]
    return report


@pytest.mark.parametrize("mode", ["echo", "accept"])
def test_the_report_of_a_right_server_adds_up(mode: str) -> None:
    with serving(echo) as port:
        report = load(port, mode)
    assert report["error"] == ""
    assert report["bytes"] == report["messages"] * SIZE > 0
    assert report["messages_in_all"] > report["messages"]
    assert report["seconds"] >= WINDOW
    assert report["messages_per_second"] == pytest.approx(report["messages"] / report["seconds"], rel=0.01)
    user, system = report["server_user_nanoseconds"], report["server_system_nanoseconds"]
    assert 0 <= user <= user + system == report["server_total_nanoseconds"]
    assert report["p50_microseconds"] <= report["p99_microseconds"]


def test_a_rate_is_kept() -> None:
    rate = 64 * 1024
    with serving(count(0)) as port:
        report = load(port, "send", "--rate", str(rate))
    assert report["error"] == ""
    # A pause of the whole machine may cost some; it never makes more of it than was asked for.
    assert 0 < report["bytes_per_second"] < rate * 1.2


def test_a_wrong_count_fails() -> None:
    with serving(count(1)) as port:
        assert "bytes, the server received" in load(port, "send")["error"]


def change_a_byte(data: bytes) -> bytes:
    return data[:-1] + bytes([data[-1] ^ 1])


@pytest.mark.parametrize(
    ("change", "error"),
    [
        (change_a_byte, "the server sent back something else"),
        (lambda data: data + data[:1], "the server sent more than it was asked for"),
    ],
    ids=["changed", "more"],
)
@pytest.mark.parametrize("begin", [0, LATE], ids=["opening", "measuring"])
def test_wrong_bytes_fail(begin: float, change: Callable[[bytes], bytes], error: str) -> None:
    with serving(echo_wrongly_from(begin, change)) as port:
        assert load(port, "echo")["error"] == error


def test_lost_bytes_fail() -> None:
    with serving(echo_wrongly_from(WARM_UP / 2, lambda data: data[:-1])) as port:
        error = load(port, "echo")["error"]
    # A thread that was held up may have echoed one more message, whole.
    assert re.fullmatch("[1-3] connections saw no progress in the measured window", error)


def test_a_connection_that_is_closed_fails() -> None:
    def hang_up(connection: socket.socket) -> None:
        connection.sendall(connection.recv(SIZE))
        connection.recv(SIZE)

    with serving(hang_up) as port:
        assert load(port, "echo")["error"] == "receive: the server closed the connection"


def test_silence_can_be_allowed() -> None:
    turns = iter(range(CONNECTIONS))

    def echo_on_the_first(connection: socket.socket) -> None:
        if next(turns) == 0:
            echo(connection)
        connection.sendall(connection.recv(SIZE))
        connection.recv(SIZE)
        connection.recv(1)

    with serving(echo_on_the_first) as port:
        assert load(port, "echo", "--patient")["error"] == ""
