"""open_connection(timeout=...): a limit for all of connecting, with nothing left behind."""

from __future__ import annotations

import asyncio
import errno
from typing import Any

import pytest
from descriptors import open_sockets
from harness import Player, Transport, listen
from proxy_stage import silent_backend
from waiting import turns, until, upcoming

import uvnet

SOON = 0.05


async def times_out(*arguments: Any, **keywords: Any) -> None:
    before = open_sockets()
    tasks = asyncio.all_tasks()
    with pytest.raises(TimeoutError, match="not connected within 0.05 seconds") as caught:
        await asyncio.wait_for(uvnet.open_connection(*arguments, **keywords), 5)
    assert caught.value.errno == errno.ETIMEDOUT
    assert caught.value.code == "ETIMEDOUT"  # type: ignore[attr-defined]
    assert uvnet.active_handles() == []
    assert open_sockets() == before
    await turns()
    assert asyncio.all_tasks() == tasks


@pytest.mark.parametrize("form", ["keyword", "mapping"])
def test_a_peer_that_does_not_answer(play: Player, form: str) -> None:
    async def scenario() -> None:
        with silent_backend() as port:
            if form == "keyword":
                await times_out(port, "127.0.0.1", timeout=SOON)
            else:
                await times_out({"port": port, "host": "127.0.0.1", "timeout": SOON})

    play(scenario)


def test_several_addresses(play: Player) -> None:
    def lookup(_host: str, _options: Any, callback: Any) -> None:
        callback(None, [("127.0.0.1", 4), ("127.0.0.2", 4)])

    async def scenario() -> None:
        with silent_backend() as port:
            await times_out(port, "name", lookup=lookup, timeout=SOON)

    play(scenario)


def test_a_look_up_that_does_not_answer(play: Player) -> None:
    callbacks: list[Any] = []

    async def scenario() -> None:
        await times_out(1, "name", timeout=SOON, lookup=lambda *arguments: callbacks.append(arguments[-1]))
        # Too late.
        callbacks[0](None, "127.0.0.1", 4)
        await turns()
        assert uvnet.active_handles() == []

    play(scenario)


def test_a_coroutine_that_looks_up(play: Player) -> None:
    log: list[str] = []

    async def lookup(_host: str, _options: Any) -> Any:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            log.append("cancelled")
            raise

    async def scenario() -> None:
        await times_out(1, "name", timeout=SOON, lookup=lookup)
        assert log == ["cancelled"]

    play(scenario)


def test_once_connected_there_is_no_limit(play: Player, transport: Transport) -> None:
    async def scenario() -> None:
        server = await listen(uvnet.create_server(), transport)
        accepted = upcoming(server, "connection")
        socket = await uvnet.open_connection(*transport.connect_arguments(server), timeout=SOON)
        assert socket.timeout == uvnet.Socket().timeout
        told: list[int] = []
        socket.on("timeout", lambda: told.append(1))
        await asyncio.sleep(3 * SOON)
        assert not socket.destroyed and told == []
        socket.set_timeout(SOON)
        await until(lambda: told)
        socket.destroy()
        (await accepted)[0].destroy()
        await server.shutdown(5)

    play(scenario)


def test_a_failure_that_comes_first(play: Player, transport: Transport) -> None:
    async def scenario() -> None:
        server = await listen(uvnet.create_server(), transport)
        where = transport.connect_arguments(server)
        await server.shutdown()
        with pytest.raises((ConnectionRefusedError, FileNotFoundError)):
            await uvnet.open_connection(*where, timeout=5)

    play(scenario)


@pytest.mark.parametrize(
    ("timeout", "kind"),
    [(0, ValueError), (-1, ValueError), (float("nan"), ValueError), ("1", TypeError), (True, TypeError)],
)
def test_bad_limits(play: Player, timeout: Any, kind: type[Exception]) -> None:
    async def scenario() -> None:
        with pytest.raises(kind):
            await uvnet.open_connection(1, "127.0.0.1", timeout=timeout)
        assert uvnet.active_handles() == []

    play(scenario)
