"""The loop goes before its transports do, other threads, the collector; and every method in every callback."""

from __future__ import annotations

import asyncio
import gc
import itertools
import socket as plain
import threading
import weakref
from typing import Any

import pytest
from both_loops import Scene, both, ours, play_on, read_all
from pairs import connected_pair
from waiting import turns, until

import uvnet
from uvnet._loop.counters import snapshot

MUCH = 8 << 20

CALLS: dict[str, Any] = {
    "close": lambda t: t.close(),
    "abort": lambda t: t.abort(),
    "write": lambda t: t.write(b"written"),
    "write much": lambda t: t.write(bytes(MUCH)),
    "writelines": lambda t: t.writelines([b"a", b"b"]),
    "write_eof": lambda t: t.write_eof(),
    "pause_reading": lambda t: t.pause_reading(),
    "resume_reading": lambda t: t.resume_reading(),
    "set_protocol": lambda t: t.set_protocol(t.get_protocol()),
    "limits": lambda t: t.set_write_buffer_limits(0, 0),
    "looks": lambda t: (t.is_closing(), t.is_reading(), t.get_write_buffer_size(), repr(t), t.can_write_eof()),
    "names": lambda t: [t.get_extra_info(name) for name in ("socket", "sockname", "peername", "none")],
    "close and write": lambda t: (t.close(), t.write(b"late")),
    "write and abort": lambda t: (t.write(bytes(MUCH)), t.abort()),
    "end and close": lambda t: (t.write_eof(), t.close()),
    "force close": lambda t: t._force_close(OSError("forced")),
}
WHERE = ["made", "data", "buffer", "updated", "eof", "pause", "resume", "lost"]


@pytest.mark.parametrize("kind", ["tcp", "unix"])
@pytest.mark.parametrize("where", WHERE)
@pytest.mark.parametrize("what", CALLS)
def test_every_call_in_every_callback(what: str, where: str, kind: str) -> None:
    """Whatever is called wherever: connection_made() first, connection_lost() once and last, nothing left."""

    async def scenario(scene: Scene) -> None:
        depth = itertools.count()

        def act(self: Any, *_arguments: Any) -> None:
            if next(depth) < 3:
                try:
                    CALLS[what](self.transport)
                except RuntimeError as error:
                    assert "after write_eof()" in str(error)

        kept_open = {} if where == "eof" else {"eof": lambda _: True}
        make = scene.buffered if where in ("buffer", "updated") else scene.protocol
        protocol = make(**{where: act}, **kept_open)
        transport, peer = await scene.on_socket(protocol, kind)
        try:
            peer.send(b"data")
            await turns(3)
            try:
                transport.write(bytes(MUCH))
            except RuntimeError as error:
                assert "after write_eof()" in str(error)
            reading = asyncio.ensure_future(read_all(scene, peer))
            await turns(3)
            peer.shutdown(plain.SHUT_WR)
        except (BrokenPipeError, ConnectionResetError, OSError):
            reading = asyncio.ensure_future(read_all(scene, peer))
        await turns(5)
        transport.close()
        await reading
        await protocol.lost
        await turns()

    trace = [entry for entry in ours(scenario) if entry[0] == ""]
    told = [entry[1] for entry in trace]
    assert told[0] == "made" and told[-1] == "lost"
    assert told.count("made") == told.count("lost") == 1 and told.count("eof") <= 1
    assert [each for each in told if each in ("pause", "resume")] in (
        [each for _ in range(count) for each in ("pause", "resume")][: 2 * count - cut]
        for count in range(9) for cut in (0, 1)
    )  # fmt: skip


@pytest.mark.parametrize("kind", ["tcp", "unix"])
def test_the_loop_closes_first(kind: str) -> None:
    """Nobody hears anything any more, the peer sees the end, and no number is closed twice."""
    loop = uvnet.new_event_loop()
    scene = Scene(loop)
    protocol = scene.protocol()

    async def main() -> tuple[Any, plain.socket]:
        mine, peer = connected_pair(kind)
        transport, _ = await loop.create_connection(lambda: protocol, sock=mine)
        transport.write(b"last words")
        assert mine.fileno() >= 0
        scene.sockets.append(mine)
        return transport, peer

    transport, peer = loop.run_until_complete(main())
    loop.close()
    assert scene.sockets[0].fileno() == -1
    peer.setblocking(True)
    assert peer.recv(100) == b"last words"
    assert peer.recv(100) == b""
    peer.close()
    assert scene.trace == [("", "made")]
    assert transport.is_closing() and not transport.is_reading()
    for what in ("close", "abort", "write_eof", "pause_reading", "resume_reading"):
        with pytest.raises(RuntimeError, match="closed"):
            getattr(transport, what)()
    for call in (transport.write, transport.set_protocol):
        with pytest.raises(RuntimeError, match="closed"):
            call(b"x")
    assert transport.get_write_buffer_size() == 0
    assert transport.get_extra_info("socket") is None
    repr(transport)


def test_the_loop_closes_before_connection_lost() -> None:
    loop = uvnet.new_event_loop()
    scene = Scene(loop)
    protocol = scene.protocol()

    async def main() -> plain.socket:
        mine, peer = plain.socketpair()
        scene.sockets.append(peer)
        transport, _ = await loop.create_connection(lambda: protocol, sock=mine)
        loop.call_soon(transport.abort)
        loop.call_soon(loop.stop)
        await asyncio.sleep(0)
        return mine

    mine = loop.run_until_complete(main())
    loop.close()
    scene.sockets[0].close()
    others = plain.socketpair()
    mine.close()
    others[0].send(b"untouched")
    assert others[1].recv(100) == b"untouched"
    for each in others:
        each.close()


def test_the_loop_closes_before_its_servers() -> None:
    """Their sockets are those of socket objects still: nothing closes their numbers behind those."""
    loop = uvnet.new_event_loop()

    async def main() -> Any:
        return await loop.create_server(asyncio.Protocol, "127.0.0.1", 0)

    server = loop.run_until_complete(main())
    listening = server._sockets[0]
    loop.close()
    assert snapshot()["handles"] == 0
    assert listening.getsockname()[0] == "127.0.0.1"
    server.close()
    assert listening.fileno() == -1


def test_connections_of_a_server_whose_loop_is_closed() -> None:
    loop = uvnet.new_event_loop()
    scene = Scene(loop)

    async def main() -> Any:
        server = await loop.create_server(lambda: scene.protocol("server"), "127.0.0.1", 0)
        peer = plain.create_connection(server.sockets[0].getsockname())
        await until(lambda: scene.recorders)
        return server, peer

    server, peer = loop.run_until_complete(main())
    loop.close()
    assert peer.recv(100) == b""
    peer.close()
    server.close()


def test_other_threads() -> None:
    async def scenario(scene: Scene) -> None:
        protocol = scene.protocol()
        transport, peer = await scene.on_socket(protocol)
        raised: list[tuple[str, bool]] = []

        def meddle() -> None:
            for name, arguments in (
                ("write", (b"x",)), ("writelines", ([b"x"],)), ("close", ()), ("abort", ()), ("write_eof", ()),
                ("pause_reading", ()), ("resume_reading", ()), ("set_protocol", (protocol,)),
                ("set_write_buffer_limits", ()),
            ):  # fmt: skip
                try:
                    getattr(transport, name)(*arguments)
                except RuntimeError:
                    continue
                raised.append((name, True))

        thread = threading.Thread(target=meddle)
        thread.start()
        thread.join()
        assert not raised and not transport.is_closing()
        peer.send(b"unharmed")
        await until(lambda: protocol.received == b"unharmed")

    ours(scenario)


def test_what_is_over_is_collected() -> None:
    found: list[weakref.ref[Any]] = []

    async def scenario(scene: Scene) -> None:
        protocol = scene.protocol()
        transport, _ = await scene.on_socket(protocol)
        transport.get_extra_info("socket").transport_of_its = transport
        found.extend((weakref.ref(transport), weakref.ref(protocol)))
        transport.close()
        await protocol.lost

    play_on("uvnet", scenario)
    gc.collect()
    assert [each() for each in found] == [None, None]


def test_what_a_closed_loop_leaves_is_collected() -> None:
    found: list[weakref.ref[Any]] = []

    def leave() -> None:
        loop = uvnet.new_event_loop()
        scene = Scene(loop)

        async def main() -> Any:
            protocol = scene.protocol()
            transport, peer = await scene.on_socket(protocol)
            found.extend((weakref.ref(transport), weakref.ref(protocol)))
            return peer

        loop.run_until_complete(main()).close()
        loop.close()

    leave()
    gc.collect()
    assert [each() for each in found] == [None, None]


def test_it_lives_although_nobody_holds_it() -> None:
    async def scenario(scene: Scene) -> None:
        class Quiet(asyncio.Protocol):
            def data_received(self, data: bytes) -> None:
                scene.note("data", data)

        transport, peer = await scene.on_socket(Quiet())
        del transport
        gc.collect()
        peer.send(b"heard")
        await until(lambda: scene.trace)
        peer.close()
        await turns(10)

    assert both(scenario) == [("data", b"heard")]


def test_patched_loops() -> None:
    import uvloop

    async def main() -> None:
        loop = asyncio.get_running_loop()
        server: Any = await loop.create_server(asyncio.Protocol, "127.0.0.1", 0)
        transport, _ = await loop.create_connection(asyncio.Protocol, *server.sockets[0].getsockname())
        assert type(transport).__module__ == "uvnet.transports.transport"
        transport.close()
        server.close()
        await until(lambda: not server.connections)

    loop = uvloop.new_event_loop()
    uvnet.patch_loop(loop)
    loop.run_until_complete(main())
    loop.close()
    other = asyncio.new_event_loop()
    with pytest.raises((RuntimeError, TypeError)):
        uvnet.patch_loop(other)
    other.close()
