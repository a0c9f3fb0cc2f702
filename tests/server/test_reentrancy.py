"""Random lives of a server: whatever its listeners do to it, the promises of a server hold.

hypothesis calls the methods of a server and of its connections, partly from inside their listeners.
Afterwards every callback of close() was called once, 'close' came as often as it had to, 'listening' never came
to a server that did not listen, no connection is counted, and nothing is left.
"""

from __future__ import annotations

import asyncio
from typing import Any

from descriptors import open_sockets
from harness import Player, Transport
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import uvnet

EVENTS = ("listening", "connection", "drop", "close", "error", "callback of close", "callback of listen")
SOCKET_EVENTS = ("data", "end", "close of a connection")
WORDS = (
    "listen", "listen elsewhere", "listen badly", "close", "unref", "ref", "none", "one", "no limit", "destroy",
    "destroy all", "end", "dial", "count", "half open", "pause", "take away", "nothing",
)  # fmt: skip
# More calls from inside listeners than this, and a listener could keep a life going for ever.
REACTIONS = st.dictionaries(
    st.sampled_from([*EVENTS, *SOCKET_EVENTS]),
    st.lists(st.sampled_from(WORDS), min_size=1, max_size=4),
    max_size=4,
)
STEPS = st.lists(st.sampled_from([*WORDS, "turn", "turn", "wait", "dial", "listen"]), max_size=16)


class Life:
    """One server, its clients, and everything that was seen of it."""

    def __init__(self, transport: Transport, reactions: dict[str, list[str]]) -> None:
        self.transport = transport
        self.reactions = {event: list(words) for event, words in reactions.items()}
        self.server = uvnet.create_server()
        self.other = uvnet.create_server()
        self.clients: list[uvnet.Socket] = []
        self.accepted: list[uvnet.Socket] = []
        self.counts: list[int] = []
        self.events: list[str] = []
        self.callbacks: list[int] = []
        self.wrong: list[Any] = []
        self.server.on("listening", self.listening)
        self.server.on("connection", self.connection)
        for event in ("drop", "close", "error"):
            self.server.on(event, lambda *_, event=event: self.happened(event))

    def listening(self) -> None:
        # A listener before this one has not been there: nobody can have closed it since the tick.
        if not self.server.listening or self.server.address() is None:
            self.wrong.append("'listening' of a server that does not listen")
        self.happened("listening")

    def connection(self, socket: uvnet.Socket) -> None:
        self.accepted.append(socket)
        if socket.server is not self.server or socket.destroyed:
            self.wrong.append(socket)
        socket.on("error", lambda _: None)
        socket.on("data", lambda _: self.happened("data"))
        socket.on("end", lambda: self.happened("end"))
        socket.on("close", lambda _: self.happened("close of a connection"))
        self.happened("connection")

    def happened(self, event: str) -> None:
        self.events.append(event)
        words = self.reactions.get(event)
        if words:
            self.act(words.pop(0))

    def callback(self) -> Any:
        index = len(self.callbacks)
        self.callbacks.append(0)

        def called(error: BaseException | None) -> None:
            self.callbacks[index] += 1
            self.happened("callback of close")

        return called

    def listen(self, *arguments: Any) -> None:
        try:
            self.server.listen(*arguments, lambda: self.happened("callback of listen"))
        except RuntimeError as error:
            assert getattr(error, "code", "") == "ERR_SERVER_ALREADY_LISTEN"

    def dial(self) -> None:
        if self.server.address() is None or len(self.clients) > 20:
            return
        client = uvnet.connect(*self.transport.connect_arguments(self.server))
        client.on("error", lambda _: None)
        client.write(b"hello")
        client.resume()
        self.clients.append(client)

    def act(self, word: str) -> None:
        server = self.server
        if word == "listen":
            self.listen(*self.transport.listen_arguments)
        elif word == "listen elsewhere":
            self.listen(0)
        elif word == "listen badly":
            self.listen("/etc/passwd")
        elif word == "close":
            server.close(self.callback())
        elif word in ("ref", "unref"):
            getattr(server, word)()
        elif word in ("none", "one", "no limit"):
            server.max_connections = {"none": 0, "one": 1}.get(word)
        elif word == "destroy" and self.accepted:
            self.accepted[-1].destroy()
        elif word == "destroy all":
            for socket in [*self.accepted, *self.clients]:
                socket.destroy()
        elif word == "end" and self.accepted:
            self.accepted[-1].end(b"bye")
        elif word == "dial":
            self.dial()
        elif word == "count":
            server.get_connections(lambda _, count: self.counts.append(count))
        elif word == "half open":
            server.allow_half_open = not server.allow_half_open
        elif word == "pause":
            server.pause_on_connect = not server.pause_on_connect
        elif word == "take away" and server.listening:
            self.other.listen(server)
            self.other.close()

    def check(self) -> None:
        assert self.wrong == []
        assert self.callbacks == [1] * len(self.callbacks), self.callbacks
        assert self.events.count("close") >= (1 if self.callbacks else 0)
        assert all(0 <= count <= len(self.accepted) for count in self.counts)


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(steps=STEPS, reactions=REACTIONS)
def test_promises_hold(
    play: Player, transport: Transport, steps: list[str], reactions: dict[str, list[str]]
) -> None:
    """Rules 1.4.3, 1.8.4, 1.8.5, 1.9.2 to 1.9.6, and 1.10.1."""
    before = open_sockets()

    async def scenario() -> None:
        life = Life(transport, reactions)
        for word in steps:
            if word == "turn":
                await asyncio.sleep(0)
            elif word == "wait":
                await asyncio.sleep(0.002)
            else:
                life.act(word)
        await asyncio.sleep(0.002)
        life.reactions.clear()
        life.act("destroy all")
        life.act("close")
        over = [*life.clients, *life.accepted]
        for _ in range(1000):
            if life.callbacks[-1] and all(socket.closed for socket in over):
                break
            await asyncio.sleep(0.001)
            over = [*life.clients, *life.accepted]
            life.act("destroy all")
        await asyncio.sleep(0.002)
        counts: list[int] = []
        life.server.get_connections(lambda _, count: counts.append(count))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert counts == [0]
        life.check()

    play(scenario)
    assert open_sockets().items() <= before.items()
