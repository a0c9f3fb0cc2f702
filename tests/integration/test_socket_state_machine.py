"""Whatever is called, in whatever order and from inside whatever listener: the promises of a socket hold.

One socket, which may be connected again and again, and peers that send, end, break off and stop reading.
Rules 2.3 to 2.15, 3.1 and 3.2; what must be true is in lives.py.
"""

from __future__ import annotations

import asyncio

from harness import Player, Transport
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lives import SOURCES, Action, Life
from pairs import Listening
from waiting import until

SIZES = (1, 100, 5_000, 70_000, 300_000, 0)
# How often each is chosen: what ends everything is the exception, or little would come before it.
WEIGHTS = {"write": 4, "peer sends": 4, "write text": 1, "unshift": 1, "end with data": 1}
GENTLE = (
    "resume", "read", "pause", "cork", "uncork", "uncork", "set_encoding", "peer stops reading", "peer reads",
)  # fmt: skip
ENDING = ("end", "peer ends", "peer ends", "connect", "destroy_soon")
FATAL = ("destroy", "fail", "reset", "peer resets")
CALLS: list[Action] = [
    *[(name, size) for name, weight in WEIGHTS.items() for size in SIZES for _ in range(weight)],
    *[(name, 0) for name in GENTLE * 3 + ENDING + FATAL],
    *[("set_timeout", milliseconds) for milliseconds in (1, 0, 5000)],
    *[("read some", size) for size in (1, 1000, 0)],
]
PAUSES: list[Action] = [("turn", 0), ("wait", 0)]
ACTIONS = st.sampled_from(CALLS)
STEPS = st.lists(st.sampled_from(CALLS + PAUSES * 16), min_size=4, max_size=24)
REACTIONS = st.dictionaries(st.sampled_from(SOURCES), st.lists(ACTIONS, min_size=1, max_size=2), max_size=5)
AGAIN = st.lists(st.sampled_from(["close", "error", "nowhere"]), max_size=2, unique=True)
OPTIONS = st.fixed_dictionaries(
    {"allow_half_open": st.booleans(), "high_water_mark": st.sampled_from([65_536, 1000, 1, 0])}
)


async def settle(life: Life) -> None:
    """Bring the last life to its end, and let the peers take what was sent to them."""
    for _ in range(5):
        life.let_peers_read()
        await asyncio.sleep(0.0005)
    life.socket.destroy()
    # A listener of that may have connected it again.
    while not life.socket.closed or life.socket.connecting:
        life.socket.destroy()
        await asyncio.sleep(0)
    await until(life.let_peers_read)


@settings(
    max_examples=500, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck)
)
@given(
    steps=STEPS,
    reactions=REACTIONS,
    options=OPTIONS,
    again=AGAIN,
    answer=st.sampled_from(["sync", "tick", "tick", "error"]),
    begins=st.sampled_from([True, True, True, False]),
)
def test_promises_hold(
    play: Player,
    transport: Transport,
    steps: list[Action],
    reactions: dict[str, list[Action]],
    options: dict[str, object],
    again: list[str],
    answer: str,
    begins: bool,
) -> None:
    number = len(play.reported)

    async def scenario() -> Life:
        life = Life(listening, {source: [*actions] for source, actions in reactions.items()}, answer, options)
        for event in again:
            # In addition to what was chosen: a socket that goes on.
            life.reactions.setdefault(event, []).append(("connect", 0))
        if begins:
            life.act(("connect", 0))
            await asyncio.sleep(0.001)
        for action in steps:
            if action[0] == "turn":
                await asyncio.sleep(0)
            elif action[0] == "wait":
                await asyncio.sleep(0.002)
            else:
                life.act(action)
            life.pump()
        await settle(life)
        # What is late must have its chance to break a promise.
        await asyncio.sleep(0.001)
        return life

    with Listening.on(transport) as listening:
        life = play(scenario, 2)
        try:
            assert len(play.reported) == number, play.reported[number:]
            life.check()
        finally:
            life.close()
