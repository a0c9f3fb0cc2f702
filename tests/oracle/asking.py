"""Reading, asked for at every moment: what is called before there is a connection counts once there is one.

Generated: sequences of calls, from a connect() that failed until after the data has come, and every end that the
other side can make.  Of all that there are, so many as are asked for, chosen by a seed.
"""

from __future__ import annotations

import random

from oracle.language import Scenario, Step, client, data, it, show, wait, when

__all__ = ["generate"]

# What is called; "turn" lets the loop go round.
CALLS: dict[str, list[Step]] = {
    "data": [client.on("data")],
    "readable": [client.on("readable")],
    "readable+read": [client.on("readable", show(client.read()), label="readable to read")],
    "pause": [client.pause()],
    "resume": [client.resume()],
    "read": [show(client.read())],
    "read 0": [show(client.read(0))],
    "unshift": [client.unshift(data("u"))],
    "no data": [client.removeAllListeners("data")],
    "no readable": [client.removeAllListeners("readable")],
    "encoding": [client.setEncoding("utf8")],
}
# Where: before a connect() that fails, before the one that does not, after it, in the listener of 'connect' and in that of 'ready', after the data has come.
PLACES = ("earlier", "before", "connecting", "in connect", "in ready", "after")
# What the other end does.
PEERS: dict[str, list[Step]] = {
    "data": [it.write(data("abc"))],
    "data and FIN": [it.end(data("abc"))],
    "FIN": [it.end()],
    "RST": [it.resetAndDestroy()],
}
WATCHED = ("pause", "resume")


def _in_turns(names: list[str], then: list[Step]) -> list[Step]:
    """The calls one after another, "turn" being a wait for the next, and then the rest."""
    steps: list[Step] = []
    for index, name in enumerate(names):
        if name == "turn":
            return [*steps, wait(0, *_in_turns(names[index + 1 :], then))]
        steps += CALLS[name]
    return [*steps, *then]


def _scenario(name: str, calls: list[tuple[str, str]], peer: str) -> Scenario:
    """One program of calls, each with its place, in this order."""
    at = {place: [call for where, call in calls if where == place] for place in PLACES}
    seen = ["readableFlowing", "readableEnded", "bytesRead", "destroyed"]
    if "RST" not in peer:
        # What is left of a broken connection is nobody's any more.
        seen.append("readableLength")
    dialling = [
        client.dial(),
        *_in_turns(at["connecting"], []),
        when(
            ["peer sent", "client ready", "client connect"],
            *_in_turns(at["after"], [wait(2, client.get(*seen), client.destroy())]),
        ),
    ]
    begin = _in_turns(at["before"], dialling)
    if at["earlier"]:
        begin = _in_turns(
            at["earlier"], [client.once("close", wait(0, *begin), label="failed"), client.dial(to="nobody")]
        )
    return Scenario(
        name,
        "2.15, 3.1",
        accept=[it.on("error"), wait(0, *PEERS[peer], wait(2, it.mark("sent")))],
        steps=[
            client.make(),
            client.watch(*WATCHED),
            client.once("connect", *_in_turns(at["in connect"], []), label="connected"),
            client.once("ready", *_in_turns(at["in ready"], []), label="is ready"),
            *begin,
        ],
        until=["client state", *["client close"] * (2 if at["earlier"] else 1)],
        transports=("tcp",),
        without=("peer", "server"),
    )


def _choices(place: str, before: list[tuple[str, str]]) -> list[str]:
    """What may be called there after those, and means the same to both."""
    called = {call for _, call in before}
    if place == "earlier":
        # What is left of a life: listeners, encoding and flowing state.  Node keeps more.
        return ["data", "readable", "readable+read", "resume", "encoding", "turn"]
    names = [*CALLS, "turn"] if place in ("before", "after") else [*CALLS]
    if before and before[0][0] == "earlier":
        # Node goes on with the reads that were asked for in the life that failed.
        names.remove("pause")
    if not called & {"readable", "readable+read"}:
        # Node forgets pause() where there is no listener to remove.
        names.remove("no readable")
    if "encoding" in called:
        # Node gives out bytes then.
        names.remove("unshift")
    return names


def generate(count: int, seed: int, longest: int = 4) -> list[Scenario]:
    """So many different programs of up to `longest` calls."""
    chooser = random.Random(seed)
    found: dict[str, Scenario] = {}
    while len(found) < count:
        length = chooser.randint(1, longest)
        calls: list[tuple[str, str]] = []
        for place in sorted(chooser.choices(PLACES, k=length), key=PLACES.index):
            calls.append((place, chooser.choice(_choices(place, calls))))
        peer = chooser.choice([*PEERS])
        name = ", ".join(f"{call} {place}" for place, call in calls) + f"; {peer}"
        if name not in found:
            found[name] = _scenario(name, calls, peer)
    return [*found.values()]
