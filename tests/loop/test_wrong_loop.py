"""Objects of one loop, begun to be used while another one runs: an error that names both."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import uvloop
from descriptors import open_sockets
from harness import Player, event

import uvnet

BEGINNINGS: dict[str, Callable[[Path], tuple[Any, Callable[[], Any]]]] = {}


def beginning(function: Callable[[Path], tuple[Any, Callable[[], Any]]]) -> None:
    BEGINNINGS[function.__name__] = function


@beginning
def listen_on_a_port(tmp_path: Path) -> tuple[Any, Callable[[], Any]]:
    server = uvnet.create_server()
    return server, lambda: server.listen(0)


@beginning
def listen_on_a_host(tmp_path: Path) -> tuple[Any, Callable[[], Any]]:
    server = uvnet.create_server()
    return server, lambda: server.listen(0, "localhost")


@beginning
def listen_on_a_path(tmp_path: Path) -> tuple[Any, Callable[[], Any]]:
    server = uvnet.create_server()
    return server, lambda: server.listen(str(tmp_path / "socket"))


@beginning
def proxy(tmp_path: Path) -> tuple[Any, Callable[[], Any]]:
    server = uvnet.create_proxy(80)
    return server, lambda: server.listen(0)


@beginning
def connect_to_a_port(tmp_path: Path) -> tuple[Any, Callable[[], Any]]:
    client = uvnet.Socket()
    return client, lambda: client.connect(80, "127.0.0.1")


@beginning
def connect_to_a_path(tmp_path: Path) -> tuple[Any, Callable[[], Any]]:
    client = uvnet.Socket()
    return client, lambda: client.connect(str(tmp_path / "socket"))


@pytest.mark.parametrize("begin", BEGINNINGS)
def test_made_at_module_level_for_run(tmp_path: Path, begin: str) -> None:
    """And used in another loop than the one that uvnet.run() would run."""
    thing, call = BEGINNINGS[begin](tmp_path)
    mine = thing._record.loop

    async def main() -> str:
        before = open_sockets()
        with pytest.raises(RuntimeError) as caught:
            call()
        assert open_sockets() == before
        assert repr(mine) in str(caught.value)
        assert repr(asyncio.get_running_loop()) in str(caught.value)
        return str(caught.value)

    message = uvloop.run(main())
    assert "uvnet.run()" in message
    assert list(tmp_path.iterdir()) == []
    # In its own loop it works, or fails as it always would.
    uvnet.run(tried(thing, call))


async def tried(thing: Any, call: Callable[[], Any]) -> None:
    thing.on("error", lambda _: None)
    call()
    if hasattr(thing, "listen"):
        while not thing.listening:
            await asyncio.sleep(0)
        thing.close()
    else:
        thing.destroy()
    await event(thing, "close")


@pytest.mark.parametrize("begin", BEGINNINGS)
def test_made_in_another_thread(play: Player, tmp_path: Path, begin: str) -> None:
    async def scenario() -> None:
        made: list[Any] = []

        def make() -> None:
            thing, call = BEGINNINGS[begin](tmp_path)
            made.extend([thing._record.loop, call])

        thread = threading.Thread(target=make)
        thread.start()
        thread.join()
        loop, call = made
        with pytest.raises(RuntimeError) as caught:
            call()
        assert repr(loop) in str(caught.value)
        assert repr(asyncio.get_running_loop()) in str(caught.value)
        assert list(tmp_path.iterdir()) == []
        # Nobody else will.
        loop.close()

    play(scenario)


def test_made_for_a_loop_that_is_closed(tmp_path: Path) -> None:
    async def make() -> tuple[Any, Callable[[], Any]]:
        return BEGINNINGS["listen_on_a_port"](tmp_path)

    _, call = uvloop.run(make())

    async def main() -> None:
        with pytest.raises(RuntimeError, match="closed"):
            call()

    uvloop.run(main())


def test_made_before_its_loop_runs() -> None:
    """In any loop of uvloop's, run by whom one likes."""
    loop = uvloop.new_event_loop()

    async def make() -> Any:
        return uvnet.create_server()

    server = loop.run_until_complete(make())
    # No loop runs: it will be this one.
    server.listen(0)

    async def end() -> None:
        assert server.listening
        server.close()
        await event(server, "close")

    loop.run_until_complete(end())
    loop.close()
