"""The readable side: flowing and paused, 'readable' and read(), encodings, unshift()."""

from __future__ import annotations

from oracle.language import (
    FLOW,
    Scenario,
    client,
    data,
    fill,
    it,
    show,
    spaced,
    wait,
    when,
)

__all__ = ["SCENARIOS"]

BOTH_CLOSED = ["client close", "peer close"]

ARRIVED = ["peer sent", "client ready"]

# The peer sends two pieces, so far apart that they are two chunks, and ends; "peer sent" when they have arrived.
TWO_PIECES = [
    it.watch(),
    wait(5, *spaced(it.write(data("abc")), it.end(data("def")), it.mark("sent"))),
]


SCENARIOS = [
    Scenario(
        "listening to 'data' starts the flow",
        "2.15.2",
        accept=TWO_PIECES,
        steps=[
            client.make(),
            client.watch(),
            client.get(*FLOW),
            client.on("data", client.get(*FLOW)),
            client.get(*FLOW),
            client.tick("tick", client.get(*FLOW)),
            client.on("resume"),
            client.dial(),
        ],
        until=BOTH_CLOSED,
    ),
    Scenario(
        "listening to 'data' after the data",
        "2.15.1, 2.15.2",
        accept=TWO_PIECES,
        steps=[
            client.make(),
            client.watch(),
            client.dial(),
            when(
                ARRIVED,
                client.get(*FLOW, "bytesRead"),
                client.on("data", client.get(*FLOW)),
                client.get(*FLOW),
                client.tick("tick"),
            ),
        ],
        until=BOTH_CLOSED,
    ),
    Scenario(
        "pause and resume",
        "2.15.3, 3.1.8",
        accept=TWO_PIECES,
        steps=[
            client.make(),
            client.watch("pause", "resume"),
            client.once(
                "data",
                show(client.pause()),
                show(client.pause()),
                show(client.isPaused()),
                client.get(*FLOW),
                label="first",
            ),
            client.dial(),
            when(
                ARRIVED,
                client.on("data"),
                show(client.resume()),
                show(client.resume()),
                show(client.isPaused()),
                client.get(*FLOW),
                client.tick("tick"),
            ),
        ],
        until=BOTH_CLOSED,
    ),
    Scenario(
        "pause before connect()",
        "2.15.4",
        accept=TWO_PIECES,
        steps=[
            client.make(),
            client.watch("pause", "resume"),
            show(client.pause()),
            client.get(*FLOW),
            client.dial(),
            client.on("data"),
            when(ARRIVED, client.get(*FLOW, "bytesRead"), client.resume(), client.get(*FLOW)),
        ],
        until=BOTH_CLOSED,
    ),
    Scenario(
        "pause while connecting, resume before 'connect'",
        "2.15.3, 2.15.4",
        accept=TWO_PIECES,
        steps=[
            client.make(),
            client.watch("pause", "resume", "data"),
            client.dial(),
            client.pause(),
            client.resume(),
            client.get(*FLOW),
        ],
        until=BOTH_CLOSED,
    ),
    Scenario(
        "pause in 'connect'",
        "2.15.4",
        accept=TWO_PIECES,
        steps=[
            client.make(),
            client.watch("pause", "resume", "data"),
            client.on("connect", client.pause(), client.get(*FLOW), label="pauser"),
            client.dial(),
            when(ARRIVED, client.get(*FLOW), client.resume()),
        ],
        until=BOTH_CLOSED,
    ),
    Scenario(
        "resume without a listener",
        "2.15.6",
        accept=TWO_PIECES,
        steps=[
            client.make(),
            client.watch("resume"),
            show(client.resume()),
            client.get(*FLOW),
            client.dial(),
            client.on("end", client.get(*FLOW, "bytesRead"), label="all gone"),
        ],
        until=BOTH_CLOSED,
    ),
    Scenario(
        "the last 'data' listener is removed",
        "2.15.6",
        accept=TWO_PIECES,
        steps=[
            client.make(),
            client.watch(),
            client.on("data", client.off("data"), client.get(*FLOW)),
            client.dial(),
            client.on("end", client.get(*FLOW, "bytesRead"), label="at the end"),
        ],
        until=BOTH_CLOSED,
    ),
    Scenario(
        "more than the high-water mark, and nobody reads",
        "2.15.1",
        accept=[it.on("close"), it.end(fill("x", 30_000)), wait(10, it.mark("sent"))],
        steps=[
            client.make(readableHighWaterMark=1000),
            client.watch(),
            client.dial(),
            when(
                ARRIVED,
                client.on("end", client.get("bytesRead", *FLOW), label="all"),
                client.resume(),
            ),
        ],
        until=BOTH_CLOSED,
    ),
    Scenario(
        "'readable' and read()",
        "3.1.4",
        accept=TWO_PIECES,
        steps=[
            client.make(),
            client.watch(),
            client.on(
                "readable",
                client.get(*FLOW),
                show(client.read()),
                show(client.read()),
                client.get(*FLOW),
            ),
            client.get(*FLOW),
            client.dial(),
        ],
        until=BOTH_CLOSED,
    ),
    Scenario(
        "'readable' with buffered data",
        "3.1.4",
        accept=TWO_PIECES,
        steps=[
            client.make(),
            client.watch(),
            client.dial(),
            when(
                ARRIVED,
                client.on("readable", client.get(*FLOW), show(client.read(4)), show(client.read())),
                client.get(*FLOW),
                client.tick("tick"),
            ),
        ],
        until=BOTH_CLOSED,
    ),
    Scenario(
        "'readable' that reads too little",
        "3.1.4",
        accept=TWO_PIECES,
        steps=[
            client.make(),
            client.watch(),
            client.on("readable", show(client.read(2)), client.get(*FLOW)),
            client.dial(),
            when(ARRIVED, client.destroy()),
        ],
        until=BOTH_CLOSED,
    ),
    Scenario(
        "'readable' and 'data' together",
        "3.1.3, 3.1.4",
        accept=TWO_PIECES,
        steps=[
            client.make(),
            client.watch(),
            client.on("data", client.get(*FLOW)),
            client.on("readable", show(client.read())),
            client.dial(),
        ],
        until=BOTH_CLOSED,
    ),
    Scenario(
        "resume() with a 'readable' listener",
        "3.1.4",
        accept=TWO_PIECES,
        steps=[
            client.make(),
            client.watch("resume"),
            client.on("readable"),
            client.resume(),
            client.get(*FLOW),
            client.dial(),
            when(ARRIVED, client.get(*FLOW), show(client.read()), show(client.read())),
        ],
        until=BOTH_CLOSED,
    ),
    Scenario(
        "the last 'readable' listener is removed",
        "3.1.4",
        accept=TWO_PIECES,
        steps=[
            client.make(),
            client.watch(),
            client.on("data"),
            client.on("readable", client.off("readable"), client.get(*FLOW)),
            client.dial(),
        ],
        until=BOTH_CLOSED,
    ),
    Scenario(
        "once 'readable'",
        "3.1.4",
        accept=[it.watch(), it.end(data("abc")), wait(10, it.mark("sent"))],
        steps=[
            client.make(),
            client.watch(),
            client.once("readable", show(client.read())),
            client.dial(),
            when(ARRIVED, client.get(*FLOW), client.resume()),
        ],
        until=[*BOTH_CLOSED, "client state"],
    ),
    Scenario(
        "a paused socket that has read everything sees the end",
        "2.10.1",
        accept=[it.watch(), it.end(data("abc")), wait(10, it.mark("sent"))],
        steps=[
            client.make(),
            client.watch("data"),
            client.on("data", client.pause(), label="pauser"),
            client.dial(),
            when(ARRIVED, client.get(*FLOW, "bytesRead"), client.resume()),
        ],
        until=[*BOTH_CLOSED, "client state"],
    ),
    Scenario(
        "the end comes while the socket is paused, with nothing to read",
        "2.10.1",
        accept=[it.watch(), it.end(), wait(10, it.mark("sent"))],
        steps=[
            client.make(),
            client.watch("data"),
            client.on("connect", client.pause(), label="pauser"),
            client.dial(),
            when(ARRIVED, client.get(*FLOW, "bytesRead"), client.resume()),
        ],
        until=[*BOTH_CLOSED, "client state"],
    ),
]
