"""The load generator of the benchmarks: its report adds up, and a server that is wrong fails the run."""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import socketserver
import ssl
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import pytest
from certificates import Certificates

pytest.importorskip("bench", reason="the benchmarks are not beside these tests")

from bench.build import build, compiler, header_problem

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


HEAD = b"HTTP/1.1 200 OK\r\n"
HELLO = b"Content-Length: 5\r\n\r\nhello"


def answer(*replies: bytes) -> Handler:
    """Each request with the next of the replies, and with the last one for ever, in two pieces."""

    def handle(connection: socket.socket) -> None:
        left = list(replies)
        while request := connection.recv(65536):
            assert request.startswith(b"GET / HTTP/1.1\r\n") and request.endswith(b"\r\n\r\n")
            reply = left.pop(0) if len(left) > 1 else left[0]
            connection.sendall(reply[:20])
            connection.sendall(reply[20:])

    return handle


@contextmanager
def serving(handle: Handler, context: ssl.SSLContext | None = None) -> Iterator[int]:
    """A server with a thread for each connection, over TLS where there is a context; its port."""

    class Connection(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            with suppress(OSError):  # the load generator left
                if context is None:
                    handle(self.request)
                else:
                    with context.wrap_socket(self.request, server_side=True) as secured:
                        handle(secured)

    # Leaving it waits for the threads.
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Connection) as server:
        accepting = threading.Thread(target=server.serve_forever, args=(0.01,))
        accepting.start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()
            accepting.join()


def load(port: int, mode: str, *more: str, program: str = "load") -> dict[str, Any]:
    command = [
        *(str(build(program)), "--mode", mode, "--port", str(port), "--connections", str(CONNECTIONS)),
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


@pytest.mark.parametrize("awake", [False, True])
def test_replies_of_http_may_differ_in_their_date(awake: bool) -> None:
    replies = [HEAD + b"date: " + day + b"\r\n" + HELLO for day in (b"Mon", b"Tue", b"Wed")]
    with serving(answer(*replies)) as port:
        report = load(port, "http", *(["--awake"] if awake else []))
    assert report["error"] == ""
    assert report["bytes"] == report["messages"] * len(replies[0]) > 0


@pytest.mark.parametrize(
    ("wrong", "error"),
    [
        (HEAD + HELLO.replace(b"hello", b"hullo"), "the server sent back something else"),
        (HEAD.replace(b"200", b"500") + HELLO, "the server sent back something else"),
        (HEAD + HELLO + b"!", "the server sent more than it was asked for"),
    ],
    ids=["body", "status", "more"],
)
def test_another_reply_of_http_fails(wrong: bytes, error: str) -> None:
    with serving(answer(HEAD + HELLO, HEAD + HELLO, wrong)) as port:
        assert load(port, "http")["error"] == error


@pytest.mark.parametrize(
    ("reply", "error"),
    [
        (HEAD + b"Transfer-Encoding: chunked\r\n\r\n", "the reply is no 200 with a Content-Length"),
        (HEAD.replace(b"200", b"404") + HELLO, "the reply is no 200 with a Content-Length"),
        (HEAD + b"Content-Length: 4\r\n\r\nhello", "the server sent more than it was asked for"),
        (HEAD + b"X: y\r\n" * 20_000, "the reply is longer than 65536 bytes"),
    ],
    ids=["chunked", "status", "more", "long"],
)
def test_a_reply_of_http_that_cannot_be_measured_fails(reply: bytes, error: str) -> None:
    with serving(answer(reply)) as port:
        assert load(port, "http")["error"] == error


@pytest.mark.parametrize("resets", [False, True])
def test_accept_can_close_with_a_reset(resets: bool) -> None:
    ends = []

    def echo_to_the_end(connection: socket.socket) -> None:
        connection.sendall(connection.recv(SIZE))
        try:
            ends.append(connection.recv(SIZE))
        except ConnectionResetError:
            ends.append(None)

    with serving(echo_to_the_end) as port:
        report = load(port, "accept", *(["--reset"] if resets else []))
    assert report["error"] == ""
    # Those in flight at the end of the run are closed as any process closes.
    assert len(ends) >= report["messages"] > CONNECTIONS
    assert ends.count(None if resets else b"") >= report["messages"]


secure = pytest.mark.skipif(
    header_problem("openssl/ssl.h") is not None, reason="there is no OpenSSL to build the load generator against"
)


@secure
@pytest.mark.parametrize("size", [64, 200_000])
@pytest.mark.parametrize("mode", ["echo", "accept"])
def test_over_tls(certificates: Certificates, mode: str, size: int) -> None:
    with serving(echo, certificates.server()) as port:
        report = load(port, mode, "--size", str(size), program="load_tls")
    assert report["error"] == ""
    assert report["bytes"] == report["messages"] * size > 0


@secure
def test_http_over_tls(certificates: Certificates) -> None:
    with serving(answer(HEAD + HELLO), certificates.server()) as port:
        assert load(port, "http", program="load_tls")["error"] == ""


@secure
def test_wrong_bytes_fail_over_tls(certificates: Certificates) -> None:
    with serving(echo_wrongly_from(LATE, change_a_byte), certificates.server()) as port:
        assert load(port, "echo", program="load_tls")["error"] == "the server sent back something else"


@secure
def test_an_older_version_of_tls_fails(certificates: Certificates) -> None:
    with serving(echo, certificates.server(ssl.TLSVersion.TLSv1_2)) as port:
        assert load(port, "echo", program="load_tls")["error"].startswith("handshake: ")


@secure
def test_what_tls_cannot_carry_is_refused() -> None:
    command = [str(build("load_tls")), "--mode", "send", "--port", "1"]
    answer = subprocess.run(command, capture_output=True, timeout=60, check=False)
    assert answer.returncode == 1
    assert answer.stderr == b"load: Operation not supported\n"
