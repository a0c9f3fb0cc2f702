"""Random lives of a connection: whatever is called, from wherever, the promises of a socket hold.

Two uvnet sockets talk to each other while hypothesis calls their methods, partly from inside their listeners.
Afterwards: every callback was called exactly once, 'close' came once and last, what was received is what was
sent (all of it where the life was clean), nothing was reported, and nothing is left.
"""

from __future__ import annotations

import asyncio
from typing import Any

from harness import Player, Transport, close, listen
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import uvnet

EVENTS = ("connect", "data", "readable", "end", "drain", "finish", "pause", "resume", "timeout", "close", "error")
PATTERN = bytes(range(251)) * 1200

SIZES = st.sampled_from([0, 1, 100, 5_000, 70_000, 300_000])
ACTIONS = st.one_of(
    st.tuples(st.just("write"), SIZES),
    st.tuples(st.just("end"), SIZES),
    st.tuples(
        st.sampled_from(
            ["pause", "resume", "cork", "uncork", "read", "destroy", "reset", "fail", "unpipe", "nothing"]
        ),
        st.just(0),
    ),
)
STEPS = st.lists(st.tuples(st.sampled_from(["client", "server", "turn", "wait"]), ACTIONS), max_size=14)
REACTIONS = st.dictionaries(
    st.tuples(st.sampled_from(["client", "server"]), st.sampled_from(EVENTS)), ACTIONS, max_size=3
)


class End:
    """One end of the connection, and everything that was seen of it."""

    def __init__(self, name: str, reactions: dict[tuple[str, str], tuple[str, int]]) -> None:
        self.name = name
        self.reactions = reactions
        self.socket: Any = None
        self.sent = 0
        self.received = bytearray()
        self.callbacks: list[int] = []
        self.events: list[str] = []

    def attach(self, socket: Any) -> None:
        self.socket = socket
        for event in EVENTS:
            socket.on(event, lambda *arguments, event=event: self.happened(event, arguments))

    def happened(self, event: str, arguments: tuple[Any, ...]) -> None:
        self.events.append(event)
        if event == "data":
            self.received += arguments[0]
        reaction = self.reactions.pop((self.name, event), None)
        if reaction is not None:
            self.act(reaction)

    def act(self, action: tuple[str, int]) -> None:
        name, size = action
        socket = self.socket
        if socket is None:
            return
        if name in ("write", "end"):
            # What comes after the end of this life was never promised to anybody.
            start = self.sent % 251
            data = PATTERN[start : start + size]
            index = len(self.callbacks)
            self.callbacks.append(0)

            def called(_error: BaseException | None) -> None:
                self.callbacks[index] += 1

            if socket.writable:
                self.sent += size
            getattr(socket, name)(data, called)
        elif name == "destroy":
            socket.destroy()
        elif name == "fail":
            socket.destroy(ConnectionAbortedError("made by the test"))
        elif name == "reset":
            if isinstance(socket.address(), uvnet.Address):
                socket.reset_and_destroy()
        elif name != "nothing":
            getattr(socket, name)()

    def check(self, other: End) -> None:
        assert self.callbacks == [1] * len(self.callbacks), (self.name, self.callbacks)
        assert self.events.count("close") == 1, (self.name, self.events)
        assert self.events[-1] == "close", (self.name, self.events)
        for event in ("connect", "end", "finish", "error"):
            assert self.events.count(event) <= 1, (self.name, self.events)
        expected = (PATTERN * (other.sent // len(PATTERN) + 1))[: other.sent]
        assert len(self.received) <= other.sent
        if "readable" not in self.events:
            assert bytes(self.received) == expected[: len(self.received)]
        if "end" in self.events and "finish" in other.events:
            assert len(self.received) == other.sent, (self.name, len(self.received), other.sent)


@settings(
    max_examples=120, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck)
)
@given(steps=STEPS, reactions=REACTIONS, half_open=st.booleans(), mark=st.sampled_from([0, 1000, 65536]))
def test_promises_hold(
    play: Player,
    transport: Transport,
    steps: list[tuple[str, tuple[str, int]]],
    reactions: dict[tuple[str, str], tuple[str, int]],
    half_open: bool,
    mark: int,
) -> None:
    left = dict(reactions)
    ends = {name: End(name, left) for name in ("client", "server")}

    async def scenario() -> None:
        options = {"allow_half_open": half_open, "high_water_mark": mark}
        server = await listen(uvnet.create_server(options, ends["server"].attach), transport)
        client = uvnet.Socket(options)
        ends["client"].attach(client)
        client.connect(*transport.connect_arguments(server))
        for who, action in steps:
            if who == "turn":
                await asyncio.sleep(0)
            elif who == "wait":
                await asyncio.sleep(0.002)
            else:
                ends[who].act(action)
        await asyncio.sleep(0.005)
        for end in ends.values():
            if end.socket is not None and not end.socket.destroyed:
                end.socket.destroy()
        await close(server)
        for _ in range(1000):
            if all(end.socket is None or end.socket.closed for end in ends.values()):
                break
            await asyncio.sleep(0.001)

    play(scenario)
    for end, other in (("client", "server"), ("server", "client")):
        if ends[end].socket is not None:
            ends[end].check(ends[other])
