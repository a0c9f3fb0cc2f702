"""How connections end, and what is heard of it; asyncio's own transports are the oracle."""

from __future__ import annotations

from typing import Any

import pytest
from both_loops import Scene, both, ours, play_on, read_all, told
from pairs import connected_pair, reset
from waiting import turns, until

KINDS = ["tcp", "unix"]
MUCH = 8 << 20


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("length", [0, 5, MUCH])
def test_close_sends_what_waits(kind: str, length: int) -> None:
    async def scenario(scene: Scene) -> int:
        protocol = scene.protocol()
        transport, peer = await scene.on_socket(protocol, kind)
        transport.set_write_buffer_limits(MUCH * 2)
        transport.write(bytes(length))
        transport.close()
        transport.close()
        assert transport.is_closing() and not transport.is_reading()
        received = len(await read_all(scene, peer))
        await protocol.lost
        await turns()
        return received

    assert both(scenario) == [("", "made"), ("", "lost", None)]


@pytest.mark.parametrize("kind", KINDS)
def test_connection_lost_comes_later(kind: str) -> None:
    async def scenario(scene: Scene) -> None:
        protocol = scene.protocol()
        transport, _ = await scene.on_socket(protocol, kind)
        transport.close()
        scene.note("closed", transport.is_closing())
        await protocol.lost

    assert both(scenario) == [("", "made"), ("closed", True), ("", "lost", None)]


def test_close_delivers_nothing_more() -> None:
    async def scenario(scene: Scene) -> None:
        protocol = scene.protocol()
        transport, peer = await scene.on_socket(protocol)
        transport.write(bytes(MUCH))
        transport.close()
        peer.send(b"nobody reads that")
        await turns()
        assert await scene.loop.sock_recv(peer, 1000)
        transport.abort()
        await protocol.lost
        assert protocol.received == b""

    assert both(scenario)[-1] == ("", "lost", None)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("closed_before", [False, True])
def test_abort_loses_what_waits(kind: str, closed_before: bool) -> None:
    """On TCP the peer learns of it by a reset; asyncio lets it take what was sent for the whole."""

    async def scenario(scene: Scene) -> None:
        protocol = scene.protocol()
        transport, peer = await scene.on_socket(protocol, kind)
        transport.write(bytes(MUCH))
        if closed_before:
            transport.close()
        transport.abort()
        transport.abort()
        assert transport.is_closing() and transport.get_write_buffer_size() == 0
        await protocol.lost
        assert len(await read_all(scene, peer)) < MUCH

    trace = ours(scenario)
    assert trace[:3] == [("", "made"), ("", "pause"), ("", "lost", None)]
    assert trace[3:] == ([("peer was reset",)] if kind == "tcp" else [])


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("length", [0, 5])
def test_abort_with_nothing_waiting(kind: str, length: int) -> None:
    """What the system could take when it was written has been taken: asyncio's write() does that at once."""

    async def scenario(scene: Scene) -> bytes:
        protocol = scene.protocol()
        transport, peer = await scene.on_socket(protocol, kind)
        transport.write(b"x" * length)
        transport.abort()
        await protocol.lost
        return await read_all(scene, peer)

    assert both(scenario) == [("", "made"), ("", "lost", None)]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("length", [0, 5, MUCH])
def test_write_eof(kind: str, length: int) -> None:
    async def scenario(scene: Scene) -> int:
        protocol = scene.protocol()
        transport, peer = await scene.on_socket(protocol, kind)
        transport.set_write_buffer_limits(MUCH * 2)
        transport.write(bytes(length))
        transport.write_eof()
        received = len(await read_all(scene, peer))
        peer.send(b"answer")
        await told(scene, "", "data", b"answer")
        peer.close()
        await protocol.lost
        return received

    assert both(scenario) == [("", "made"), ("", "data", b"answer"), ("", "eof"), ("", "lost", None)]


@pytest.mark.parametrize("length", [0, 5, MUCH])
def test_close_right_after_write_eof(length: int) -> None:
    async def scenario(scene: Scene) -> int:
        protocol = scene.protocol()
        transport, peer = await scene.on_socket(protocol)
        transport.set_write_buffer_limits(MUCH * 2)
        transport.write(bytes(length))
        transport.write_eof()
        transport.close()
        received = len(await read_all(scene, peer))
        await protocol.lost
        return received

    assert both(scenario) == [("", "made"), ("", "lost", None)]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("keeps", [True, False, None, "yes"])
def test_half_close_by_the_peer(kind: str, keeps: Any) -> None:
    async def scenario(scene: Scene) -> bytes:
        protocol = scene.protocol(eof=lambda _: keeps)
        transport, peer = await scene.on_socket(protocol, kind)
        peer.send(b"request")
        peer.shutdown(1)
        await told(scene, "", "eof")
        await turns()
        scene.note("closing", transport.is_closing())
        transport.write(b"answer")
        transport.close()
        await protocol.lost
        return await read_all(scene, peer)

    assert ("closing", not keeps) in both(scenario)


def test_data_waiting_goes_out_after_the_peers_end() -> None:
    async def scenario(scene: Scene) -> int:
        protocol = scene.protocol()
        transport, peer = await scene.on_socket(protocol)
        transport.write(bytes(MUCH))
        peer.shutdown(1)
        received = len(await read_all(scene, peer))
        await protocol.lost
        return received

    assert both(scenario)[-1] == ("", "lost", None)


def test_both_ends_half_closed_stay_until_close() -> None:
    async def scenario(scene: Scene) -> None:
        protocol = scene.protocol(eof=lambda _: True)
        transport, peer = await scene.on_socket(protocol)
        transport.write_eof()
        peer.shutdown(1)
        await told(scene, "", "eof")
        await turns()
        scene.note("still there", transport.is_closing())
        transport.close()
        await protocol.lost

    both(scenario)


def test_the_end_is_told_once() -> None:
    """Where asyncio would tell of it again, because reading was paused and resumed behind it."""

    async def scenario(scene: Scene) -> None:
        protocol = scene.protocol(eof=lambda _: True)
        transport, peer = await scene.on_socket(protocol)
        peer.shutdown(1)
        await told(scene, "", "eof")
        transport.pause_reading()
        transport.resume_reading()
        await turns()
        assert not transport.is_reading()
        transport.close()
        await protocol.lost

    assert ours(scenario) == [("", "made"), ("", "eof"), ("", "lost", None)]


def test_reset_by_the_peer() -> None:
    async def scenario(scene: Scene) -> None:
        protocol = scene.protocol()
        _, peer = await scene.on_socket(protocol)
        reset(peer)
        await protocol.lost

    assert both(scenario) == [("", "made"), ("", "lost", "ConnectionResetError")]


def test_reset_while_something_waits() -> None:
    async def scenario(scene: Scene) -> bool:
        protocol = scene.protocol()
        transport, peer = await scene.on_socket(protocol)
        transport.pause_reading()
        transport.write(bytes(MUCH))
        reset(peer)
        return isinstance(await protocol.lost, ConnectionError)

    assert both(scenario)[:2] == [("", "made"), ("", "pause")]


def test_gone_unix_peer_while_writing() -> None:
    async def scenario(scene: Scene) -> None:
        protocol = scene.protocol()
        transport, peer = await scene.on_socket(protocol, "unix")
        transport.pause_reading()
        peer.close()
        transport.write(b"x")
        await protocol.lost

    assert both(scenario) == [("", "made"), ("", "lost", "BrokenPipeError")]


def test_what_is_there_in_connection_lost() -> None:
    """The protocol is still its protocol, the names are known, and what is called does no harm."""

    async def scenario(scene: Scene) -> Any:
        seen: list[Any] = []

        def look(self: Any, _error: Any) -> None:
            transport = self.transport
            seen.append(transport.get_protocol() is self)
            seen.append(transport.get_extra_info("sockname") == names[0])
            seen.append(transport.get_extra_info("peername") == names[1])
            seen.append((transport.is_closing(), transport.is_reading(), transport.get_write_buffer_size()))
            transport.close()
            transport.abort()

        protocol = scene.protocol(lost=look)
        transport, _ = await scene.on_socket(protocol)
        names = transport.get_extra_info("sockname"), transport.get_extra_info("peername")
        transport.close()
        await protocol.lost
        await turns()
        seen.append(transport.get_protocol() is None)
        seen.append(transport.get_extra_info("sockname") == names[0])
        seen.append(transport.get_extra_info("peername") == names[1])
        return seen

    assert both(scenario) == [("", "made"), ("", "lost", None)]
    assert play_on("uvnet", scenario).result == [True] * 3 + [(True, False, 0)] + [True] * 3


@pytest.mark.parametrize("turn", [0, 1])
def test_cancelled_before_connection_made(turn: int) -> None:
    """Nobody hears connection_lost() who has not heard connection_made(); asyncio tells of both, uvloop of neither."""

    async def scenario(scene: Scene) -> None:
        mine, peer = connected_pair("tcp")
        scene.sockets.append(peer)
        protocol = scene.protocol()
        connecting = scene.loop.create_task(scene.loop.create_connection(lambda: protocol, sock=mine))
        for _ in range(turn):
            await turns(1)
        connecting.cancel()
        await until(connecting.done)
        await turns()
        told_of = [entry[1] for entry in scene.trace]
        assert told_of in ([], ["made", "lost"])
        mine.close()

    ours(scenario)


def test_aborted_in_connection_made() -> None:
    async def scenario(scene: Scene) -> None:
        protocol = scene.protocol(made=lambda self: self.transport.abort())
        transport, peer = await scene.on_socket(protocol)
        assert await read_all(scene, peer) == b""
        await protocol.lost

    assert both(scenario) == [("", "made"), ("", "lost", None)]


def test_another_protocol_hears_of_the_end() -> None:
    async def scenario(scene: Scene) -> None:
        first, second = scene.protocol("first"), scene.protocol("second")
        transport, _ = await scene.on_socket(first)
        transport.close()
        transport.set_protocol(second)
        await second.lost

    assert both(scenario) == [("first", "made"), ("second", "lost", None)]
