"""Exceptions in the callbacks of protocols, and the contexts they are called in."""

from __future__ import annotations

import asyncio
import contextvars
import socket as plain
from typing import Any

import pytest
from both_loops import FACTORIES, Scene, both, ours, play_on
from pairs import connected_pair
from waiting import turns, until

import uvnet

MUCH = 8 << 20
CALLBACKS = ["made", "data", "updated", "eof", "pause", "resume", "lost"]
variable: contextvars.ContextVar[str] = contextvars.ContextVar("variable", default="outside")


def protocol_of(scene: Scene, where: str, action: Any) -> Any:
    """A protocol that does something in one callback."""
    kind = scene.buffered if where == "updated" else scene.protocol
    return kind(**{where: action})


async def provoke(protocol: Any, transport: Any, peer: plain.socket, scene: Scene) -> None:
    """Have every callback of a protocol called, as far as it lives."""
    peer.send(b"data")
    await until(lambda: protocol.received or protocol.lost.done())
    transport.write(bytes(MUCH))
    peer.shutdown(plain.SHUT_WR)
    try:
        while await scene.loop.sock_recv(peer, 1 << 20):
            pass
    except ConnectionError:
        pass
    transport.close()
    await protocol.lost


@pytest.mark.parametrize("where", CALLBACKS)
def test_exceptions(where: str) -> None:
    """They are reported, and where data might be lost the connection is too: both as asyncio does it."""

    async def scenario(scene: Scene) -> None:
        def fail(*_arguments: Any) -> None:
            raise LookupError(where)

        protocol = protocol_of(scene, where, fail)
        transport, peer = await scene.on_socket(protocol)
        await provoke(protocol, transport, peer, scene)
        await turns()
        reports = [entry for entry in scene.trace if entry[0] == "report"]
        assert len(reports) == 1 and reports[0][2] == "LookupError"
        losses = [entry for entry in scene.trace if entry[1] == "lost"]
        lost = "LookupError" if where in ("data", "updated", "eof") else None
        assert losses == [("", "lost", lost)]
        scene.note("reported", *reports[0])

    theirs, mine = play_on("asyncio", scenario), play_on("uvnet", scenario)
    assert mine.trace[-1] == theirs.trace[-1]
    if where in ("data", "updated", "eof", "pause", "resume"):
        assert set(mine.contexts[0]) == {"message", "exception", "transport", "protocol"}


def test_exception_in_connection_made_of_a_server() -> None:
    """asyncio goes on with a connection that its protocol has not taken, uvnet gives it up."""

    async def scenario(scene: Scene) -> None:
        def fail(_self: Any) -> None:
            raise LookupError

        protocol = scene.protocol(made=fail)
        server = await scene.loop.create_server(lambda: protocol, "127.0.0.1", 0)
        scene.sockets.append(plain.create_connection(server.sockets[0].getsockname()))
        assert isinstance(await protocol.lost, LookupError)
        assert len(server.connections) == 0
        server.close()

    trace = ours(scenario)
    assert [entry[1] for entry in trace] == ["made", "Fatal error: protocol.connection_made() call failed.", "lost"]


def test_network_errors_are_not_reported() -> None:
    async def scenario(scene: Scene) -> None:
        def fail(*_arguments: Any) -> None:
            raise ConnectionError("of the protocol's own making")

        protocol = scene.protocol(data=fail)
        _, peer = await scene.on_socket(protocol)
        peer.send(b"x")
        await protocol.lost

    assert both(scenario) == [("", "made"), ("", "data", b"x"), ("", "lost", "ConnectionError")]


@pytest.mark.parametrize("side", ["client", "server"])
@pytest.mark.parametrize("where", [*CALLBACKS, "buffer"])
@pytest.mark.parametrize("kind", [KeyboardInterrupt, SystemExit])
def test_leaving_the_loop(kind: type[BaseException], where: str, side: str) -> None:
    """KeyboardInterrupt and SystemExit come out of the loop's run, and nobody else hears of them."""
    loop = uvnet.new_event_loop()
    scene = Scene(loop)
    loop.set_exception_handler(scene.report)
    once = iter([kind("from a callback")])

    def leave(*_arguments: Any) -> None:
        if (error := next(once, None)) is not None:
            raise error

    async def main() -> None:
        protocol = (scene.buffered if where in ("updated", "buffer") else scene.protocol)(**{where: leave})
        if side == "client":
            transport, peer = await scene.on_socket(protocol)
        else:
            server = await loop.create_server(lambda: protocol, "127.0.0.1", 0)
            scene.sockets.append(server)
            peer = plain.create_connection(server.sockets[0].getsockname())
            peer.setblocking(False)
            scene.sockets.append(peer)
            await until(lambda: protocol.transport)
            server.close()
            transport = protocol.transport
        await provoke(protocol, transport, peer, scene)
        await turns()

    task = loop.create_task(asyncio.wait_for(main(), 20))
    with pytest.raises(kind, match="from a callback"):
        loop.run_until_complete(task)
    if task.done():
        # Raised in its own write().  asyncio: whoever waits for it once more waits for ever, the loop has been left.
        assert isinstance(task.exception(), kind)
    else:
        task.cancel()
        with pytest.raises((asyncio.CancelledError, kind)):
            loop.run_until_complete(task)
    loop.run_until_complete(scene.tidy())
    loop.close()
    assert not scene.contexts


@pytest.mark.parametrize("loop_name", ["asyncio", "uvnet"])
def test_callbacks_inherit_the_context(loop_name: str) -> None:
    """What was set where the connection or the server was made is seen in every callback, and no further."""
    seen: dict[str, set[str]] = {"client": set(), "server": set()}

    async def scenario(scene: Scene) -> None:
        def look(self: Any, *_arguments: Any) -> None:
            seen[self.name].add(variable.get())

        actions: Any = {name: look for name in ("made", "data", "eof", "pause", "resume", "lost")}
        accepted = scene.protocol("server", **actions)
        variable.set("of the server")
        server = await scene.loop.create_server(lambda: accepted, "127.0.0.1", 0)
        variable.set("of the client")
        client = scene.protocol("client", **actions)
        await scene.loop.create_connection(lambda: client, *server.sockets[0].getsockname())
        variable.set("later")
        await until(lambda: accepted.transport)
        accepted.transport.write(bytes(MUCH))
        await until(lambda: len(client.received) == MUCH)
        client.transport.write(bytes(MUCH))
        await until(lambda: len(accepted.received) == MUCH)
        accepted.transport.close()
        await client.lost
        await accepted.lost
        server.close()
        assert variable.get() == "later"

    play_on(loop_name, scenario)
    if loop_name == "uvnet":
        assert seen == {"client": {"of the client"}, "server": {"of the server"}}
    else:
        # asyncio calls pause_writing() where write() was called.
        assert seen["client"] - {"later"} == {"of the client"}


def test_what_a_callback_sets_stays_with_its_connection() -> None:
    """As with uvloop the callbacks of a connection share one context; asyncio makes a copy for each."""

    async def scenario(scene: Scene) -> None:
        seen: list[str] = []

        def made(self: Any) -> None:
            seen.append(variable.get())
            variable.set(f"connection {len(seen)}")

        protocols = []

        def make() -> Any:
            protocols.append(scene.protocol("server", made=made, data=lambda self, _: seen.append(variable.get())))
            return protocols[-1]

        server = await scene.loop.create_server(make, "127.0.0.1", 0)
        for number in (1, 2):
            peer = plain.create_connection(server.sockets[0].getsockname())
            scene.sockets.append(peer)
            await until(lambda number=number: len(protocols) == number and protocols[-1].transport)  # type: ignore[misc]
            seen.pop() if number == 1 else None
            seen.append("x") if number == 1 else None
            peer.send(b"x")
            await until(lambda number=number: protocols[number - 1].received)  # type: ignore[misc]
        assert variable.get() == "outside"
        assert seen == ["x", "connection 1", "outside", "connection 3"]
        server.close()

    ours(scenario)


def test_writing_on_a_connection_in_the_callback_of_another() -> None:
    async def scenario(scene: Scene) -> None:
        seen: list[str] = []
        variable.set("second")
        second = scene.protocol("second", pause=lambda self: seen.append(variable.get()))
        mine, peer = connected_pair("tcp")
        scene.sockets.append(peer)
        await scene.loop.create_connection(lambda: second, sock=mine)
        variable.set("first")
        first = scene.protocol("first", data=lambda self, _: second.transport.write(bytes(MUCH)))
        _, peer = await scene.on_socket(first)
        peer.send(b"x")
        await until(lambda: seen)
        assert seen == ["second"]
        first.transport.write(bytes(MUCH))

    ours(scenario)


def test_the_loops_there_are() -> None:
    assert {"asyncio", "uvnet", "uvloop"} == set(FACTORIES)
