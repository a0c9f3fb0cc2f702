"""create_proxy(): limits, events, and the end of the server."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from harness import Player
from proxy_stage import (
    HEADERS,
    SIDES,
    Stage,
    echo_once,
    mixes,
)
from waiting import until, upcoming

import uvnet
from uvnet._accept.proxy_protocol import build_header

# === Limits ===


@mixes
@pytest.mark.parametrize("used", [True, False])
def test_idle_timeout_cuts_both_sides(
    play: Player, tmp_path: Path, front: str, back: str, used: bool
) -> None:
    async def scenario() -> None:
        async with Stage(tmp_path, front, back, idle_timeout=0.1) as stage:
            client, backend = await stage.pair()
            if used:
                await echo_once(client, backend)
            await asyncio.gather(client.gone(), backend.gone())
            await until(lambda: stage.clients[0].closed and stage.upstreams[0].closed)
            assert stage.errors == []

    play(scenario)


def test_idle_timeout_cuts_a_direction_that_is_left_open(play: Player, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with Stage(tmp_path, idle_timeout=0.1) as stage:
            client, backend = await stage.pair()
            client.finish()
            assert await backend.rest() == b""
            await client.gone()
            await until(lambda: stage.clients[0].closed and stage.upstreams[0].closed)

    play(scenario)


def test_max_connections(play: Player, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with Stage(tmp_path, max_connections=1) as stage:
            dropped = upcoming(stage.proxy, "drop")
            first, backend = await stage.pair()
            second = await stage.client()
            await second.gone()
            [drop] = await dropped
            assert drop["reason"] == "connection limit"
            await echo_once(first, backend)
            assert len(stage.clients) == 1
            first.finish()
            backend.finish()
            await until(lambda: stage.clients[0].closed)
            third, backend = await stage.pair()
            await echo_once(third, backend)

    play(scenario)


def test_block_list(play: Player, tmp_path: Path) -> None:
    async def scenario() -> None:
        block_list = uvnet.BlockList()
        block_list.add_address("127.0.0.1")
        async with Stage(tmp_path, block_list=block_list) as stage:
            dropped = upcoming(stage.proxy, "drop")
            client = await stage.client()
            await client.gone()
            [drop] = await dropped
            assert (drop["reason"], drop["remote_address"]) == ("block list", "127.0.0.1")
            assert stage.clients == []
            assert stage.nothing_to_accept()

    play(scenario)


@pytest.mark.parametrize("front", SIDES)
@pytest.mark.parametrize("listens", [True, False])
def test_block_list_and_the_names_of_a_header(
    play: Player, tmp_path: Path, front: str, listens: bool
) -> None:
    async def scenario() -> None:
        block_list = uvnet.BlockList()
        block_list.add_subnet("192.0.2.0", 24)
        async with Stage(tmp_path, front, block_list=block_list, accept_proxy_protocol=True) as stage:
            drops: list[dict[str, Any]] = []
            if listens:
                stage.proxy.on("drop", drops.append)
            client = await stage.client()
            await client.send(HEADERS["version 2"] + b"request")
            await client.gone()
            assert stage.upstreams == stage.errors == []
            assert stage.nothing_to_accept()
            assert drops == listens * [{
                "reason": "block list",
                "local_address": "198.51.100.2", "local_family": "IPv4", "local_port": 443,
                "remote_address": "192.0.2.1", "remote_family": "IPv4", "remote_port": 56324,
            }]  # fmt: skip
            other = await stage.client()
            await other.send(build_header(2, ("192.0.3.1", 1), ("198.51.100.2", 443)) + b"request")
            backend = await stage.accepted()
            assert await backend.receive(7) == b"request"

    play(scenario)


# === Events and the end of the server ===


def test_upstream_is_told_of_before_anything_is_passed_on(play: Player, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with Stage(tmp_path) as stage:
            seen: list[Any] = []

            def on_upstream(client: uvnet.Socket, socket: uvnet.Socket) -> None:
                seen.append((client.remote_port, socket.connecting, socket.bytes_written))
                socket.write(b"first ")

            stage.proxy.on("upstream", on_upstream)
            client = await stage.client()
            await client.send(b"then")
            backend = await stage.accepted()
            assert await backend.receive(10) == b"first then"
            assert seen == [(client.socket.getsockname()[1], True, 0)]

    play(scenario)


@pytest.mark.parametrize("accept", [False, True])
def test_an_exception_in_a_listener_of_upstream(play: Player, tmp_path: Path, accept: bool) -> None:
    async def scenario() -> None:
        sockets: list[uvnet.Socket] = []

        def fails(client: uvnet.Socket, socket: uvnet.Socket) -> None:
            sockets.extend((client, socket))
            raise LookupError("upstream")

        async with Stage(tmp_path, accept_proxy_protocol=accept) as stage:
            stage.proxy.on("upstream", fails)
            client = await stage.client()
            if accept:
                await client.send(HEADERS["version 1"])
            await client.gone()
            await until(lambda: len(sockets) == 2 and all(socket.closed for socket in sockets))
            stage.proxy.off("upstream", fails)
            client = await stage.client()
            if accept:
                await client.send(HEADERS["version 1"])
            await client.send(b"request")
            backend = await stage.accepted()
            if await backend.receive(7) == b"":
                # The connection of the first attempt had been made already.
                backend = await stage.accepted()
                assert await backend.receive(7) == b"request"

    play(scenario)
    play.expect_report(LookupError)


@pytest.mark.parametrize("sent", [b"", b"GET / HTTP/1.1\r\n\r\n", b"PROXY TCP4"])
def test_an_exception_in_a_listener_of_a_bad_header(play: Player, tmp_path: Path, sent: bytes) -> None:
    async def scenario() -> None:
        def fails(drop: uvnet.Drop) -> None:
            raise LookupError(drop["reason"])

        options = {"accept_proxy_protocol": True, "connect_timeout": 0.1 if not sent else 10}
        async with Stage(tmp_path, **options) as stage:
            stage.proxy.on("drop", fails)
            client = await stage.client()
            await client.send(sent)
            if sent == b"PROXY TCP4":
                client.finish()
            await client.gone()
            await stage.counted(0)

    play(scenario)
    play.expect_report(LookupError)


def test_an_exception_where_upstream_is_refused(play: Player, tmp_path: Path) -> None:
    async def scenario() -> None:
        def fails(error: BaseException, client: uvnet.Socket) -> None:
            raise LookupError("upstreamError")

        async with Stage(tmp_path, upstream=str(tmp_path / "nothing")) as stage:
            stage.proxy.on("upstreamError", fails)
            client = await stage.client()
            await client.gone()
            await until(lambda: stage.clients[0].closed and stage.upstreams[0].closed)

    play(scenario)
    play.expect_report(LookupError)


@pytest.mark.parametrize("which", ["client", "socket"])
def test_a_listener_of_upstream_may_destroy_either(play: Player, tmp_path: Path, which: str) -> None:
    async def scenario() -> None:
        async with Stage(tmp_path) as stage:
            stage.proxy.on("upstream", lambda client, socket: {"client": client, "socket": socket}[which].destroy())
            client = await stage.client()
            assert await client.rest() == b"", "nothing is lost, so that is no reset"
            await until(lambda: stage.clients[0].closed and stage.upstreams[0].closed)
            assert stage.errors == []

    play(scenario)


def test_closing_the_server_leaves_connections(play: Player, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with Stage(tmp_path) as stage:
            client, backend = await stage.pair()
            await echo_once(client, backend)
            closed = upcoming(stage.proxy, "close")
            stage.proxy.close()
            for _ in range(3):
                await echo_once(client, backend)
            assert not closed.done()
            client.finish()
            assert await backend.rest() == b""
            await backend.send(b"bye")
            assert await client.receive(3) == b"bye"
            assert not closed.done()
            backend.finish()
            await closed
            stage.proxy.listen(0, "127.0.0.1")
            await uvnet.once(stage.proxy, "listening")

    play(scenario)


def test_closing_the_server_while_a_header_is_awaited(play: Player, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with Stage(tmp_path, accept_proxy_protocol=True) as stage:
            client = await stage.client()
            await stage.counted(1)
            closed = upcoming(stage.proxy, "close")
            stage.proxy.close()
            await client.send(HEADERS["version 1"])
            backend = await stage.accepted()
            await echo_once(client, backend)
            client.close()
            backend.close()
            await closed
            stage.proxy.listen(0, "127.0.0.1")
            await uvnet.once(stage.proxy, "listening")

    play(scenario)


# === What listeners cannot stop ===


@pytest.mark.parametrize("header", [b"", HEADERS["version 1"]], ids=["no header", "a header"])
@pytest.mark.parametrize("side", ["client", "upstream"])
@pytest.mark.parametrize("event", ["close", "end", "error"])
def test_a_listener_that_raises_leaves_no_side_open(
    play: Player, tmp_path: Path, header: bytes, side: str, event: str
) -> None:
    """Who listens first, before the proxy does, keeps it from nothing."""

    async def scenario() -> None:
        def fail(*_arguments: Any) -> None:
            raise LookupError

        async with Stage(tmp_path, accept_proxy_protocol=bool(header)) as stage:
            if side == "client":
                stage.proxy.prepend_listener("connection", lambda client: client.on(event, fail))
            else:
                stage.proxy.on("upstream", lambda _, socket: socket.prepend_listener(event, fail))
            client = await stage.client()
            await client.send(header)
            backend = await stage.accepted()
            await echo_once(client, backend)
            if event == "error":
                (client if side == "client" else backend).reset()
            else:
                (client if side == "client" else backend).finish()
                if event == "close":
                    (backend if side == "client" else client).finish()
            await until(lambda: stage.clients[0].closed and stage.upstreams[0].closed)

    play(scenario)
    play.expect_report(LookupError)


def test_a_proxy_whose_listeners_are_all_removed(play: Player, tmp_path: Path) -> None:
    """What makes it a proxy is no listener of its."""

    async def scenario() -> None:
        async with Stage(tmp_path, idle_timeout=0.1) as stage:
            assert stage.proxy.listener_count("connection") == 1
            stage.proxy.remove_all_listeners("connection")
            stage.proxy.on("connection", stage.clients.append)
            client, backend = await stage.pair()
            await echo_once(client, backend)
            assert stage.clients[0].listener_count("close") == 0
            stage.clients[0].remove_all_listeners("timeout")
            await asyncio.gather(client.gone(), backend.gone())

    play(scenario)
