"""send_file(): a file in its place among the writes, by sendfile(2) and by reading, and what becomes of it."""

from __future__ import annotations

import asyncio
import gzip
import io
import os
import signal
import socket as plain
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from awaitable import pair
from descriptors import open_descriptors
from harness import Player, Transport
from pairs import SMALL, read_now, reset, take_over
from waiting import turns, until

import uvnet

CONTENTS = bytes(range(256)) * 8192  # 2 MiB


@pytest.fixture
def path(tmp_path: Path) -> Path:
    (tmp_path / "file").write_bytes(CONTENTS)
    return tmp_path / "file"


@pytest.fixture
def file(path: Path) -> Iterator[Any]:
    with path.open("rb") as opened:
        yield opened


@pytest.mark.parametrize(
    ("offset", "count"),
    [(0, None), (1000, None), (0, 5000), (1000, 5000), (len(CONTENTS), None), (7, 0), (1, len(CONTENTS) - 1)],
)
def test_a_part_of_a_file(
    play: Player, transport: Transport, file: Any, offset: int, count: int | None
) -> None:
    async def scenario() -> None:
        expected = CONTENTS[offset:] if count is None else CONTENTS[offset : offset + count]
        async with pair(transport) as (client, socket):
            file.seek(3)
            client.write("head")
            sending = client.send_file(file, offset, count)
            client.write("tail")
            client.end("end")
            assert await socket.read_all(1 << 22) == b"head" + expected + b"tailend"
            assert await sending == len(expected)
            assert file.tell() == (offset + len(expected) if expected else 3)
            assert client.bytes_written == len(expected) + 11

    play(scenario)


def test_files_and_writes_keep_their_order(play: Player, transport: Transport, file: Any) -> None:
    """Also corked, and with callbacks, which come in the order of what they are of."""

    async def scenario() -> None:
        async with pair(transport) as (client, socket):
            log: list[Any] = []
            part = CONTENTS[:300_000]
            client.cork()
            assert client.send_file(file, 0, 300_000, lambda *told: log.append(told)) is client
            client.write("1", lambda error: log.append(("1", error)))
            client.send_file(file, 0, 300_000, lambda *told: log.append(told))
            client.send_file(io.BytesIO(b"memory"), callback=lambda *told: log.append(told))
            client.write("2", lambda error: log.append(("2", error)))
            await turns()
            assert log == []
            client.uncork()
            client.write("3")
            client.end(lambda error: log.append(("end", error)))
            assert await socket.read_all(1 << 22) == part + b"1" + part + b"memory" + b"23"
            await until(lambda: len(log) == 6)
            assert log == [
                (None, 300_000), ("1", None), (None, 300_000), (None, 6), ("2", None), ("end", None),
            ]  # fmt: skip

    play(scenario)


def test_before_there_is_a_connection(play: Player, transport: Transport, file: Any) -> None:
    async def scenario() -> None:
        received: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

        async def take(socket: uvnet.Socket) -> None:
            received.set_result(await socket.read_all(1 << 22))

        server = uvnet.create_server(take).listen(*transport.listen_arguments)
        await until(lambda: server.listening)
        client = uvnet.connect(*transport.connect_arguments(server))
        sending = client.send_file(file)
        client.end("after")
        assert await sending == len(CONTENTS)
        assert await received == CONTENTS + b"after"
        await server.shutdown()

    play(scenario)


def test_a_reader_that_stops(play: Player, path: Path) -> None:
    """The file goes as far as the system takes it; memory, the loop and everybody else are free of it."""

    async def scenario() -> None:
        socket, peer = take_over("tcp", max_buffered=100_000)
        with path.open("rb") as opened:
            sending = socket.send_file(opened)
        # It may be closed at once.
        await turns(20)
        assert not sending.done()
        assert socket.writable_length == 0
        assert 0 < socket.bytes_written < len(CONTENTS)
        socket.write(bytes(50_000))
        received = 0
        while received < len(CONTENTS) + 50_000:
            received += len(read_now(peer) or b"")
            await asyncio.sleep(0)
        assert await sending == len(CONTENTS)
        socket.destroy()
        peer.close()

    play(scenario)


@pytest.mark.parametrize("kind", ["memory", "pipe", "gzip", "temporary", "unbuffered", "written", "unsized"])
def test_all_kinds_of_files(
    play: Player, transport: Transport, tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is behind the descriptor is not always what is read."""
    text = CONTENTS[:700_000]

    def make() -> Any:
        if kind == "memory":
            return io.BytesIO(text)
        if kind == "pipe":
            reading, writing = os.pipe()
            os.write(writing, text[:50_000])
            os.close(writing)
            return open(reading, "rb")
        if kind == "gzip":
            with gzip.open(tmp_path / "gz", "wb") as packed:
                packed.write(text)
            return gzip.open(tmp_path / "gz", "rb")
        if kind == "temporary":
            made: Any = tempfile.NamedTemporaryFile(dir=tmp_path)  # noqa: SIM115
            made.write(text)
            return made
        if kind == "written":
            made = (tmp_path / "both").open("w+b")
            made.write(text)
            return made
        if kind == "unsized":
            return open("/proc/self/maps", "rb")
        (tmp_path / "raw").write_bytes(text)
        return open(tmp_path / "raw", "rb", buffering=0)

    async def scenario() -> None:
        expected = text[:50_000] if kind == "pipe" else text
        async with pair(transport) as (client, socket):
            with make() as opened:
                if kind == "unsized":
                    # Its size is said to be 0.
                    assert await client.send_file(opened) == 0
                    return
                sending = client.send_file(opened)
                client.end()
                assert await socket.read_all(1 << 20) == expected
                assert await sending == len(expected)

    if kind == "unsized" and not os.path.exists("/proc/self/maps"):
        pytest.skip("no /proc")
    play(scenario)


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ((None,), TypeError),
        (("path",), TypeError),
        ((3,), TypeError),
        ((io.StringIO("text"),), TypeError),
        ((io.BytesIO(), -1), ValueError),
        ((io.BytesIO(), 1.0), TypeError),
        ((io.BytesIO(), True), TypeError),
        ((io.BytesIO(), 0, -1), ValueError),
        ((io.BytesIO(), 0, "1"), TypeError),
        ((io.BytesIO(), 0, 2**63), ValueError),
        ((io.BytesIO(), 0, None, "callback"), TypeError),
    ],
)
def test_bad_arguments(play: Player, arguments: tuple[Any, ...], error: type[Exception]) -> None:
    async def scenario() -> None:
        socket, peer = take_over("unix")
        with pytest.raises(error):
            socket.send_file(*arguments)
        assert socket.writable
        assert await socket.send_file(io.BytesIO(b"fine")) == 4
        assert read_now(peer) == b"fine"
        socket.destroy()
        peer.close()

    play(scenario)


def test_parts_that_a_file_does_not_have(play: Player, path: Path, file: Any) -> None:
    async def scenario() -> None:
        socket, peer = take_over("unix")
        before = open_descriptors()
        for offset, count, name in ((len(CONTENTS) + 1, None, "offset"), (5, len(CONTENTS) - 4, "count")):
            with pytest.raises(ValueError, match=f'"{name}" is out of range'):
                socket.send_file(file, offset, count)
        with path.open("ab") as written, pytest.raises(ValueError, match="opened for reading"):
            socket.send_file(written)
        with path.open() as text, pytest.raises(TypeError, match="binary mode"):
            socket.send_file(text)  # type: ignore[call-overload]
        reading, writing = os.pipe()
        with open(reading, "rb") as pipe, pytest.raises(ValueError, match="must be 0"):
            socket.send_file(pipe, 5)
        os.close(writing)
        for closed in (pipe, path.open("rb"), io.BytesIO()):
            closed.close()
            with pytest.raises(ValueError, match="closed"):
                socket.send_file(closed)
        socket.end()
        with pytest.raises(RuntimeError, match="write after end"):
            socket.send_file(file)
        socket.destroy()
        with pytest.raises(RuntimeError):
            socket.send_file(file)
        assert len(open_descriptors()) <= len(before)
        peer.close()

    play(scenario)


def test_a_socket_that_was_never_connected(play: Player, file: Any) -> None:
    async def scenario() -> None:
        socket = uvnet.Socket()
        with pytest.raises(RuntimeError, match="Socket is closed"):
            await socket.send_file(file)
        assert socket.destroyed

    play(scenario)


@pytest.mark.parametrize("counted", [True, False])
def test_a_file_that_shrinks(play: Player, path: Path, file: Any, counted: bool) -> None:
    """The other end was promised more: the connection is of no use any more, and the error says how much went."""

    async def scenario() -> None:
        socket, peer = take_over("tcp")
        errors: list[Exception] = []
        socket.on("error", errors.append)
        sending = socket.send_file(file, 100, len(CONTENTS) - 100 if counted else None)
        behind: list[Any] = []
        socket.write("behind", behind.append)
        await turns()
        os.truncate(path, 1_500_000)
        received = 0
        while (chunk := read_now(peer)) != b"":
            received += len(chunk or b"")
            await asyncio.sleep(0)
        with pytest.raises(RuntimeError, match="cut short while it was sent") as failure:
            await sending
        assert failure.value.code == "ERR_FILE_TOO_SHORT"
        assert f": {received} of {len(CONTENTS) - 100} bytes" in str(failure.value)
        assert received == 1_500_000 - 100
        assert errors == [failure.value]
        assert behind == [failure.value]
        peer.close()

    play(scenario)


def test_a_file_that_ends_before_its_count(play: Player) -> None:
    """Of one that is read it is known only then."""

    async def scenario() -> None:
        socket, peer = take_over("unix")
        with pytest.raises(RuntimeError, match="4 of 5 bytes"):
            await socket.send_file(io.BytesIO(b"four"), 0, 5)
        assert socket.destroyed
        peer.close()

    play(scenario)


class Broken(io.RawIOBase):
    """A file that cannot be read to its end."""

    def __init__(self, failure: Any) -> None:
        self.blocks = [b"first", failure]

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> Any:
        block = self.blocks.pop(0)
        if isinstance(block, Exception):
            raise block
        return block


@pytest.mark.parametrize(("failure", "kind"), [(LookupError("mine"), LookupError), ("text", TypeError)])
def test_a_file_that_cannot_be_read(play: Player, failure: Any, kind: type[Exception]) -> None:
    async def scenario() -> None:
        socket, peer = take_over("unix")
        told: list[Any] = []
        socket.on("error", lambda error: None)
        socket.send_file(Broken(failure), callback=lambda *outcome: told.append(outcome))
        await until(lambda: socket.closed and told)
        ((error, sent),) = told
        assert isinstance(error, kind)
        assert sent == 5
        assert read_now(peer) == b"first"
        peer.close()

    play(scenario)


@pytest.mark.parametrize("memory", [True, False])
@pytest.mark.parametrize("how", ["reset", "destroy", "error"])
def test_lost_in_the_middle(play: Player, file: Any, how: str, memory: bool) -> None:
    async def scenario() -> None:
        socket, peer = take_over("tcp")
        before = len(open_descriptors())
        sending = socket.send_file(io.BytesIO(CONTENTS * 2) if memory else file)
        behind = socket.send_file(file)
        while not read_now(peer):
            await asyncio.sleep(0)
        if how == "reset":
            reset(peer)
        elif how == "destroy":
            socket.destroy()
        else:
            socket.destroy(LookupError("mine"))
        with pytest.raises((OSError, RuntimeError, LookupError)):
            await sending
        with pytest.raises((OSError, RuntimeError, LookupError)):
            await behind
        await until(lambda: socket.closed)
        del sending, behind
        await turns()
        assert len(open_descriptors()) < before + 1
        peer.close()

    play(scenario)


def test_whoever_gives_up_waiting_does_not_stop_it(play: Player, transport: Transport, file: Any) -> None:
    async def scenario() -> None:
        socket, peer = take_over(transport.kind)
        sending = socket.send_file(file)
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(sending, 0.001)
        socket.end("after")
        received = b""
        while (chunk := read_now(peer)) != b"":
            received += chunk or b""
            await asyncio.sleep(0)
        assert received == CONTENTS + b"after"
        socket.destroy()
        peer.close()

    play(scenario)


def test_an_error_in_the_callback(play: Player, transport: Transport, file: Any) -> None:
    """As in any other: reported once, and the socket is destroyed."""

    async def scenario() -> None:
        async with pair(transport) as (client, socket):
            client.send_file(file, 0, 10, lambda error, sent: 1 / 0)
            assert await socket.read_exactly(10) == CONTENTS[:10]
            await until(lambda: client.destroyed)

    play(scenario)
    play.expect_report(ZeroDivisionError)


def test_an_async_callback(play: Player, transport: Transport, file: Any) -> None:
    async def scenario() -> None:
        async with pair(transport) as (client, socket):

            async def sent(error: Exception | None, count: int) -> None:
                await asyncio.sleep(0)
                client.end(f"{error} {count}")

            client.send_file(file, 0, 10, sent)
            assert await socket.read_all(100) == CONTENTS[:10] + b"None 10"

    play(scenario)


def test_close_waits_for_the_file(play: Player, file: Any) -> None:
    async def scenario() -> None:
        socket, peer = take_over("unix")
        sending = socket.send_file(file)
        closing = socket.close(0.05)
        with pytest.raises((OSError, RuntimeError)):
            await sending
        assert await closing is False
        peer.close()
        socket, peer = take_over("unix")
        sending = socket.send_file(file)
        closing = socket.close(10)
        received = 0
        while (chunk := read_now(peer)) != b"":
            received += len(chunk or b"")
            await asyncio.sleep(0)
        assert await closing is True
        assert received == await sending == len(CONTENTS)
        peer.close()

    play(scenario)


def test_several_sockets_send_one_file(play: Player, file: Any) -> None:
    """Each is at a place of its own in it."""

    async def scenario() -> None:
        async def one(start: int) -> None:
            async with pair(Transport("tcp", Path())) as (client, socket):
                sending = client.send_file(file, start)
                client.end()
                assert await socket.read_all(1 << 22) == CONTENTS[start:]
                assert await sending == len(CONTENTS) - start

        await asyncio.gather(*(one(start) for start in range(0, 5000, 1000)))

    play(scenario)


def test_by_copying(play: Player, transport: Transport, file: Any) -> None:
    """sendfile(2) does not do without SIGPIPE: where that would end the process, the file is copied."""
    before = signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    try:

        async def scenario() -> None:
            async with pair(transport) as (client, socket):
                sending = client.send_file(file, 5)
                client.end("after")
                assert await socket.read_all(1 << 22) == CONTENTS[5:] + b"after"
                assert await sending == len(CONTENTS) - 5

        play(scenario)
    finally:
        signal.signal(signal.SIGPIPE, before)


def test_the_next_life(play: Player, file: Any) -> None:
    """A file of an earlier connection is over with that."""

    async def scenario() -> None:
        with plain.create_server(("127.0.0.1", 0)) as listening:
            listening.setsockopt(plain.SOL_SOCKET, plain.SO_RCVBUF, SMALL)
            where = listening.getsockname()[1], "127.0.0.1"
            socket = await uvnet.open_connection(*where, send_buffer=SMALL)
            first, _ = listening.accept()
            sending = socket.send_file(file)
            await turns()
            socket.destroy()
            socket.connect(*where)
            with pytest.raises((OSError, RuntimeError)):
                await sending
            await until(lambda: not socket.connecting)
            second, _ = listening.accept()
            assert await socket.send_file(file, 0, 5) == 5
            second.settimeout(10)
            assert second.recv(100) == CONTENTS[:5]
            socket.destroy()
            first.close()
            second.close()

    play(scenario)
