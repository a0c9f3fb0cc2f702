"""create_proxy(): upstreams that cannot be reached, and what happens while one is being reached."""

from __future__ import annotations

import asyncio
import gc
import logging
import socket as plain
import weakref
from pathlib import Path
from typing import Any

import pytest
from harness import Player
from proxy_stage import (
    BLOCK,
    HEADERS,
    SIDES,
    End,
    Stage,
    echo_once,
    silent_backend,
)
from waiting import turns, until, upcoming

# === An upstream that cannot be reached ===


@pytest.mark.parametrize("front", SIDES)
@pytest.mark.parametrize("accept", [False, True])
@pytest.mark.parametrize("kind", ["refused", "no path", "unresolvable"])
def test_an_upstream_that_cannot_be_reached(
    play: Player, tmp_path: Path, front: str, accept: bool, kind: str
) -> None:
    def lookup(host: str, options: Any, callback: Any) -> None:
        callback(plain.gaierror(plain.EAI_NONAME, f"no such name: {host}"))

    async def scenario() -> None:
        with plain.socket() as unused:
            unused.bind(("127.0.0.1", 0))
            upstream, error = {
                "refused": (f"127.0.0.1:{unused.getsockname()[1]}", ConnectionRefusedError),
                "no path": (str(tmp_path / "nothing"), FileNotFoundError),
                "unresolvable": ({"host": "a.name", "port": 1, "lookup": lookup}, plain.gaierror),
            }[kind]
            options = {"upstream": upstream, "accept_proxy_protocol": accept}
            async with Stage(tmp_path, front, "tcp", **options) as stage:
                failed = upcoming(stage.proxy, "upstreamError")
                client = await stage.client()
                if accept:
                    await client.send(HEADERS["version 1"])
                if front == "tcp":
                    with pytest.raises(ConnectionResetError):
                        await client.rest()
                else:
                    await client.gone()
                reported, about = await failed
                assert isinstance(reported, error)
                assert about is stage.clients[0]
                assert stage.errors == [reported]

    play(scenario)


@pytest.mark.parametrize("front", SIDES)
def test_an_upstream_that_never_answers(play: Player, tmp_path: Path, front: str) -> None:
    async def scenario() -> None:
        with silent_backend() as port:
            async with Stage(tmp_path, front, upstream=port, connect_timeout=0.1) as stage:
                client = await stage.client()
                await client.send(b"hello")
                await client.gone()
                await until(lambda: bool(stage.errors))
                [error] = stage.errors
                assert isinstance(error, TimeoutError)
                assert error.code == "ETIMEDOUT"
                assert stage.upstreams[0].destroyed

    play(scenario)


@pytest.mark.parametrize("accept", [False, True])
def test_the_limit_is_over_once_the_connection_is_made(play: Player, tmp_path: Path, accept: bool) -> None:
    async def scenario() -> None:
        async with Stage(tmp_path, accept_proxy_protocol=accept, connect_timeout=0.5) as stage:
            client = await stage.client()
            if accept:
                await client.send(HEADERS["version 1"])
            backend = await stage.accepted()
            await asyncio.sleep(0.7)
            await echo_once(client, backend)
            assert stage.errors == []

    play(scenario)


def test_a_client_that_sends_no_header_and_leaves_is_not_told_of_later(play: Player, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with Stage(tmp_path, accept_proxy_protocol=True, connect_timeout=0.3) as stage:
            client = await stage.client()
            await stage.counted(1)
            client.close()
            await stage.counted(0)
            await asyncio.sleep(0.4)
            assert stage.errors == stage.drops == []

    play(scenario)


@pytest.mark.parametrize("accept", [False, True])
@pytest.mark.parametrize("end", ["client", "backend", "refused"])
def test_no_timer_keeps_what_is_over(play: Player, tmp_path: Path, accept: bool, end: str) -> None:
    async def scenario() -> None:
        upstream = str(tmp_path / "nothing") if end == "refused" else None
        async with Stage(tmp_path, upstream=upstream, accept_proxy_protocol=accept, connect_timeout=100) as stage:
            client = await stage.client()
            if accept:
                await client.send(HEADERS["version 1"])
            if end != "refused":
                backend = await stage.accepted()
                await echo_once(client, backend)
                (client if end == "client" else backend).reset()
            await client.gone() if end != "client" else None
            await until(lambda: stage.clients[0].closed and stage.upstreams[0].closed)
            sockets = [weakref.ref(stage.clients.pop()), weakref.ref(stage.upstreams.pop())]
            stage.errors.clear()
            await turns()
            gc.collect()
            assert [socket() for socket in sockets] == [None, None]

    play(scenario)


def test_idle_timeout_does_not_hide_that_upstream_never_answers(play: Player, tmp_path: Path) -> None:
    async def scenario() -> None:
        with silent_backend() as port:
            options = {"connect_timeout": 0.3, "idle_timeout": 0.05}
            async with Stage(tmp_path, upstream=port, **options) as stage:
                client = await stage.client()
                await client.gone()
                await until(lambda: stage.upstreams[0].closed)
                assert [type(error) for error in stage.errors] == [TimeoutError]

    play(scenario)


def test_without_a_listener_a_failure_is_logged(
    play: Player, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def scenario() -> None:
        async with Stage(tmp_path, upstream=str(tmp_path / "nothing")) as stage:
            stage.proxy.remove_all_listeners("upstreamError")
            client = await stage.client()
            await client.gone()
            await until(lambda: bool(caplog.records))

    with caplog.at_level(logging.WARNING, "uvnet"):
        play(scenario)
    [record] = caplog.records
    assert record.levelno == logging.WARNING
    assert "was not passed on" in record.getMessage()
    assert "nothing" in record.getMessage()


def test_with_a_listener_nothing_is_logged(
    play: Player, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def scenario() -> None:
        async with Stage(tmp_path, upstream=str(tmp_path / "nothing")) as stage:
            client = await stage.client()
            await client.gone()
            await until(lambda: bool(stage.errors))

    with caplog.at_level(logging.DEBUG, "uvnet"):
        play(scenario)
    assert caplog.records == []


# === While connecting ===


class HeldLookup:
    """A look-up that answers when it is told to."""

    def __init__(self) -> None:
        self.asked = asyncio.Event()
        self.answer = asyncio.Event()

    async def __call__(self, host: str, options: Any) -> str:
        self.asked.set()
        await self.answer.wait()
        return "127.0.0.1"


def stage_with_lookup(directory: Path, port: int, **options: Any) -> tuple[Stage, HeldLookup]:
    lookup = HeldLookup()
    return Stage(directory, upstream={"host": "a.name", "port": port, "lookup": lookup}, **options), lookup


@pytest.mark.parametrize("accept", [False, True])
def test_what_comes_while_connecting_is_passed_on(play: Player, tmp_path: Path, accept: bool) -> None:
    async def scenario() -> None:
        with plain.socket() as backend:
            backend.bind(("127.0.0.1", 0))
            backend.listen()
            backend.setblocking(False)
            port = backend.getsockname()[1]
            # What is sent first leaves no room for all that has come with the header.
            options = {"accept_proxy_protocol": accept, "send_proxy_protocol": 1 if accept else None}
            stage, lookup = stage_with_lookup(tmp_path, port, **options)
            async with stage:
                client = await stage.client()
                header = HEADERS["version 1"] if accept else b""
                sending = asyncio.ensure_future(client.send(header + BLOCK * 32))
                await lookup.asked.wait()
                await until(lambda: stage.upstreams[0].writable_need_drain)
                for _ in range(100):
                    await asyncio.sleep(0.001)
                # Not more than the marks and a few reads.
                assert stage.upstreams[0].writable_length + stage.clients[0].readable_length < 2**21
                assert not sending.done()
                lookup.answer.set()
                end = End((await asyncio.get_running_loop().sock_accept(backend))[0])
                assert await end.receive(len(header)) == header
                received = await end.receive(len(BLOCK) * 32)
                await sending
                assert received == BLOCK * 32
                client.finish()
                assert await end.rest() == b""
                end.close()
                assert await client.rest() == b""

    play(scenario)


def test_an_end_that_comes_while_connecting_is_passed_on(play: Player, tmp_path: Path) -> None:
    async def scenario() -> None:
        with plain.socket() as backend:
            backend.bind(("127.0.0.1", 0))
            backend.listen()
            backend.setblocking(False)
            stage, lookup = stage_with_lookup(tmp_path, backend.getsockname()[1])
            async with stage:
                client = await stage.client()
                await client.send(b"request")
                client.finish()
                await until(lambda: bool(stage.upstreams) and stage.upstreams[0].writable_ended)
                lookup.answer.set()
                end = End((await asyncio.get_running_loop().sock_accept(backend))[0])
                assert await end.rest() == b"request"
                await end.send(b"reply")
                end.close()
                assert await client.rest() == b"reply"

    play(scenario)


def test_a_client_that_is_gone_while_connecting(play: Player, tmp_path: Path) -> None:
    async def scenario() -> None:
        stage, lookup = stage_with_lookup(tmp_path, 1)
        async with stage:
            client = await stage.client()
            await lookup.asked.wait()
            client.reset()
            await until(lambda: stage.upstreams[0].closed and stage.clients[0].closed)
            assert stage.errors == []

    play(scenario)
