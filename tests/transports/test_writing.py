"""What is written, how much may wait, and what protocols hear of it; asyncio's own transports are the oracle."""

from __future__ import annotations

import array
import asyncio
import contextlib
import logging
import sys
from collections.abc import Callable
from typing import Any

import pytest
from both_loops import Scene, both, ours, play_on, read_all, told
from waiting import until

KINDS = ["tcp", "unix"]
MUCH = 8 << 20  # bytes, more than the kernel takes

# Of asyncio since CPython 3.12: with nothing to write, once the connection is lost, and by not pausing.
WRITELINES_FAILS = sys.version_info >= (3, 12)
WRITELINES_KEEPS = sys.version_info >= (3, 15)  # asyncio's: what came before the item that is wrong waits for ever
DATA: dict[str, Callable[[], Any]] = {
    "bytes": lambda: b"data",
    "bytearray": lambda: bytearray(b"data"),
    "memoryview": lambda: memoryview(b"data"),
    "memoryview of a bytearray": lambda: memoryview(bytearray(b"data")),
    "part of one": lambda: memoryview(b"no data")[3:],
    "subclass": lambda: type("Bytes", (bytes,), {})(b"data"),
    "other items": lambda: memoryview(array.array("H", [1, 2])),
    "empty": lambda: b"",
    "empty view": lambda: memoryview(b""),
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("what", DATA)
def test_write(what: str, kind: str) -> None:
    async def scenario(scene: Scene) -> bytes:
        transport, peer = await scene.on_socket(scene.protocol(), kind)
        transport.write(b"<")
        assert transport.write(DATA[what]()) is None
        transport.write(b">")
        transport.close()
        return await read_all(scene, peer)

    both(scenario)


@pytest.mark.parametrize("what", DATA)
def test_writelines(what: str) -> None:
    async def scenario(scene: Scene) -> bytes:
        transport, peer = await scene.on_socket(scene.protocol())
        assert transport.writelines([b"<", DATA[what](), b">"]) is None
        transport.writelines(iter([DATA[what]()]))
        transport.writelines([])
        transport.close()
        return await read_all(scene, peer)

    if not WRITELINES_FAILS:
        both(scenario)
    data = bytes(DATA[what]())
    assert play_on("uvnet", scenario).result == b"<" + data + b">" + data


@pytest.mark.parametrize("data", ["str", None, 7, [b"x"], object], ids=str)
def test_what_cannot_be_written(data: Any) -> None:
    async def scenario(scene: Scene) -> bytes:
        transport, peer = await scene.on_socket(scene.protocol())
        with pytest.raises(TypeError):
            transport.write(data)
        # asyncio leaves out whatever is false, from CPython 3.14 on.
        if scene.is_ours or (data and not WRITELINES_KEEPS):
            with pytest.raises(TypeError):
                transport.writelines([b"not sent", data])
        transport.write(b"sent")
        transport.close()
        return await read_all(scene, peer)

    assert play_on("uvnet", scenario).result == b"sent" == play_on("asyncio", scenario).result


def test_views_with_gaps() -> None:
    """asyncio gives the connection up for them; here it is the caller that hears of it."""

    async def scenario(scene: Scene) -> None:
        transport, peer = await scene.on_socket(scene.protocol())
        with pytest.raises(BufferError):
            transport.write(memoryview(b"gaps")[::2])
        with pytest.raises(BufferError):
            transport.writelines([b"not sent", memoryview(b"gaps")[::2]])
        transport.write(b"sent")
        transport.close()
        assert await read_all(scene, peer) == b"sent"

    ours(scenario)


def test_what_was_written_may_change_afterwards() -> None:
    async def scenario(scene: Scene) -> bytes:
        transport, peer = await scene.on_socket(scene.protocol())
        data = bytearray(b"before")
        transport.write(data)
        data[:] = b"after!"
        view = memoryview(b"released")
        transport.writelines([view])
        view.release()
        data.clear()
        transport.close()
        return await read_all(scene, peer)

    both(scenario)


def test_a_generator_that_raises_writes_nothing() -> None:
    def lines() -> Any:
        yield b"not sent"
        raise LookupError

    async def scenario(scene: Scene) -> bytes:
        transport, peer = await scene.on_socket(scene.protocol())
        with pytest.raises(LookupError):
            transport.writelines(lines())
        transport.close()
        return await read_all(scene, peer)

    if not WRITELINES_KEEPS:
        both(scenario)
    assert play_on("uvnet", scenario).result == b""


@pytest.mark.parametrize("kind", KINDS)
def test_what_waits_goes_first_though_there_is_room_again(kind: str) -> None:
    """The peer takes all that the kernel has in the very turn of the loop in which more is written."""

    async def scenario(scene: Scene) -> None:
        transport, peer = await scene.on_socket(scene.protocol(), kind)
        waits = array.array("I", range(MUCH // 4)).tobytes()
        transport.write(waits)
        received = bytearray()
        with contextlib.suppress(BlockingIOError):
            while True:
                received += peer.recv(MUCH)
        assert len(received) < MUCH
        transport.write(b"more")
        transport.close()
        received += await read_all(scene, peer)
        assert received == waits + b"more"

    both(scenario)


@pytest.mark.parametrize("kind", KINDS)
def test_order_of_small_and_large(kind: str) -> None:
    async def scenario(scene: Scene) -> bool:
        transport, peer = await scene.on_socket(scene.protocol(), kind)
        expected = b""
        for size in (1, 100_000, 3, 1_000_000, 70_000, 5):
            piece = bytes([size % 251]) * size
            expected += piece
            transport.write(piece)
        transport.writelines([b"one", b"two" * 50_000, b"three"])
        expected += b"one" + b"two" * 50_000 + b"three"
        transport.close()
        return await read_all(scene, peer) == expected

    both(scenario)


@pytest.mark.parametrize("kind", KINDS)
def test_paused_once_and_resumed_once(kind: str) -> None:
    async def scenario(scene: Scene) -> None:
        protocol = scene.protocol()
        transport, peer = await scene.on_socket(protocol, kind)
        for _round in range(3):
            for _piece in range(MUCH // 65536):
                transport.write(bytes(65536))
            assert transport.get_write_buffer_size() > transport.get_write_buffer_limits()[1]
            scene.note("written")
            taken = 0
            while taken < MUCH:
                taken += len(await scene.loop.sock_recv(peer, 1 << 20))
            await until(lambda: scene.trace[-1][1:] == ("resume",))
            await until(lambda: not transport.get_write_buffer_size())

    assert both(scenario) == [("", "made"), *[("", "pause"), ("written",), ("", "resume")] * 3]


def test_what_the_system_takes_does_not_wait() -> None:
    async def scenario(scene: Scene) -> None:
        transport, peer = await scene.on_socket(scene.protocol())
        transport.set_write_buffer_limits(high=0)
        transport.write(b"small")
        assert await scene.loop.sock_recv(peer, 100) == b"small"
        assert transport.get_write_buffer_size() == 0

    assert both(scenario) == [("", "made")]


def test_high_water_of_zero() -> None:
    async def scenario(scene: Scene) -> None:
        transport, peer = await scene.on_socket(scene.protocol())
        transport.set_write_buffer_limits(0)
        transport.write(bytes(MUCH))
        taken = 0
        while taken < MUCH:
            taken += len(await scene.loop.sock_recv(peer, 1 << 20))
        await told(scene, "", "resume")

    assert both(scenario) == [("", "made"), ("", "pause"), ("", "resume")]


def test_limits_that_fall_below_what_waits() -> None:
    async def scenario(scene: Scene) -> None:
        transport, _ = await scene.on_socket(scene.protocol())
        transport.set_write_buffer_limits(high=100 << 20)
        transport.write(bytes(MUCH))
        scene.note("written")
        transport.set_write_buffer_limits(high=1000, low=10)
        transport.set_write_buffer_limits(high=500, low=10)

    assert both(scenario) == [("", "made"), ("written",), ("", "pause")]


@pytest.mark.parametrize(
    "limits",
    [{}, {"high": 0}, {"low": 0}, {"high": 100}, {"low": 100}, {"high": 7, "low": 7}, {"high": 5, "low": 2}],
    ids=str,
)
def test_limits(limits: dict[str, int]) -> None:
    async def scenario(scene: Scene) -> Any:
        transport, _ = await scene.on_socket(scene.protocol())
        before = transport.get_write_buffer_limits()
        transport.set_write_buffer_limits(**limits)
        return before, transport.get_write_buffer_limits()

    both(scenario)


@pytest.mark.parametrize(
    "limits", [{"high": -1}, {"low": -1}, {"high": 1, "low": 2}, {"high": "x"}, {"low": "x"}, {"high": 2**70}], ids=str
)
def test_limits_that_cannot_be(limits: dict[str, Any]) -> None:
    async def scenario(scene: Scene) -> None:
        transport, _ = await scene.on_socket(scene.protocol())
        before = transport.get_write_buffer_limits()
        with pytest.raises((ValueError, TypeError, OverflowError)):
            transport.set_write_buffer_limits(**limits)
        assert transport.get_write_buffer_limits() == before

    ours(scenario)


@pytest.mark.parametrize("method", ["close", "abort"])
def test_writes_after_the_end(method: str, caplog: pytest.LogCaptureFixture) -> None:
    async def scenario(scene: Scene) -> int:
        caplog.clear()
        protocol = scene.protocol()
        transport, peer = await scene.on_socket(protocol)
        getattr(transport, method)()
        with caplog.at_level(logging.WARNING, "asyncio"):
            for _ in range(5):
                transport.write(b"too late")
            await protocol.lost
            for _ in range(5):
                transport.write(b"too late")
                transport.write(b"")
        transport.writelines([b""])
        assert await read_all(scene, peer) == b""
        return sum("socket.send() raised exception." in record.message for record in caplog.records)

    if not WRITELINES_FAILS:
        both(scenario)
    assert play_on("uvnet", scenario).result == 6


def test_writes_after_close_while_something_waits() -> None:
    """As with asyncio they go out as well."""

    async def scenario(scene: Scene) -> int:
        transport, peer = await scene.on_socket(scene.protocol())
        transport.write(bytes(MUCH))
        transport.close()
        transport.write(b"behind it")
        return len(await read_all(scene, peer))

    both(scenario)


def test_writes_after_write_eof() -> None:
    async def scenario(scene: Scene) -> None:
        transport, peer = await scene.on_socket(scene.protocol())
        transport.write(b"before")
        assert transport.can_write_eof()
        transport.write_eof()
        transport.write_eof()
        with pytest.raises(RuntimeError, match=r"Cannot call write\(\) after write_eof\(\)"):
            transport.write(b"after")
        with pytest.raises(RuntimeError, match=r"Cannot call \w+\(\) after write_eof\(\)"):
            transport.writelines([b"after"])
        with pytest.raises(TypeError):
            transport.write("wrong")
        assert await read_all(scene, peer) == b"before"

    assert both(scenario) == [("", "made")]


@pytest.mark.parametrize("method", ["pause", "resume"])
def test_exceptions_of_flow_control(method: str) -> None:
    async def scenario(scene: Scene) -> None:
        def fail(_self: Any) -> None:
            raise LookupError(method)

        protocol = scene.protocol(**{method: fail})
        transport, peer = await scene.on_socket(protocol)
        transport.write(bytes(MUCH))
        transport.close()
        assert len(await read_all(scene, peer)) == MUCH
        await protocol.lost

    trace = both(scenario)
    assert ("report", f"protocol.{method}_writing() failed", "LookupError", 1, True) in trace
    assert trace[-1] == ("", "lost", None)


def test_pause_writing_that_aborts() -> None:
    async def scenario(scene: Scene) -> None:
        protocol = scene.protocol(pause=lambda self: self.transport.abort())
        transport, _ = await scene.on_socket(protocol)
        transport.write(bytes(MUCH))
        assert transport.is_closing() and transport.get_write_buffer_size() == 0
        await protocol.lost

    assert both(scenario) == [("", "made"), ("", "pause"), ("", "lost", None)]


def test_writing_in_resume_writing() -> None:
    """asyncio's transport trips over a close() in there."""

    async def scenario(scene: Scene) -> None:
        rounds = iter(range(3))

        def more(self: Any) -> None:
            if next(rounds, None) is None:
                self.transport.close()
            else:
                self.transport.write(bytes(MUCH))

        protocol = scene.protocol(resume=more)
        transport, peer = await scene.on_socket(protocol)
        transport.write(bytes(MUCH))
        assert len(await read_all(scene, peer)) == MUCH * 4
        await protocol.lost

    assert ours(scenario) == [("", "made"), *[("", "pause"), ("", "resume")] * 4, ("", "lost", None)]


def test_the_streams_of_asyncio_drain() -> None:
    async def scenario(scene: Scene) -> int:
        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            for _ in range(20):
                writer.write(bytes(300_000))
                await writer.drain()
            writer.close()
            await writer.wait_closed()

        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        received = len(await reader.read())
        writer.close()
        await writer.wait_closed()
        server.close()
        await server.wait_closed()
        return received

    both(scenario)


@pytest.mark.parametrize("kind", KINDS)
def test_pause_writing_writes_behind_all_the_lines(kind: str) -> None:
    async def scenario(scene: Scene) -> None:
        protocol = scene.protocol(pause=lambda self: self.transport.write(b"behind them"))
        transport, peer = await scene.on_socket(protocol, kind)
        transport.writelines([bytes(MUCH), b"second", b"third"])
        transport.close()
        assert await read_all(scene, peer) == bytes(MUCH) + b"secondthirdbehind them"

    # asyncio's own writelines() does not pause since CPython 3.12.
    assert ("", "pause") in (play_on("uvnet", scenario).trace if WRITELINES_FAILS else both(scenario))
