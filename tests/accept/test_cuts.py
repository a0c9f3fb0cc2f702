"""Many connections that go beyond a limit at once: whoever else is served has not to wait until all are closed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from server_stage import Stage
from waiting import until

MANY = 40
LIMIT = 0.1  # seconds


class Told(list[Any]):
    """What the stage has of drops; calls somebody about each."""

    def __init__(self, listener: Callable[[Any], None]) -> None:
        super().__init__()
        self.listener = listener

    def append(self, drop: Any) -> None:
        super().append(drop)
        self.listener(drop)


async def many(stage: Stage) -> list[Any]:
    clients = [await stage.client() for _ in range(MANY)]
    await until(lambda: len(stage.connections) == MANY)
    return clients


def test_others_get_their_turn_meanwhile(staged: Callable[..., None]) -> None:
    async def scene(stage: Stage) -> None:
        loop = asyncio.get_running_loop()
        turns: list[int] = []

        def next_turn() -> None:
            nonlocal in_turn
            turns.append(in_turn)
            in_turn = 0

        def listener(drop: Any) -> None:
            nonlocal in_turn
            if in_turn == 0:
                loop.call_soon(next_turn)
            in_turn += 1

        in_turn = 0
        stage.drops = Told(listener)
        await many(stage)
        await until(lambda: sum(turns) == MANY)
        assert stage.reasons == ["lifetime"] * MANY
        assert max(turns) <= 8, turns

    staged(scene, max_lifetime=LIMIT)


def test_who_is_within_the_limit_by_then_stays(staged: Callable[..., None]) -> None:
    """Between being chosen and its turn a connection may have said something."""

    async def scene(stage: Stage) -> None:
        def listener(drop: Any) -> None:
            if len(stage.drops) == 1:
                for client in clients:
                    client.send(b"x")

        stage.drops = Told(listener)
        clients = await many(stage)
        await until(lambda: stage.heard + len(stage.drops) >= MANY)
        # Long enough for those that were chosen to have had their turn.
        await asyncio.sleep(LIMIT)
        assert 1 <= len(stage.drops) <= 8
        assert stage.reasons == ["no data"] * len(stage.drops)
        assert stage.heard == MANY - len(stage.drops)

    staged(scene, first_data_timeout=LIMIT)


def test_a_listener_that_raises_keeps_nobody(staged: Callable[..., None]) -> None:
    async def scene(stage: Stage) -> None:
        contexts: list[Any] = []
        asyncio.get_running_loop().set_exception_handler(lambda loop, context: contexts.append(context))

        def listener(drop: Any) -> None:
            raise LookupError(len(stage.drops))

        stage.drops = Told(listener)
        await many(stage)
        await until(lambda: len(stage.drops) == MANY)
        await until(lambda: len(contexts) == MANY)
        assert {type(context["exception"]) for context in contexts} == {LookupError}
        asyncio.get_running_loop().set_exception_handler(None)

    staged(scene, max_lifetime=LIMIT)


def test_a_listener_that_closes_all(staged: Callable[..., None]) -> None:
    """Those that were chosen and closed by somebody else are not told of."""

    async def scene(stage: Stage) -> None:
        def listener(drop: Any) -> None:
            for connection in stage.connections:
                if hasattr(connection, "destroy"):
                    connection.destroy()
                else:
                    connection.abort()

        stage.drops = Told(listener)
        clients = await many(stage)
        for client in clients:
            assert await stage.is_closed(client)
        await until(lambda: len(stage.server.connections) == 0)
        await asyncio.sleep(LIMIT)
        assert stage.reasons == ["lifetime"]

    staged(scene, max_lifetime=LIMIT)
