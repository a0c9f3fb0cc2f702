"""Bulk on TCP raises SO_RCVLOWAT: when, for how long, and that nothing waits for more than is coming."""

from __future__ import annotations

import os
import socket as plain
import sys

import pytest
import uvloop
from harness import Player
from relay_scene import BULK, Peer, Scene, connected_pair, pattern

import uvnet

pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="only Linux has such marks"),
    pytest.mark.usefixtures("relays_on"),
]

LOW_WATER = 524288              # as in _stream/low_water.pxd
FIRST_PATIENCE = 4 * 2**20      # as in _stream/low_water.pyx
PIECE = LOW_WATER // 4          # enough for a relay to see bulk, and less than the mark
ROUNDS = 3


class Flow:
    """A relay whose source is TCP, and a look at its receive low-water mark."""

    def __init__(self, usual: int = 1, sink: str = "unix") -> None:
        self.scene = Scene()
        near, far = connected_pair("tcp")
        near.setsockopt(plain.SOL_SOCKET, plain.SO_RCVLOWAT, usual)
        self.probe = near.dup()
        self.scene.descriptors["source"] = near.fileno()
        self.source = self.scene.sockets["source"] = uvnet.Socket(handle=near)
        self.sender = self.scene.peers["source"] = Peer(far)
        self.sink, self.receiver = self.scene.connect("sink", sink)
        self.usual = usual
        self.sent = bytearray()
        self.source.pipe(self.sink)

    @property
    def mark(self) -> int:
        return self.probe.getsockopt(plain.SOL_SOCKET, plain.SO_RCVLOWAT)

    def send(self, length: int) -> None:
        data = pattern(length, len(self.sent))
        self.sent += data
        self.sender.send(data)

    def has_arrived(self) -> bool:
        return len(self.receiver.received) == len(self.sent)

    async def arrive(self) -> None:
        await self.scene.until(self.has_arrived)
        assert self.receiver.received == self.sent

    async def raise_mark(self) -> None:
        """Keep data flowing until the mark is up."""

        def is_up() -> bool:
            if len(self.sender.outgoing) < PIECE:
                self.send(PIECE)
            return self.mark != self.usual

        await self.scene.until(is_up)
        assert self.mark == LOW_WATER

    async def close(self) -> None:
        await self.scene.close()
        self.probe.close()


@pytest.mark.parametrize("sink", ["tcp", "unix"])
def test_the_tail_of_bulk_is_not_held_back(play: Player, sink: str) -> None:
    async def scenario() -> None:
        flow = Flow(sink=sink)
        for _ in range(ROUNDS):
            before = flow.source.bytes_read
            await flow.raise_mark()
            # Less than the mark may have come after it was lowered and before that was seen here.
            assert FIRST_PATIENCE - LOW_WATER < flow.source.bytes_read - before < 2 * FIRST_PATIENCE
            for _ in range(ROUNDS):
                flow.send(PIECE + 1)
                await flow.arrive()
            # An idle stream has no mark, and the loop no timer to look after it.
            await flow.scene.until(lambda: flow.mark == 1)
            assert flow.source._relayed
        await flow.close()

    play(scenario)


def test_where_answers_wait_for_tails_the_mark_is_rare(play: Player) -> None:
    """Each round takes twice as much to raise the mark."""

    async def scenario() -> None:
        flow = Flow()
        for number in range(ROUNDS):
            before = flow.source.bytes_read
            await flow.raise_mark()
            assert flow.source.bytes_read - before > FIRST_PATIENCE * 2**number - LOW_WATER
            await flow.arrive()
            flow.source.write(b"an answer")
            flow.send(PIECE + 1)
            await flow.arrive()
            assert flow.mark == 1
        await flow.close()

    play(scenario)


def test_little_is_never_held_back(play: Player) -> None:
    async def scenario() -> None:
        flow = Flow()
        for _ in range(FIRST_PATIENCE // PIECE + ROUNDS):
            flow.send(PIECE // 8)
            await flow.arrive()
            assert flow.mark == 1
        await flow.close()

    play(scenario)


@pytest.mark.parametrize("how", ["end", "reset"])
def test_the_mark_holds_back_no_end(play: Player, how: str) -> None:
    async def scenario() -> None:
        flow = Flow()
        ends: list[object] = []
        flow.source.on("error", lambda error: ends.append(error.code))
        flow.source.on("end", lambda: ends.append("end"))
        await flow.raise_mark()
        if how == "end":
            flow.sender.half_close()
            await flow.scene.until(lambda: flow.receiver.ended)
            assert flow.receiver.received == flow.sent
        else:
            flow.sender.reset()
        await flow.scene.until(lambda: ends)
        assert ends == ["end" if how == "end" else "ECONNRESET"]
        await flow.close()

    play(scenario)


@pytest.mark.parametrize("usual", [1, 3])
def test_a_relay_that_is_given_up_leaves_the_mark_as_it_was(play: Player, usual: int) -> None:
    async def scenario() -> None:
        flow = Flow(usual)
        await flow.raise_mark()
        flow.source.unpipe(flow.sink)
        assert flow.mark == usual
        received = bytearray()
        flow.source.on("data", received.extend).resume()
        flow.send(PIECE)
        await flow.scene.until(lambda: len(flow.receiver.received) + len(received) == len(flow.sent))
        assert flow.receiver.received + received == flow.sent
        await flow.close()

    play(scenario)


def test_a_sink_that_waits_under_a_raised_mark(play: Player) -> None:
    async def scenario() -> None:
        flow = Flow()
        await flow.raise_mark()
        flow.receiver.reading = False
        flow.send(BULK)
        await flow.scene.quiet()
        assert not flow.has_arrived()
        flow.receiver.reading = True
        await flow.arrive()
        await flow.scene.until(lambda: flow.mark == 1)
        await flow.close()

    play(scenario)


@pytest.mark.parametrize("which", range(3))
def test_a_socket_destroyed_under_a_raised_mark(play: Player, which: int) -> None:
    """Whichever of several it is, the timer goes on for the others."""

    async def scenario() -> None:
        flows = [Flow(sink="unix") for _ in range(3)]

        def are_up() -> bool:
            for flow in flows:
                if len(flow.sender.outgoing) < PIECE:
                    flow.send(PIECE)
                flow.scene.turn()
            return all(flow.mark == LOW_WATER for flow in flows)

        await flows[0].scene.until(are_up)
        gone = flows.pop(which)
        gone.source.destroy()
        assert gone.mark == 1
        assert [flow.mark for flow in flows] == [LOW_WATER] * 2
        await gone.scene.until(lambda: gone.source.closed)
        for flow in flows:
            await flow.arrive()
            await flow.scene.until(lambda flow=flow: flow.mark == 1)
        for flow in (gone, *flows):
            await flow.close()

    play(scenario)


def test_the_loop_is_closed_under_a_raised_mark() -> None:
    flows: list[Flow] = []

    async def scenario() -> None:
        flows.append(Flow())
        await flows[0].raise_mark()

    loop = uvloop.new_event_loop()
    loop.run_until_complete(scenario())
    assert flows[0].mark == LOW_WATER
    loop.close()
    assert flows[0].mark == 1
    flows[0].probe.close()
    for peer in flows[0].scene.peers.values():
        peer.close()


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_forked_child_leaves_the_mark_to_its_parent(play: Player) -> None:
    """It has the same socket, and gives its own half of the relay up."""

    async def scenario() -> None:
        flow = Flow()
        await flow.raise_mark()
        child = os.fork()
        if child == 0:
            try:
                flow.source.is_paused()
            finally:
                os._exit(flow.source._relayed)
        assert os.waitpid(child, 0) == (child, 0)
        assert flow.mark == LOW_WATER
        assert flow.source._relayed
        await flow.arrive()
        await flow.scene.until(lambda: flow.mark == 1)
        await flow.close()

    play(scenario)
