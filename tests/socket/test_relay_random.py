"""Random scripts, each played with relays and without: nobody can tell the difference.

What the peers receive, the events of every socket in their order, and the counters at the end are compared.
How much has been read from a source whose sink is full is nobody's promise: what is written in between is
therefore compared apart from what flows, and what destroys something waits until nothing is on its way.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
from typing import Any

import pytest
from harness import Player
from relay_scene import Scene, relays_off

pytestmark = pytest.mark.usefixtures("relays_on")

SCRIPTS = 10                    # of each topology
LENGTH = 16                     # actions
BULK = 3 * 2**19                # makes splice(2) begin
RING = b"".join(b"%07d " % number for number in range(2**18))
LETTERS = bytes.maketrans(b"0123456789 ", b"abcdefghij_")
MARK = b"~"                     # what is written or unshifted between
EVENTS = ("end", "finish", "close", "error", "pipe", "unpipe", "timeout")

# Sockets with a peer, pairs of sockets joined to each other, and pipes.
TOPOLOGIES: dict[str, tuple[str, list[tuple[str, str]], list[tuple[str, str]]]] = {
    "echo": ("a", [], [("a", "a")]),
    "proxy": ("ab", [], [("a", "b"), ("b", "a")]),
    "chain": ("ad", [("b", "c")], [("a", "b"), ("c", "d")]),
    "two sources": ("abc", [], [("a", "c"), ("b", "c")]),
}
PEER_ACTIONS = ["chunk", "chunk", "drip", "bulk", "bulk", "stop_reading", "start_reading", "half_close"]
LAST_ACTIONS = ["reset", "close", "destroy", "end", "fail"]
SOCKET_ACTIONS = [
    "pause", "resume", "cork", "uncork", "write", "unshift", "unpipe", "pipe", "listen", "unlisten",
    "set_encoding", "set_timeout", "look", "replace", "next_chunk",
]  # fmt: skip
LISTENED = ("data", "readable", "pause", "resume", "drain", "newListener", "removeListener")

Action = tuple[str, str, int]


def listener(*arguments: object) -> None:
    """One for every event, so that it can be removed."""


class Play:
    """One playing of a script."""

    def __init__(self, topology: str, seed: int) -> None:
        chance = random.Random(seed)
        self.with_peer, self.joined, self.pipes = TOPOLOGIES[topology]
        self.kinds = {name: chance.choice(["tcp", "unix"]) for name in "abcd"}
        mark = chance.choice([65_536, 65_536, 1000])
        self.options = {"allow_half_open": chance.random() < 0.5, "high_water_mark": mark}
        names = sorted({name for pair in self.pipes for name in pair})
        self.script: list[Action] = []
        for _ in range(LENGTH):
            name, target = chance.choice(SOCKET_ACTIONS), chance.choice(names)
            if chance.random() < 0.5:
                name, target = chance.choice(PEER_ACTIONS), chance.choice(self.with_peer)
            self.script.append((name, target, chance.randrange(100_000)))
        last = chance.choice(LAST_ACTIONS)
        among = self.with_peer if last in ("reset", "close") else names
        self.script.insert(chance.randrange(LENGTH // 2, LENGTH), (last, chance.choice(among), 10))
        self.scene = Scene()
        self.events: dict[str, list[Any]] = {}
        self.sent: dict[str, int] = {}
        self.relayed = False

    async def play(self) -> dict[str, Any]:
        scene = self.scene
        for name in self.with_peer:
            scene.connect(name, self.kinds[name], **self.options)
        for one, other in self.joined:
            scene.join(one, other, self.kinds[one], **self.options)
        for name, socket in scene.sockets.items():
            self.events[name] = []
            self.sent[name] = 0
            for event in EVENTS:
                socket.on(event, lambda *given, name=name, event=event: self.happened(name, event, given))
        for source, sink in self.pipes:
            scene.sockets[source].pipe(scene.sockets[sink])
        for action in self.script:
            await self.take(*action)
            await scene.quiet()
            self.relayed = self.relayed or any(socket._relayed for socket in scene.sockets.values())
        await self.settle()
        for name in self.with_peer:
            scene.peers[name].half_close()
            await scene.quiet()
        result = {
            "received": {name: self.sorted_out(scene.peers[name].received) for name in self.with_peer},
            "ended": {name: (peer.ended, peer.failure) for name, peer in scene.peers.items()},
            "events": {name: list(events) for name, events in self.events.items()},
            "counters": {name: (s.bytes_read, s.bytes_written) for name, s in scene.sockets.items()},
            "state": {name: (s.ready_state, s.destroyed, s.closed) for name, s in scene.sockets.items()},
        }
        await scene.close()
        return result

    def happened(self, name: str, event: str, given: tuple[Any, ...]) -> None:
        what = [getattr(value, "code", None) or type(value).__name__ for value in given]
        self.events[name].append((event, *(given if event == "close" else what)))

    def sorted_out(self, received: bytes) -> tuple[bytes, bytes, int]:
        """What came from the first source, from any other, and how much was put between."""
        letters = b"abcdefghij_"
        return (
            bytes(received.translate(None, letters + MARK)),
            bytes(received.translate(None, b"0123456789 " + MARK)),
            received.count(MARK),
        )

    async def settle(self) -> None:
        """Take everything out of the way that keeps data from flowing."""
        for peer in self.scene.peers.values():
            peer.reading = True
        for socket in self.scene.sockets.values():
            while socket.writable_corked:
                socket.uncork()
            for event in LISTENED:
                socket.off(event, listener)
            waiting = any(piping.waiting for piping in socket._pipings or [])
            if not socket.destroyed and not socket._relayed and not waiting:
                socket.resume()
        await self.scene.quiet()

    async def take(self, name: str, target: str, number: int) -> None:
        if name in LAST_ACTIONS:
            await self.settle()
        if name in PEER_ACTIONS or name in ("reset", "close"):
            await self.take_as_peer(name, target, number)
        elif not self.scene.sockets[target].destroyed:
            await self.take_as_socket(name, target, number)

    def give(self, target: str, size: int) -> None:
        peer = self.scene.peers[target]
        if not peer.is_open or peer.half_closed:
            return
        sockets, peers = self.scene.sockets.values(), self.scene.peers.values()
        if any(socket.destroyed for socket in sockets) or not all(peer.is_open for peer in peers):
            # How much is lost with a sink that fails depends on the size of the pieces.
            size = min(size, 1000)
        start = self.sent[target] % len(RING)
        data = (RING + RING)[start : start + size]
        peer.send(data if target == "a" else data.translate(LETTERS))
        self.sent[target] += size

    async def take_as_peer(self, name: str, target: str, number: int) -> None:
        peer = self.scene.peers[target]
        if name == "chunk":
            self.give(target, number)
        elif name == "bulk":
            self.give(target, BULK)
        elif name == "drip":
            for _ in range(number % 25):
                self.give(target, 1)
                self.scene.turn()
                await asyncio.sleep(0)
        elif name == "stop_reading":
            peer.reading = False
        elif name == "start_reading":
            peer.reading = True
        elif name == "half_close":
            peer.half_close()
            await self.settle()
        else:
            getattr(peer, name)()

    async def take_as_socket(self, name: str, target: str, number: int) -> None:
        socket = self.scene.sockets[target]
        sinks = [self.scene.sockets[sink] for source, sink in self.pipes if source == target]
        if name in ("write", "end"):
            if socket.writable:
                getattr(socket, name)(MARK * (number % 3000))
        elif name == "unshift":
            if not socket.readable_ended and socket._pipings:
                socket.unshift(MARK * (number % 3000))
        elif name == "unpipe":
            socket.unpipe()
        elif name == "pipe":
            for sink in sinks:
                if not socket._pipings and not sink.destroyed:
                    socket.pipe(sink)
        elif name == "listen":
            socket.on(LISTENED[number % len(LISTENED)], listener)
        elif name == "unlisten":
            socket.off(LISTENED[number % len(LISTENED)], listener)
        elif name == "set_encoding":
            if not socket.readable_encoding:
                socket.set_encoding("latin1")
        elif name == "set_timeout":
            socket.set_timeout(number % 2 * 60)
        elif name == "look":
            found = (socket.writable_length, socket.readable_flowing, socket.is_paused(), socket.buffer_size)
            assert len(found) == 4
        elif name == "replace":
            socket.write = socket.write
        elif name == "fail":
            socket.destroy(ConnectionAbortedError("made by the test"))
        elif name == "next_chunk":
            if socket._pipings:
                socket.read()
        else:
            with contextlib.suppress(AttributeError):
                getattr(socket, name)()


@pytest.mark.parametrize("seed", range(SCRIPTS))
@pytest.mark.parametrize("topology", TOPOLOGIES)
def test_nobody_can_tell(play: Player, topology: str, seed: int) -> None:
    with_relays, without = Play(topology, seed), Play(topology, seed)
    first = play(with_relays.play)
    with relays_off():
        second = play(without.play)
    assert not without.relayed
    for what, found in first.items():
        for name in found:
            assert found[name] == second[what][name], (what, name, with_relays.script)
