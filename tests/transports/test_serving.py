"""Servers of the loop: what they listen on, how they start and end, and what they refuse; asyncio is the oracle."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket as plain
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from both_loops import Scene, both, ours, play_on, read_all
from waiting import turns, until

import uvnet


def connect(scene: Scene, server: Any, number: int = 0) -> plain.socket:
    """A plain socket that is connected to a server."""
    peer = plain.create_connection(server.sockets[number].getsockname()[:2])
    peer.setblocking(False)
    scene.sockets.append(peer)
    return peer


async def echo_server(scene: Scene, **options: Any) -> Any:
    def make() -> Any:
        return scene.protocol("server", data=lambda self, data: self.transport.write(data))

    return await scene.loop.create_server(make, "127.0.0.1", 0, **options)


async def is_served(scene: Scene, peer: plain.socket) -> bool:
    await scene.loop.sock_sendall(peer, b"ping")
    try:
        return bool(await scene.loop.sock_recv(peer, 100) == b"ping")
    except ConnectionResetError:
        return False


async def gone(scene: Scene) -> None:
    for peer in scene.sockets:
        peer.close()
    for each in scene.recorders:
        await each.lost


def test_several_hosts() -> None:
    async def scenario(scene: Scene) -> Any:
        hosts = ["127.0.0.1", "::1", "127.0.0.1"]
        server = await scene.loop.create_server(lambda: scene.protocol("server"), hosts, 0)
        families = sorted(each.family for each in server.sockets)
        for number in range(len(server.sockets)):
            connect(scene, server, number)
        await until(lambda: len(scene.recorders) == len(server.sockets))
        await gone(scene)
        server.close()
        await server.wait_closed()
        return families, server.sockets, server.is_serving()

    both(scenario)


@pytest.mark.parametrize("host", [None, "", "0.0.0.0"])
def test_all_interfaces(host: Any) -> None:
    async def scenario(scene: Scene) -> Any:
        server = await scene.loop.create_server(lambda: scene.protocol("server"), host, 0)
        families = sorted(each.family for each in server.sockets)
        server.close()
        return families

    both(scenario)


@pytest.mark.parametrize("how", ["bound", "listening"])
def test_a_socket_given(how: str) -> None:
    async def scenario(scene: Scene) -> Any:
        given = plain.socket()
        given.bind(("127.0.0.1", 0))
        if how == "listening":
            given.listen()
        server = await scene.loop.create_server(
            lambda: scene.protocol("server", data=lambda self, data: self.transport.write(data)), sock=given
        )
        served = await is_served(scene, connect(scene, server))
        await gone(scene)
        server.close()
        return served, given.fileno()

    both(scenario)
    assert play_on("uvnet", scenario).result == (True, -1)


def test_reuse_port() -> None:
    async def scenario(scene: Scene) -> Any:
        first = await echo_server(scene, reuse_port=True)
        port = first.sockets[0].getsockname()[1]
        with pytest.raises(OSError, match="error while attempting to bind"):
            await scene.loop.create_server(scene.protocol, "127.0.0.1", port)
        second = await scene.loop.create_server(scene.protocol, "127.0.0.1", port, reuse_port=True)
        options = [
            each.sockets[0].getsockopt(plain.SOL_SOCKET, option)
            for each in (first, second)
            for option in (plain.SO_REUSEPORT, plain.SO_REUSEADDR)
        ]
        first.close()
        second.close()
        return options

    both(scenario)


def test_all_or_nothing() -> None:
    """Of several addresses the second is taken: the first is not listened on either."""

    async def scenario(scene: Scene) -> Any:
        taken = plain.create_server(("127.0.0.2", 0))
        port = taken.getsockname()[1]
        with pytest.raises(OSError, match="error while attempting to bind on address") as raised:
            await scene.loop.create_server(scene.protocol, ["127.0.0.1", "127.0.0.2"], port)
        again = plain.create_server(("127.0.0.1", port))
        again.close()
        taken.close()
        return raised.value.errno

    both(scenario)


def test_not_yet_serving() -> None:
    async def scenario(scene: Scene) -> Any:
        server = await echo_server(scene, start_serving=False)
        states = [server.is_serving(), len(server.sockets)]
        with pytest.raises(ConnectionRefusedError):
            connect(scene, server)
        await server.start_serving()
        await server.start_serving()
        states += [server.is_serving(), await is_served(scene, connect(scene, server))]
        assert server.get_loop() is scene.loop
        await gone(scene)
        server.close()
        return states

    both(scenario)


def test_serve_forever_cancelled() -> None:
    async def scenario(scene: Scene) -> Any:
        server = await echo_server(scene, start_serving=False)
        serving = asyncio.ensure_future(server.serve_forever())
        await until(server.is_serving)
        with pytest.raises(RuntimeError, match="already being awaited"):
            await server.serve_forever()
        served = await is_served(scene, connect(scene, server))
        await gone(scene)
        serving.cancel()
        with pytest.raises(asyncio.CancelledError):
            await serving
        with pytest.raises(RuntimeError, match="is closed"):
            await server.serve_forever()
        return served, server.is_serving(), server.sockets

    both(scenario)


def test_close_ends_serve_forever() -> None:
    async def scenario(scene: Scene) -> Any:
        server = await echo_server(scene)
        serving = asyncio.ensure_future(server.serve_forever())
        await turns()
        server.close()
        with pytest.raises(asyncio.CancelledError):
            await serving
        return server.is_serving()

    both(scenario)


def test_close_leaves_connections() -> None:
    async def scenario(scene: Scene) -> Any:
        server = await echo_server(scene)
        peer = connect(scene, server)
        await until(lambda: scene.recorders)
        where = server.sockets[0].getsockname()
        server.close()
        server.close()
        with pytest.raises(ConnectionRefusedError):
            plain.create_connection(where)
        served = await is_served(scene, peer)
        await gone(scene)
        await server.wait_closed()
        return served

    both(scenario)


@pytest.mark.skipif(sys.version_info < (3, 12), reason="before CPython 3.12 it does not wait for connections")
def test_wait_closed_waits_for_connections() -> None:
    async def scenario(scene: Scene) -> Any:
        server = await echo_server(scene)
        connect(scene, server)
        await until(lambda: scene.recorders)
        server.close()
        waiting = asyncio.ensure_future(server.wait_closed())
        await turns()
        early = waiting.done()
        await gone(scene)
        await waiting
        return early

    both(scenario)


@pytest.mark.parametrize("method", ["close_clients", "abort_clients"])
def test_ending_the_clients(method: str) -> None:
    """asyncio has them from CPython 3.13 on."""

    async def scenario(scene: Scene) -> None:
        server = await echo_server(scene)
        peers = [connect(scene, server) for _ in range(3)]
        await until(lambda: len(server.connections) == 3)
        server.close()
        getattr(server, method)()
        for peer in peers:
            assert await read_all(scene, peer) == b""
        for each in scene.recorders:
            assert await each.lost is None
        assert len(server.connections) == 0
        await server.wait_closed()

    ours(scenario)


def test_the_context_of_a_server() -> None:
    async def scenario(scene: Scene) -> Any:
        server = await echo_server(scene)
        async with server as entered:
            assert entered is server
        return server.is_serving(), "Server" in repr(server)

    both(scenario)


def test_no_more_than_so_many() -> None:
    async def scenario(scene: Scene) -> None:
        server = await echo_server(scene, max_connections=1)
        first = connect(scene, server)
        assert await is_served(scene, first)
        assert not await is_served(scene, connect(scene, server))
        assert len(server.connections) == 1
        scene.recorders[0].transport.close()
        await scene.recorders[0].lost
        assert len(server.connections) == 0
        assert await is_served(scene, connect(scene, server))
        await gone(scene)
        server.close()

    ours(scenario)


def test_none_at_all() -> None:
    async def scenario(scene: Scene) -> None:
        server = await echo_server(scene, max_connections=0)
        assert not await is_served(scene, connect(scene, server))
        assert not scene.recorders
        server.close()

    ours(scenario)


def test_block_list() -> None:
    async def scenario(scene: Scene) -> None:
        rules = uvnet.BlockList()
        rules.add_address("127.0.0.1")
        server = await echo_server(scene, block_list=rules)
        assert not await is_served(scene, connect(scene, server))
        allowed = plain.create_connection(server.sockets[0].getsockname(), source_address=("127.0.0.9", 0))
        allowed.setblocking(False)
        scene.sockets.append(allowed)
        assert await is_served(scene, allowed)
        await gone(scene)
        server.close()

    ours(scenario)


def test_options_of_the_factory() -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        server = await loop.create_server(asyncio.Protocol, "127.0.0.1", 0)
        peer = plain.create_connection(server.sockets[0].getsockname())
        peer.setblocking(False)
        with contextlib.suppress(ConnectionResetError):
            assert await loop.sock_recv(peer, 1) == b""
        peer.close()
        server.close()

    loop = uvnet.loop_factory(max_connections=0)()
    loop.run_until_complete(main())
    loop.close()
    with pytest.raises(TypeError, match="nonsense"):
        uvnet.loop_factory(nonsense=1)


@pytest.mark.parametrize(
    "options",
    [
        {"max_connections": "x"}, {"max_connections": -1}, {"max_connections": 2**80}, {"max_connections": 1.5},
        {"block_list": []}, {"backlog": "x"}, {"backlog": 2**80}, {"ssl": True}, {"ssl": 7},
        {"ssl_handshake_timeout": 1.0}, {"port": None, "host": None}, {"sock": plain.socket},
    ],
    ids=lambda options: " ".join(options),
)  # fmt: skip
def test_wrong_options_leave_nothing(options: dict[str, Any]) -> None:
    async def scenario(scene: Scene) -> None:
        with pytest.raises((TypeError, ValueError, OverflowError)):
            await scene.loop.create_server(scene.protocol, **{"host": "127.0.0.1", "port": 0, **options})

    ours(scenario)


def test_sockets_that_will_not_do(tmp_path: Path) -> None:
    async def scenario(scene: Scene) -> None:
        with plain.socket(type=plain.SOCK_DGRAM) as datagrams:
            with pytest.raises(ValueError, match="A Stream Socket was expected"):
                await scene.loop.create_server(scene.protocol, sock=datagrams)
            with pytest.raises(ValueError, match="A UNIX Domain Stream Socket was expected"):
                await scene.loop.create_unix_server(scene.protocol, sock=datagrams)
            with pytest.raises(ValueError, match="path and sock can not be specified"):
                await scene.loop.create_unix_server(scene.protocol, tmp_path / "x", sock=datagrams)
        with pytest.raises(ValueError, match="path was not specified"):
            await scene.loop.create_unix_server(scene.protocol)

    both(scenario)


def test_a_factory_that_raises() -> None:
    """asyncio leaves such a connection open until the collector comes by; here it is closed."""

    async def scenario(scene: Scene) -> None:
        def make() -> Any:
            raise LookupError("no protocol")

        server = await scene.loop.create_server(make, "127.0.0.1", 0)
        assert await read_all(scene, connect(scene, server)) == b""
        assert len(server.connections) == 0
        server.close()

    trace = ours(scenario)
    assert [entry[:3] for entry in trace if entry[0] == "report"] == [
        ("report", "Error on transport creation for incoming connection", "LookupError")
    ]


PATHS: dict[str, Any] = {"str": str, "Path": Path, "bytes": os.fsencode}


@pytest.mark.parametrize("kind", PATHS)
def test_paths(kind: str, tmp_path: Path) -> None:
    async def scenario(scene: Scene) -> Any:
        path = tmp_path / "socket"
        # What another server has left there is no hindrance.
        stale = plain.socket(plain.AF_UNIX)
        stale.bind(str(path))
        stale.close()
        protocol = scene.protocol("server")
        server = await scene.loop.create_unix_server(lambda: protocol, PATHS[kind](path))
        _, client = await scene.loop.create_unix_connection(lambda: scene.protocol("client"), PATHS[kind](path))
        await until(lambda: protocol.transport)
        client.transport.close()
        await protocol.lost
        server.close()
        there = path.exists()
        path.unlink(missing_ok=True)
        return there

    both(scenario, apart=True)
    assert play_on("uvnet", scenario).result == (sys.version_info < (3, 13))


def test_abstract_paths() -> None:
    async def scenario(scene: Scene) -> None:
        path = f"\0uvnet-{os.getpid()}"
        server = await scene.loop.create_unix_server(lambda: scene.protocol("server"), path)
        _, client = await scene.loop.create_unix_connection(lambda: scene.protocol("client"), path)
        client.transport.close()
        await client.lost
        server.close()

    if sys.platform == "linux":
        ours(scenario)


@pytest.mark.parametrize("obstacle", ["file", "no directory"])
def test_paths_that_will_not_do(obstacle: str, tmp_path: Path) -> None:
    async def scenario(scene: Scene) -> Any:
        path = tmp_path / ("file" if obstacle == "file" else "nowhere/socket")
        if obstacle == "file":
            path.write_text("kept")
        with pytest.raises(OSError) as raised:
            await scene.loop.create_unix_server(scene.protocol, path)
        assert obstacle != "file" or path.read_text() == "kept"
        return raised.value.errno

    both(scenario)


def test_cleanup_leaves_the_socket_of_another(tmp_path: Path) -> None:
    async def scenario(scene: Scene) -> None:
        path = tmp_path / "socket"
        first = await scene.loop.create_unix_server(scene.protocol, path, cleanup_socket=True)
        second = await scene.loop.create_unix_server(scene.protocol, path, cleanup_socket=True)
        first.close()
        assert path.exists()
        second.close()
        assert not path.exists()
        third = await scene.loop.create_unix_server(scene.protocol, path, cleanup_socket=False)
        third.close()
        assert path.exists()
        path.unlink()

    ours(scenario)


def test_the_policy_makes_loops_of_uvnet() -> None:
    """In a process of its own; from CPython 3.14 on importing it warns, and importing uvnet does not."""
    program = (
        "import warnings\nwarnings.simplefilter('error')\nimport uvnet\nwarnings.simplefilter('ignore')\n"
        "import asyncio\nasyncio.set_event_loop_policy(uvnet.EventLoopPolicy())\n"
        "loop = asyncio.new_event_loop()\nprint(type(loop).__module__)\nloop.close()\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
    assert (done.stdout, done.stderr) == ("uvnet.transports.loop\n", "")
