"""Each program in examples/ with real clients, and what it promises in its first lines."""

from __future__ import annotations

import contextlib
import io
import os
import re
import signal
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from peers import Where, connect_plain, need
from programs import EXAMPLES, listening, run, started, where_of

LIMIT = 30  # seconds
KINDS = ("tcp", "unix")


@contextlib.contextmanager
def example(name: str, kind: str, directory: Path, *more: str, **expected: Any) -> Iterator[Where]:
    """An example that listens; where."""
    address = str(directory / "socket") if kind == "unix" else "0"
    with listening(str(EXAMPLES / f"{name}.py"), address, *more, **expected) as where:
        yield where_of(where)
    assert not (directory / "socket").exists()


@contextlib.contextmanager
def client(where: Where) -> Iterator[Any]:
    """A binary file on a connection, read and written by the line."""
    with connect_plain(where) as connection:
        connection.settimeout(LIMIT)
        with connection.makefile("rwb", buffering=0) as file:
            yield file


def nc(where: Where, given: bytes) -> bytes:
    """What nc prints."""
    arguments = ["-U", where] if isinstance(where, str) else ["127.0.0.1", str(where)]
    command = [need("nc", "netcat-openbsd"), "-N", *arguments]
    return subprocess.run(
        command, input=given, capture_output=True, timeout=LIMIT, check=True
    ).stdout


@pytest.mark.parametrize("name", sorted(path.stem for path in EXAMPLES.glob("*.py")))
def test_every_example_is_short_and_says_what_it_is(name: str) -> None:
    text = (EXAMPLES / f"{name}.py").read_text()
    assert text.startswith('"""')
    assert name == "demo" or len(text.splitlines()) < 120


@pytest.mark.parametrize(
    "name", ["chat_server", "line_server", "redis_server", "prefork_server", "echo_server"]
)
def test_an_address_in_use(tmp_path: Path, name: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        result = run(str(EXAMPLES / f"{name}.py"), str(taken.getsockname()[1]))
    assert "address already in use" in result.errors.lower()
    assert result.output == b""


# === Echo ===


def test_echo_server_and_client(tmp_path: Path) -> None:
    path = str(tmp_path / "socket")
    with started("-u", str(EXAMPLES / "echo_server.py"), path) as server:
        assert server.line() == "server bound\n"
        result = run(str(EXAMPLES / "echo_client.py"), path)
        assert (result.code, result.errors) == (0, "")
        # The greeting, and its own word where that has come back already.
        words = " ".join(result.output.decode().split())
        assert re.fullmatch(r"connected to server! hello( world!)? disconnected from server", words)
        server.interrupt()
        result = server.result()
    assert result == (0, b"client connected\nclient disconnected\n", "")


# === Chat ===


def new_guest(file: Any) -> bytes:
    """The name of a guest that has just come."""
    found = re.fullmatch(rb"\* you are (guest\d+), one of \d+\n", file.readline())
    assert found
    return found[1]


@pytest.mark.parametrize("kind", KINDS)
def test_chat(tmp_path: Path, kind: str) -> None:
    with example("chat_server", kind, tmp_path) as where, client(where) as one:
        first = new_guest(one)
        with client(where) as two:
            second = new_guest(two)
            assert one.readline() == b"* %s is here\n" % second
            two.write(b"hel")
            two.write(b"lo\r\nand more\n")
            assert one.readline() == b"%s: hello\n" % second
            assert one.readline() == b"%s: and more\n" % second
            one.write(b"good bye\n")
            assert two.readline() == b"%s: good bye\n" % first
        assert one.readline() == b"* %s has left\n" % second


@pytest.mark.parametrize("kind", KINDS)
def test_a_slow_client_is_dropped_and_the_others_get_everything(tmp_path: Path, kind: str) -> None:
    lines = 12_000  # of 1,000 bytes: far more than the kernel and the server hold for one
    with example("chat_server", kind, tmp_path) as where, connect_plain(where) as slow:
        slow.settimeout(LIMIT)
        with client(where) as quick, connect_plain(where) as speaker:
            new_guest(quick)
            name = new_guest(speaker.makefile("rb"))
            quick.readline()

            # In step: never more on its way to the quick one than its limit allows.
            reader = io.BufferedReader(quick, 2**20)
            for start in range(0, lines, 50):
                numbers = range(start, start + 50)
                speaker.sendall(b"".join(b"%0999d\n" % number for number in numbers))
                for number in numbers:
                    assert reader.readline() == b"%s: %0999d\n" % (name, number)
            # The slow one gets what waited for it, why it is dropped, and the end.
            received = b"".join(iter(lambda: slow.recv(1 << 20), b""))
            assert received.endswith(b"* you are too slow\n")
            assert len(received) < lines * 1000
            slow.close()
            assert b"has left" in reader.readline()


@pytest.mark.parametrize("kind", KINDS)
def test_chat_in_several_processes(tmp_path: Path, kind: str) -> None:
    told = re.compile(rb"\* you are (guest(\d+)\.\d+), one of \d+ at this worker\n")
    with example("chat_cluster", kind, tmp_path) as where, client(where) as one, client(where) as two:
        names = [told.fullmatch(guest.readline()) for guest in (one, two)]
        assert names[0] is not None and names[1] is not None
        # Dealt out in turn.
        assert names[0][2] != names[1][2]
        one.write(b"hello\n")
        assert two.readline() == b"%s: hello\n" % names[0][1]
        two.write(b"good bye\n")
        assert one.readline() == b"%s: good bye\n" % names[1][1]


def test_a_line_without_end_is_not_kept(tmp_path: Path) -> None:
    with example("chat_server", "tcp", tmp_path) as where, client(where) as file:
        new_guest(file)
        file.write(b"x" * 5000)
        assert file.readline() == b"* your line is too long\n"
        assert file.read() == b""


# === Lines ===


@pytest.mark.parametrize("kind", KINDS)
def test_line_server(tmp_path: Path, kind: str) -> None:
    with example("line_server", kind, tmp_path) as where:
        given = "UPPER naïve\nREVERSE abc\r\nSUM 1 2.5\nSUM x\nhello\nupper no newline"
        assert nc(where, given.encode()).decode().splitlines() == [
            "OK NAÏVE",
            "OK cba",
            "OK 3.5",
            "ERROR SUM wants numbers",
            "ERROR no such request: 'hello'",
            "OK NO NEWLINE",
        ]
        with client(where) as file:
            file.write(b"QUIT\nUPPER too late\n")
            assert file.read() == b"BYE\n"


@pytest.mark.parametrize("kind", KINDS)
def test_line_server_with_many_requests_at_once(tmp_path: Path, kind: str) -> None:
    """More answers than the kernel holds, and they are read only afterwards."""
    count = 20_000
    request = b"REVERSE " + b"x" * 200 + b"\n"
    with example("line_server", kind, tmp_path) as where:
        output = nc(where, request * count)
    assert output == b"OK " + (b"x" * 200 + b"\nOK ") * (count - 1) + b"x" * 200 + b"\n"


def test_line_server_limits_a_line(tmp_path: Path) -> None:
    with example("line_server", "tcp", tmp_path) as where, client(where) as file:
        file.write(b"x" * 70_000)
        assert file.read() == b"ERROR the line is too long\n"


def test_line_server_survives_a_reset(tmp_path: Path) -> None:
    with example("line_server", "tcp", tmp_path) as where:
        with connect_plain(where) as connection:
            connection.sendall(b"UPPER a\n")
            connection.recv(1)
            # What is unread when it closes makes it a reset.
            connection.sendall(b"UPPER b\n" * 1000)
        assert nc(where, b"UPPER c\n") == b"OK C\n"


# === Redis ===


def redis(program: str, where: Where, *arguments: str, given: str = "") -> str:
    place = ["-s", where] if isinstance(where, str) else ["-p", str(where)]
    done = subprocess.run(
        [need(program, "redis-tools"), *place, *arguments],
        input=given, capture_output=True, text=True, timeout=LIMIT,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


@pytest.mark.parametrize("kind", KINDS)
def test_redis_cli(tmp_path: Path, kind: str) -> None:
    with example("redis_server", kind, tmp_path) as where:
        commands = (
            'PING\nSET a 41\nINCR a\nGET a\nGET b\nDEL a\nGET a\nECHO "two words"\nINCR c\nDEL c\n'
        )
        output = redis("redis-cli", where, given=commands)
        assert output.split("\n") == [
            "PONG", "OK", "42", "42", "", "1", "", "two words", "1", "1", "",
        ]  # fmt: skip
        errors = redis("redis-cli", where, given="SET a b\nINCR a\nGET\nNO SUCH\n")
        assert errors.split("\n\n")[1:] == [
            "ERR wrong number of arguments for 'get' command",
            "ERR unknown command 'NO'",
            "",
        ]
        assert "ERR value is not an integer" in errors
        binary = bytes(range(256)).decode("latin-1")
        assert redis("redis-cli", where, "-x", "SET", "key", given=binary) == "OK\n"


@pytest.mark.parametrize("kind", KINDS)
def test_redis_benchmark(tmp_path: Path, kind: str) -> None:
    with example("redis_server", kind, tmp_path) as where:
        output = redis(
            "redis-benchmark", where, "-t", "ping,set,get,incr", "-P", "16", "-n", "2000", "-q"
        )
        finished = re.findall(r"(\w+): [\d.]+ requests per second", output)
        assert finished == ["PING_INLINE", "PING_MBULK", "SET", "GET", "INCR"]
        # 2,000 times, on one key.
        assert redis("redis-cli", where, "GET", "counter:__rand_int__") == "2000\n"


def test_redis_commands_in_pieces(tmp_path: Path) -> None:
    """A command may be cut anywhere; several may come at once."""
    command = (
        b"*3\r\n$3\r\nSET\r\n$1\r\na\r\n$4\r\n\r\n\0x\r\nPING\r\n*2\r\n$3\r\nGET\r\n$1\r\na\r\n"
    )
    answer = b"+OK\r\n+PONG\r\n$4\r\n\r\n\0x\r\n"
    with example("redis_server", "tcp", tmp_path) as where, connect_plain(where) as connection:
        connection.settimeout(LIMIT)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for size in (1, 2, 7, len(command)):
            for start in range(0, len(command), size):
                connection.sendall(command[start : start + size])
            received = b""
            while len(received) < len(answer):
                received += connection.recv(100)
            assert received == answer


@pytest.mark.parametrize(
    "given", [b"*x\r\n", b"*1\r\n$-1\r\n", b"*1\r\n$x\r\n", b"*1\r\n+OK\r\n"], ids=repr
)
def test_redis_protocol_errors(tmp_path: Path, given: bytes) -> None:
    with example("redis_server", "tcp", tmp_path) as where:
        with client(where) as file:
            file.write(b"PING\r\n" + given)
            assert file.readline() == b"+PONG\r\n"
            assert file.readline().startswith(b"-ERR Protocol error: ")
            assert file.readline() == b""
        with client(where) as file:
            file.write(b"PING\r\n")
            assert file.readline() == b"+PONG\r\n"


# === Several processes ===


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["Ctrl-C", "SIGTERM"])
@pytest.mark.parametrize("kind", KINDS)
def test_prefork_server(tmp_path: Path, kind: str, number: int) -> None:
    """A signal ends the parent and all workers; the workers hold stderr until then."""
    with contextlib.ExitStack() as stack:
        where = stack.enter_context(example("prefork_server", kind, tmp_path, "3", number=number))
        workers = set()
        for _ in range(3):
            file = stack.enter_context(client(where))
            found = re.fullmatch(rb"worker (\d+)\n", file.readline())
            assert found
            workers.add(int(found[1]))
            file.write(b"hello\n")
            assert file.readline() == b"hello\n"
        assert os.getpid() not in workers


def test_prefork_server_stops_when_its_parent_is_killed(tmp_path: Path) -> None:
    with started(str(EXAMPLES / "prefork_server.py"), "0", "2") as program:
        where = where_of(program.line().strip())
        with client(where) as file:
            assert file.readline().startswith(b"worker ")
            program.process.kill()
            assert file.readline() == b""
        # The workers hold stdout and stderr until they have ended.
        assert program.result() == (-signal.SIGKILL, b"", "")


def test_prefork_server_stops_when_a_worker_dies(tmp_path: Path) -> None:
    with started(str(EXAMPLES / "prefork_server.py"), "0", "2") as program:
        where = where_of(program.line().strip())
        with client(where) as file:
            worker = int(file.readline().split()[1])
            os.kill(worker, signal.SIGKILL)
            code, output, errors = program.result()
    assert (code, output) == (1, b"")
    assert errors == "a worker has ended by itself; stopping the others\n"
