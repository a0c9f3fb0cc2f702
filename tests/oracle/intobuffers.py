"""The option onread: data goes into the user's buffer instead of 'data' events."""

from __future__ import annotations

from oracle.language import FLOW, Scenario, client, data, it, onread, show, spaced, wait, when

__all__ = ["SCENARIOS"]

BOTH_CLOSED = ["client close", "peer close"]
SENT = wait(10, it.mark("sent"))  # what was sent before has arrived
ARRIVED = ["peer sent", "client ready"]

SCENARIOS = [
    Scenario(
        "onread",
        "2.16.1",
        accept=[it.watch(), wait(5, *spaced(it.write(data("abc")), it.end(data("de"))))],
        steps=[
            client.make(onread=onread(100, client.get("bytesRead", *FLOW))),
            client.watch("data"),
            client.dial(),
            client.on("end", client.get("bytesRead"), label="over"),
        ],
        until=BOTH_CLOSED,
    ),
    Scenario(
        "onread with a buffer that is smaller than the data",
        "2.16.1",
        accept=[it.watch(), it.end(data("abcdefgh"))],
        steps=[client.make(onread=onread(3)), client.watch(), client.dial()],
        until=BOTH_CLOSED,
    ),
    Scenario(
        "onread without a 'data' listener and resume()",
        "2.16.1",
        accept=[it.watch(), it.end()],
        steps=[client.make(onread=onread(3)), client.watch(), client.dial()],
        until=BOTH_CLOSED,
    ),
    Scenario(
        "onread that asks for a pause",
        "2.16.3",
        accept=[it.watch(), it.end(data("abcd")), SENT],
        steps=[
            client.make(onread=onread(2, client.get(*FLOW), go_on=False)),
            client.watch(),
            client.dial(),
            when(
                ARRIVED,
                client.mark("first resume()"),
                show(client.resume()),
                wait(10, client.mark("second resume()"), client.resume()),
            ),
        ],
        until=BOTH_CLOSED,
    ),
    Scenario(
        "onread and pause()",
        "2.16.3",
        accept=[it.watch(), it.end(data("abcd")), SENT],
        steps=[
            client.make(onread=onread(2, client.pause(), show(client.isPaused()))),
            client.watch("pause"),
            client.dial(),
            when(
                ARRIVED,
                client.mark("first resume()"),
                client.resume(),
                wait(10, client.mark("second resume()"), client.resume()),
            ),
        ],
        until=BOTH_CLOSED,
    ),
    Scenario(
        "destroy in onread",
        "2.16.5",
        accept=[it.on("error"), it.end(data("abcdef"))],
        without=("peer",),
        steps=[client.make(onread=onread(2, client.destroy())), client.watch(), client.dial()],
        until=["client close"],
    ),
    Scenario(
        "write and end in onread",
        "2.16.1",
        accept=[it.watch("data"), it.write(data("question"))],
        steps=[
            client.make(onread=onread(100, client.end(data("answer")))),
            client.watch(),
            client.dial(),
        ],
        until=BOTH_CLOSED,
    ),
    Scenario(
        "two lives with onread",
        "2.16.1, 2.14.1",
        accept=[it.watch(), it.end(data("abc"))],
        steps=[
            client.make(onread=onread(100)),
            client.watch(),
            client.once("close", client.dial(), label="again"),
            client.dial(),
        ],
        until=["client close", "client close", "peer2 close"],
    ),
]
