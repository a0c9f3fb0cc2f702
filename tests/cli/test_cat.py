"""`python -m uvnet cat`: every byte, both half-closes, bounded memory, whatever stdin and stdout are."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import pty
import re
import signal
import socket as plain
import struct
import subprocess
import sys
import termios
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from harness import Transport
from peers import BLOCK, Where, connect_plain, need, write_payload
from programs import COMMAND, Program, run, started

from uvnet._cli.cat import _Progress

MEBIBYTE = 2**20
ENOUGH = 16 * MEBIBYTE  # far more than the kernel holds for a pipe and a Unix socket


@contextlib.contextmanager
def peer(
    transport: Transport, talk: Callable[[plain.socket], Any]
) -> Iterator[tuple[str, Future[Any]]]:
    """A server for one connection, talk(connection) in a thread; gives its address and the result to come."""
    if transport.kind == "unix":
        listener = plain.socket(plain.AF_UNIX)
        listener.bind(transport.path)
        listener.listen()
        address = transport.path
    else:
        listener = plain.create_server(("127.0.0.1", 0))
        address = f"127.0.0.1:{listener.getsockname()[1]}"

    def serve() -> Any:
        connection, _ = listener.accept()
        with connection:
            return talk(connection)

    with listener, ThreadPoolExecutor(1) as pool:
        listener.settimeout(30)
        result = pool.submit(serve)
        yield address, result
        result.result(30)


def receive_all(connection: plain.socket) -> bytes:
    received = bytearray()
    while chunk := connection.recv(BLOCK):
        received += chunk
    return bytes(received)


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def echo(connection: plain.socket) -> None:
    while chunk := connection.recv(BLOCK):
        connection.sendall(chunk)


def where_it_listens(program: Program) -> Where:
    """What `cat -v -l` has said."""
    line = program.error_line()
    assert line.startswith("uvnet: listening on ")
    address = line.removeprefix("uvnet: listening on ").strip()
    return address if address.startswith("/") else int(address.rpartition(":")[2])


def listen_address(transport: Transport) -> str:
    return transport.path if transport.kind == "unix" else "127.0.0.1:0"


# === Every byte ===


@pytest.mark.parametrize("stdout", ["file", "pipe"])
@pytest.mark.parametrize("stdin", ["file", "pipe"])
def test_64_mebibytes_there_and_back(
    transport: Transport, tmp_path: Path, stdin: str, stdout: str
) -> None:
    source = write_payload(tmp_path / "source", 64 * MEBIBYTE)
    sink = tmp_path / "sink"
    with (
        peer(transport, echo) as (address, _),
        source.open("rb") as given,
        sink.open("wb") as taken,
    ):
        options = {"stdin": given} if stdin == "file" else {}
        if stdout == "file":
            options["stdout"] = taken
        result = run(
            *COMMAND,
            "cat",
            address,
            given=source.read_bytes() if stdin == "pipe" else b"",
            **options,
        )
    assert (result.code, result.errors) == (0, "")
    received = result.output if stdout == "pipe" else sink.read_bytes()
    assert digest(received) == digest(source.read_bytes())


@pytest.mark.parametrize("client", ["nc", "socat"])
def test_listening_for_a_real_client(transport: Transport, tmp_path: Path, client: str) -> None:
    """5 MB each way at the same time; the socket file is gone afterwards."""
    there = write_payload(tmp_path / "there", 5_000_000)
    back = bytes(reversed(there.read_bytes()))
    with started(*COMMAND, "cat", "-v", "-l", listen_address(transport)) as program:
        where = where_it_listens(program)
        if client == "nc":
            arguments = ["-U", where] if isinstance(where, str) else ["127.0.0.1", str(where)]
            command = [need("nc", "netcat-openbsd"), "-N", *arguments]
        else:
            target = f"UNIX-CONNECT:{where}" if isinstance(where, str) else f"TCP:127.0.0.1:{where}"
            command = [need("socat", "socat"), "-t", "60", "-", target]
        with there.open("rb") as given:
            process = subprocess.Popen(command, stdin=given, stdout=subprocess.PIPE)
        with process, ThreadPoolExecutor(1) as pool:
            result = pool.submit(program.result, back)
            assert process.stdout is not None
            assert digest(process.stdout.read()) == digest(back)
        assert process.returncode == 0
        code, output, errors = result.result()
    assert (code, digest(output)) == (0, digest(there.read_bytes()))
    assert errors.startswith("uvnet: connection from ")
    assert not Path(transport.path).exists()


def test_only_one_connection_is_taken(transport: Transport) -> None:
    with started(*COMMAND, "cat", "-v", "-l", listen_address(transport)) as program:
        where = where_it_listens(program)
        with connect_plain(where) as client:
            assert program.error_line().startswith("uvnet: connection from ")
            with pytest.raises((ConnectionRefusedError, FileNotFoundError)):
                connect_plain(where)
            client.sendall(b"hello")
            client.shutdown(plain.SHUT_WR)
            code, output, errors = program.result(b"good bye")
            assert (code, output) == (0, b"hello")
            assert errors.splitlines()[-1].startswith("uvnet: 8 bytes sent, 5 bytes received, ")
            assert receive_all(client) == b"good bye"


# === Half-close ===


def test_the_end_of_stdin_is_passed_on(transport: Transport) -> None:
    """The server answers only after the end."""

    def talk(connection: plain.socket) -> None:
        connection.sendall(b"you said " + receive_all(connection))

    with peer(transport, talk) as (address, _):
        assert run(*COMMAND, "cat", address, given=b"hello") == (0, b"you said hello", "")


def test_the_end_of_the_connection_is_passed_on(transport: Transport) -> None:
    """stdout ends, and stdin goes on."""

    def talk(connection: plain.socket) -> bytes:
        connection.sendall(b"that is all")
        connection.shutdown(plain.SHUT_WR)
        return receive_all(connection)

    with peer(transport, talk) as (address, received), started(*COMMAND, "cat", address) as program:
        assert program.stdout.read() == b"that is all"
        program.stdin.write(b"still ")
        program.stdin.flush()
        assert program.result(b"talking") == (0, b"", "")
        assert received.result() == b"still talking"


def test_nothing_at_all(transport: Transport) -> None:
    with peer(transport, echo) as (address, _):
        assert run(*COMMAND, "cat", address) == (0, b"", "")


# === Backpressure ===


def settled(count: Callable[[], int]) -> int:
    """What `count` comes to, once it has not changed for a while."""
    last, same = -1, 0
    for _ in range(3000):
        now = count()
        same = same + 1 if now == last and now else 0
        if same == 30:
            return now
        last = now
        time.sleep(0.01)
    raise AssertionError("it never settled")


class Flood:
    """Writes ENOUGH bytes with `write` in a thread, and counts."""

    def __init__(self, write: Callable[[bytes], Any]) -> None:
        self.write = write
        self.sent = 0
        self.thread = threading.Thread(target=self.run)
        self.thread.start()

    def run(self) -> None:
        block = bytes(65_536)
        while self.sent < ENOUGH:
            self.write(block)
            self.sent += len(block)


def test_a_reader_of_stdout_that_stops(tmp_path: Path) -> None:
    floods: list[Flood] = []
    ready = threading.Event()

    def talk(connection: plain.socket) -> None:
        floods.append(Flood(connection.sendall))
        ready.set()
        floods[0].thread.join()

    with (
        peer(Transport("unix", tmp_path), talk) as (address, _),
        started(*COMMAND, "cat", address) as program,
    ):
        assert ready.wait(30)
        assert settled(lambda: floods[0].sent) < 4 * MEBIBYTE
        result = program.result()
    assert (result.code, result.errors, len(result.output)) == (0, "", ENOUGH)


def test_a_server_that_stops_reading(tmp_path: Path) -> None:
    go_on = threading.Event()

    def talk(connection: plain.socket) -> int:
        assert go_on.wait(60)
        return len(receive_all(connection))

    with peer(Transport("unix", tmp_path), talk) as (address, received):
        with started(*COMMAND, "cat", address) as program:
            flood = Flood(lambda block: os.write(program.stdin.fileno(), block))
            assert settled(lambda: flood.sent) < 4 * MEBIBYTE
            go_on.set()
            flood.thread.join()
            assert program.result() == (0, b"", "")
        assert received.result(30) == ENOUGH


# === Failures ===


@pytest.mark.parametrize("sizes", [(200_000,), (70_000, 20_000, 10_000)], ids=str)
def test_what_came_before_a_reset_is_written(tmp_path: Path, sizes: tuple[int, ...]) -> None:
    """Nobody reads stdout until the connection has failed, so that some of it is still inside.

    Of little that comes in parts the last is in the socket's buffer by then.
    """

    def talk(connection: plain.socket) -> None:
        for size in sizes:
            connection.sendall(bytes(size))
            left = b"...."
            for _ in range(3000):
                # How much the other end's system has not acknowledged.
                left = fcntl.ioctl(connection, termios.TIOCOUTQ, b"....")
                if struct.unpack("i", left) == (0,):
                    break
                time.sleep(0.01)
            # And for the program to read it.
            time.sleep(0.1)
        connection.setsockopt(plain.SOL_SOCKET, plain.SO_LINGER, struct.pack("ii", 1, 0))

    with (
        peer(Transport("tcp", tmp_path), talk) as (address, reset),
        started(*COMMAND, "cat", address) as program,
    ):
        reset.result(30)
        output = program.stdout.read()
        assert program.result() == (1, b"", "uvnet: read ECONNRESET\n")
    assert len(output) == sum(sizes)


def test_nobody_reads_stdout(transport: Transport) -> None:
    def talk(connection: plain.socket) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection.sendall(bytes(65_536))

    with peer(transport, talk) as (address, _), started(*COMMAND, "cat", address) as program:
        program.stdout.read(1)
        program.stdout.close()
        assert program.process.wait(30) == 141
        assert program.error_line() == ""


def test_the_connection_breaks_but_not_stdout(tmp_path: Path) -> None:
    """An EPIPE that is an error."""

    def talk(connection: plain.socket) -> None:
        connection.recv(1)

    with peer(Transport("unix", tmp_path), talk) as (address, _), started(*COMMAND, "cat", address) as program:
        program.stdin.write(b"x")
        program.stdin.flush()
        # The other end is gone, both ways, before more is written.
        assert program.stdout.read() == b""
        assert program.result(bytes(1000)) == (1, b"", "uvnet: write EPIPE\n")


# === What went through ===

SUMS = re.compile(r"uvnet: (.+) sent, (.+) received, (\d+\.\d) s")


def test_what_waits_is_not_sent() -> None:
    socket: Any = SimpleNamespace(bytes_written=100, writable_length=30, bytes_read=5)
    assert _Progress(socket).sums() == (70, 5)


def test_a_connection_that_does_not_come_about(tmp_path: Path) -> None:
    """Nothing is said of one, nor of what went through."""
    missing = tmp_path / "nobody"
    assert run(*COMMAND, "cat", "-v", str(missing)) == (1, b"", f"uvnet: connect ENOENT {missing}\n")


def test_sums_at_the_end(transport: Transport) -> None:
    with peer(transport, echo) as (address, _):
        result = run(*COMMAND, "cat", "-v", address, given=bytes(3_000_000))
    assert (result.code, len(result.output)) == (0, 3_000_000)
    first, *_, last = result.errors.splitlines()
    assert first.startswith("uvnet: connected to ")
    found = SUMS.fullmatch(last)
    assert found is not None
    assert found[1] == found[2] == "3000000 bytes (2.9 MiB)"


def test_sums_after_an_error(transport: Transport) -> None:
    def talk(connection: plain.socket) -> None:
        connection.sendall(b"12345")

    with peer(transport, talk) as (address, _), started(*COMMAND, "cat", "-v", address) as program:
        assert program.stdout.read() == b"12345"
        program.interrupt()
        result = program.result()
    assert result.code == 130
    found = SUMS.fullmatch(result.errors.splitlines()[-1])
    assert found is not None
    assert found[2] == "5 bytes"


def test_progress_every_second_while_something_moves(transport: Transport) -> None:
    with peer(transport, echo) as (address, _), started(*COMMAND, "cat", "-v", address) as program:
        assert program.error_line().startswith("uvnet: connected to ")
        for count in (1, 2):
            program.stdin.write(b"x")
            program.stdin.flush()
            assert program.stdout.read(1) == b"x"
            found = SUMS.fullmatch(program.error_line().strip())
            assert found is not None
            assert found[1] == found[2] == f"{count} byte{'s' * (count > 1)}"
            assert float(found[3]) >= 0.9
        code, _, errors = program.result()
        assert code == 0
        assert len(errors.splitlines()) == 1


def test_sums_on_request(transport: Transport) -> None:
    """Without -v too."""
    with peer(transport, echo) as (address, _), started(*COMMAND, "cat", address) as program:
        program.stdin.write(b"hello")
        program.stdin.flush()
        assert program.stdout.read(5) == b"hello"
        program.process.send_signal(signal.SIGUSR1)
        found = SUMS.fullmatch(program.error_line().strip())
        assert found is not None
        assert found[1] == found[2] == "5 bytes"
        assert program.result() == (0, b"", "")


def test_stdin_that_cannot_be_read(transport: Transport, tmp_path: Path) -> None:
    """A file that is open for writing alone."""
    with peer(transport, echo) as (address, _), (tmp_path / "file").open("wb") as given:
        result = run(*COMMAND, "cat", address, stdin=given)
    assert result == (1, b"", "uvnet: read EBADF: bad file descriptor, standard input\n")


@pytest.mark.parametrize("number", [0, 1, 2])
def test_a_closed_descriptor(transport: Transport, number: int) -> None:
    """The sockets of the program take the free numbers, and libuv does not close 0, 1 and 2."""
    script = f'exec {number}{"<" if number == 0 else ">"}&-; exec "$@"'
    with peer(transport, echo) as (address, _):
        process = subprocess.Popen(
            ["sh", "-c", script, "sh", sys.executable, *COMMAND, "cat", address],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip
        output, errors = process.communicate(b"" if number == 0 else b"hello", 60)
    if number == 1:
        assert errors == b"uvnet: write EBADF: bad file descriptor, standard output\n"
        assert process.returncode == 1
    else:
        assert (output, errors) == (b"" if number == 0 else b"hello", b"")
        assert process.returncode == 0


# === Kinds of stdin and stdout ===


def test_a_terminal(transport: Transport) -> None:
    """Ctrl-D is the end of stdin."""
    master, slave = pty.openpty()
    attributes = termios.tcgetattr(slave)
    attributes[3] &= ~termios.ECHO
    attributes[1] &= ~termios.OPOST
    termios.tcsetattr(slave, termios.TCSANOW, attributes)
    with peer(transport, echo) as (address, _):
        with started(*COMMAND, "cat", address, stdin=slave, stdout=slave) as program:
            os.write(master, b"hello\n")
            assert os.read(master, 100) == b"hello\n"
            os.write(master, b"\x04")
            assert program.process.wait(30) == 0
    os.close(slave)
    os.close(master)


def test_pipes_that_do_not_block(transport: Transport) -> None:
    """Whoever shares them may have set O_NONBLOCK: then both wait, and neither fails."""
    ours, stdin = plain.socketpair()
    ours.settimeout(30)
    stdin.setblocking(False)
    with ours, peer(transport, echo) as (address, _):
        with started(*COMMAND, "cat", address, stdin=stdin, stdout=stdin) as program:
            stdin.close()
            sender = threading.Thread(
                target=lambda: (ours.sendall(bytes(3_000_000)), ours.shutdown(plain.SHUT_WR))
            )
            sender.start()
            assert len(receive_all(ours)) == 3_000_000
            sender.join()
            assert program.process.wait(30) == 0


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)], ids=["Ctrl-C", "SIGTERM"]
)
@pytest.mark.parametrize("state", ["listening", "reading", "writing"])
def test_signals(transport: Transport, state: str, number: int, code: int) -> None:
    """While it waits for a client, for stdin, or for somebody to read stdout."""

    def talk(connection: plain.socket) -> None:
        connection.sendall(b"hello")
        with contextlib.suppress(OSError):
            if state == "writing":
                connection.sendall(bytes(ENOUGH))
            connection.recv(1)

    if state == "listening":
        with started(*COMMAND, "cat", "-v", "-l", listen_address(transport)) as program:
            where_it_listens(program)
            program.process.send_signal(number)
            assert program.result() == (code, b"", "")
        assert not Path(transport.path).exists()
        return
    with peer(transport, talk) as (address, _), started(*COMMAND, "cat", address) as program:
        assert program.stdout.read(5) == b"hello"
        program.process.send_signal(number)
        assert program.process.wait(30) == code
        assert program.error_line() == ""
