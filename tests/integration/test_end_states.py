"""Waits that begin late: whatever state a socket is in, what can never come any more is not waited for.

A table of every state and every awaitable.  Rules 2.7.4, 3.4 and 3.5.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import subprocess
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from end_states import STATES, Scene, cells, scene, settle
from harness import Player
from oracle.node import LINE, MISSING, NODE
from places import TESTS
from waiting import until

import uvnet


async def next_chunk(socket: uvnet.Socket) -> bytes:
    return await anext(aiter(socket))


async def enter(socket: uvnet.Socket) -> uvnet.Socket:
    return await socket.__aenter__()


async def leave(socket: uvnet.Socket) -> None:
    await socket.__aexit__(None, None, None)


WAITS: dict[str, Callable[[uvnet.Socket], Awaitable[Any]]] = {
    "drain": lambda socket: socket.drain(),
    "close": lambda socket: socket.close(),
    "close-now": lambda socket: socket.close(0),
    "exactly": lambda socket: socket.read_exactly(5),
    "until": lambda socket: socket.read_until(),
    "chunk": next_chunk,
    "receive": lambda socket: socket.receive(),
    "all": lambda socket: socket.read_all(100),
    "line": lambda socket: anext(socket.lines()),
    "enter": enter,
    "leave": leave,
    "finished": lambda socket: uvnet.finished(socket),
    "read": lambda socket: uvnet.finished(socket, writable=False),
    "written": lambda socket: uvnet.finished(socket, readable=False),
}

TABLE = """
state                   drain     close close-now exactly    until      chunk   receive all        line    enter  leave finished read  written
never-connected         ok        True  True      waits      waits      waits   waits   waits      waits   socket ok    waits    waits waits
connecting              ok        waits True      waits      waits      waits   waits   waits      waits   waits  waits waits    waits waits
failing-to-connect      mine      False True      mine       mine       mine    mine    mine       mine    mine   ok    mine     mine  mine
open                    ok        True  True      waits      waits      waits   waits   waits      waits   socket ok    waits    waits waits
paused                  ok        True  True      waits      waits      waits   waits   waits      waits   socket ok    waits    waits waits
ending                  ok        waits False     waits      waits      waits   waits   waits      waits   socket waits waits    waits waits
finished                ok        True  True      waits      waits      waits   waits   waits      waits   socket ok    waits    waits ok
ended-by-the-peer       ok        True  True      incomplete incomplete stop    b''     b''        stop    socket ok    waits    ok    waits
ended-with-a-rest       ok        True  True      incomplete incomplete b'rest' b'rest' b'rest'    b'rest' socket ok    waits    waits waits
closed                  ok        True  True      incomplete incomplete stop    b''     b''        stop    closed ok    ok       ok    ok
destroyed               DESTROYED False False     incomplete incomplete stop    b''     incomplete stop    closed ok    early    early early
destroyed-and-closed    DESTROYED False False     incomplete incomplete stop    b''     incomplete stop    closed ok    early    early early
failed                  mine      False False     mine       mine       mine    mine    mine       mine    mine   ok    mine     mine  mine
failed-and-closed       mine      False False     mine       mine       mine    mine    mine       mine    mine   ok    mine     mine  mine
finished-and-destroyed  ok        True  True      incomplete incomplete stop    b''     incomplete stop    closed ok    early    early ok
ended-and-destroyed     DESTROYED False False     incomplete incomplete stop    b''     b''        stop    closed ok    early    ok    early
failing-to-write        reset     False False     reset      reset      reset   reset   reset      reset   reset  ok    reset    reset reset
without-a-writable-side ok        True  True      waits      waits      waits   waits   waits      waits   socket ok    waits    waits ok
without-a-readable-side ok        True  True      incomplete incomplete stop    b''     b''        stop    socket ok    waits    ok    waits
"""


def test_the_table_is_complete() -> None:
    (_, *columns), *rows = (line.split() for line in TABLE.strip().splitlines())
    assert columns == list(WAITS)
    assert [state for state, *_ in rows] == list(STATES)


@pytest.mark.parametrize(("state", "wait", "outcome"), cells(TABLE))
def test_what_can_never_come_is_not_waited_for(play: Player, state: str, wait: str, outcome: str) -> None:
    async def scenario() -> None:
        async with scene() as made:
            socket = await made.make(state)
            assert await settle(WAITS[wait](socket), socket if outcome == "waits" else None) == outcome

    play(scenario)


# The socket in one place of a pipeline whose other streams are open.  In what is "fed" the first has data and an end.
PLACES = {
    "source": lambda socket, first, last: [socket, last],
    "destination": lambda socket, first, last: [first, socket],
    "fed-destination": lambda socket, first, last: [first, socket],
    "fed-middle": lambda socket, first, last: [first, socket, last],
}

# A plus for each stream that is destroyed in the end.  Where one was fed and another has failed, it is a matter of turns
# whether it had ended and lives on.
PIPELINES = """
state                    source   destination fed-destination fed-middle
never-connected          waits    waits       never           never
connecting               waits    waits       waits           waits
failing-to-connect       mine++   mine++      mine            mine
open                     waits    waits       ok--            waits
paused                   waits    waits       ok--            waits
ending                   waits    late++      late            late
finished                 waits    late++      late            late
ended-by-the-peer        ok--     waits       ok-+            ok-+-
ended-with-a-rest        ok--     waits       ok--            ok-+-
closed                   ok+-     late++      late            late
destroyed                early++  early++     early           early
destroyed-and-closed     early++  early++     early           early
failed                   mine++   mine++      mine            mine
failed-and-closed        mine++   mine++      mine            mine
finished-and-destroyed   early++  late++      late            late
ended-and-destroyed      ok+-     early++     early           early
failing-to-write         reset++  reset++     reset           reset
without-a-writable-side  waits    late++      late            late
without-a-readable-side  ok--     waits       ok-+            ok-+-
"""


OVER = (
    "closed", "destroyed", "destroyed-and-closed", "failed", "failed-and-closed", "finished-and-destroyed",
    "ended-and-destroyed",
)  # fmt: skip


def begin(pipeline: list[Any], called_back: bool) -> Awaitable[Any]:
    if not called_back:
        return uvnet.pipeline(*pipeline)
    settled: asyncio.Future[Any] = asyncio.get_running_loop().create_future()

    def done(error: BaseException | None) -> None:
        # A second call would fail.
        settled.set_result(error)

    assert uvnet.pipeline(*pipeline, done) is pipeline[-1]
    return settled


async def piped(made: Scene, state: str, place: str, called_back: bool, waits: bool) -> str:
    """How a pipeline ends with a socket in this state in it."""
    (first, sender), (last, _) = await made.pair(), await made.pair()
    if place.startswith("fed-"):
        sender.end(b"data")
        await until(lambda: first.readable_length == 4)
    socket = await made.make(state)
    pipeline = PLACES[place](socket, first, last)
    outcome = await settle(begin(pipeline, called_back), socket if waits else None)
    if outcome != "ok":
        assert all(stream.destroyed or stream.readable_ended for stream in pipeline)
    if waits or (outcome != "ok" and place.startswith("fed-")):
        return outcome
    return outcome + "".join("-+"[stream.destroyed] for stream in pipeline)


@pytest.mark.parametrize("called_back", [False, True], ids=["awaited", "called-back"])
@pytest.mark.parametrize(("state", "place", "outcome"), cells(PIPELINES))
def test_a_pipeline_of_what_is_over(
    play: Player, state: str, place: str, outcome: str, called_back: bool
) -> None:
    """Rule 3.4.3; every stream is open or destroyed, and nothing is left for the exception handler."""

    async def scenario() -> None:
        async with scene() as made:
            assert await piped(made, state, place, called_back, outcome == "waits") == outcome

    play(scenario)


@pytest.mark.skipif(bool(MISSING), reason=MISSING or "Node.js is there")
def test_node_says_the_same() -> None:
    """Rules 3.4.1 to 3.4.3.

    One difference: what is written too late is refused at once, not only when there is something to write.
    Node 20 also destroys a socket without a readable side for being the source of a pipeline.  Node 24 raises at the
    call where a destination is destroyed, and leaves the source open; and what goes into one that has finished is lost.
    """
    program = TESTS / "oracle" / "end_states.js"
    on_node = json.loads(subprocess.run([NODE, program], capture_output=True, check=True, timeout=60).stdout)
    if LINE == 20:
        assert on_node["without-a-readable-side"].pop("source") == "ok+-"
    raised = set()
    for cell in cells(TABLE) + cells(PIPELINES):
        state, column, outcome = cell.values
        said = on_node.get(state, {}).get(column, outcome)
        if said.startswith("raises UNABLE_TO_PIPE"):
            raised.add((state, column))
            continue
        if outcome[-1] not in "+-":
            said = said.rstrip("+-")
        assert said == outcome or outcome.startswith("WRITE_AFTER_END"), cell.id
    assert raised == ({*itertools.product(OVER, ("destination", "fed-destination", "fed-middle"))} if LINE > 20 else set())
    assert on_node["finished"]["fed-destination"] == ("ok-+" if LINE > 20 else "WRITE_AFTER_END++")
    assert on_node["finished"]["fed-middle"] == ("WRITE_AFTER_END-++" if LINE > 20 else "WRITE_AFTER_END+++")
