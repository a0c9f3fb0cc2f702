"""pipe() and unpipe(): echoes, proxies, and what ends what."""

from __future__ import annotations

from typing import Any

from oracle.language import (
    FLOW,
    Scenario,
    client,
    client2,
    data,
    error,
    fill,
    it,
    options,
    peer,
    peer2,
    show,
    the,
    wait,
    when,
)

__all__ = ["SCENARIOS"]

BOTH_CLOSED = ["client close", "peer close"]
PIPES = ("pipe", "unpipe")
LARGE = 3_000_000
SENT = wait(10, it.mark("sent"))  # what was sent before has arrived


def _without_end(name: str, given: dict[str, Any]) -> Scenario:
    return Scenario(
        name,
        "3.3.3",
        accept=[it.watch("data")],
        steps=[
            client.make(),
            client2.make(),
            client.watch(*PIPES),
            client2.watch(*PIPES),
            client.dial(),
            when(["server connection"], client2.dial()),
            when(
                ["server connection", "server connection"],
                client.pipe(the(client2), given),
                peer.end(data("through")),
            ),
            when(["client close"], wait(10, client2.end(data(" and more")))),
        ],
        until=["client close", "client2 close", "peer close", "peer2 close"],
    )


SCENARIOS = [
    Scenario(
        "an echo by a pipe",
        "3.3.5",
        accept=[it.watch(*PIPES), show(it.pipe(the(it))), it.get(*FLOW)],
        steps=[client.make(), client.watch("data"), client.dial(), client.end(data("hello"))],
        until=BOTH_CLOSED,
    ),
    Scenario(
        "an echo of much data",
        "3.3.5, 3.3.2",
        accept=[it.on("close"), it.pipe(the(it))],
        steps=[
            client.make(),
            client.on("end", client.get("bytesRead", "bytesWritten")),
            client.on("close"),
            client.resume(),
            client.dial(),
            client.end(fill("abcdefgh", LARGE // 8)),
        ],
        until=BOTH_CLOSED,
    ),
    Scenario(
        "an echo to a client that reads late",
        "3.3.2",
        server={"highWaterMark": 1000},
        accept=[it.on("close"), it.pipe(the(it))],
        steps=[
            client.make(),
            client.on("end", client.get("bytesRead", "bytesWritten")),
            client.on("close"),
            client.pause(),
            client.dial(),
            client.end(fill("abcdefgh", LARGE // 8)),
            wait(60, client.resume()),
        ],
        until=BOTH_CLOSED,
    ),
    Scenario(
        "a client pipes to itself",
        "3.3.5",
        accept=[it.watch("data"), it.write(data("ping")), wait(30, it.end())],
        steps=[client.make(), client.watch(*PIPES), show(client.pipe(the(client))), client.dial()],
        until=BOTH_CLOSED,
    ),
    Scenario(
        "a pipe between two connections",
        "3.3.1, 3.3.3",
        accept=[it.watch("data")],
        steps=[
            client.make(),
            client2.make(),
            client.watch(*PIPES),
            client2.watch(*PIPES),
            client.dial(),
            when(["server connection"], client2.dial()),
            when(
                ["server connection", "server connection"],
                show(client.pipe(the(client2))),
                client.get(*FLOW),
                peer.end(data("through")),
            ),
        ],
        until=["client close", "client2 close", "peer close", "peer2 close"],
    ),
    _without_end("a pipe that does not end its destination", options(end=False)),
    _without_end("a pipe that does not end its destination, said by a mapping", {"end": False}),
    Scenario(
        "pipe before connect()",
        "3.3.1",
        accept=[it.watch("data"), it.write(data("hello")), wait(30, it.end())],
        steps=[
            client.make(),
            client.watch(*PIPES),
            client.pipe(the(client)),
            client.get(*FLOW),
            client.dial(),
        ],
        until=BOTH_CLOSED,
    ),
    Scenario(
        "unpipe",
        "3.3.4",
        accept=[
            it.watch("data"),
            it.write(data("one")),
            when(["client unpipe"], it.end(data("two")), SENT),
        ],
        steps=[
            client.make(),
            client.watch(*PIPES),
            client.pipe(the(client)),
            client.once(
                "data", wait(10, show(client.unpipe(the(client))), client.get(*FLOW)), label="first"
            ),
            client.dial(),
            when(["peer sent", "client ready"], client.on("data"), client.resume()),
        ],
        until=BOTH_CLOSED,
    ),
    Scenario(
        "unpipe of everything",
        "3.3.4",
        accept=[it.watch("data"), it.end(data("one")), SENT],
        steps=[
            client.make(),
            client.watch(*PIPES),
            client.pipe(the(client)),
            show(client.unpipe()),
            show(client.unpipe()),
            client.get(*FLOW),
            client.dial(),
            when(["peer sent", "client ready"], client.get(*FLOW), client.resume()),
        ],
        until=BOTH_CLOSED,
    ),
    Scenario(
        "unpipe and pipe again",
        "3.3.4",
        accept=[
            it.watch("data"),
            it.write(data("one")),
            when(["client unpipe"], it.end(data("two")), SENT),
        ],
        steps=[
            client.make(),
            client.watch(*PIPES),
            client.pipe(the(client)),
            client.dial(),
            client.once("data", wait(10, client.unpipe()), label="first"),
            when(["peer sent", "client ready"], client.pipe(the(client)), client.get(*FLOW)),
        ],
        until=BOTH_CLOSED,
    ),
    Scenario(
        "the destination of a pipe is destroyed",
        "3.3.3",
        accept=[it.watch("data")],
        steps=[
            client.make(),
            client2.make(),
            client.watch(*PIPES),
            client2.watch(*PIPES),
            client.dial(),
            when(["server connection"], client2.dial()),
            when(
                ["server connection", "server connection"],
                client.pipe(the(client2)),
                client2.destroy(),
                wait(20, client.get(*FLOW), client.end()),
            ),
        ],
        until=["client close", "client2 close", "peer close", "peer2 close"],
        decision="2.11.4: 'close' is the last event of a life",
        differs={
            "client2": [
                ["connect"],
                ["ready"],
                ["pipe", "<client>"],
                ["unpipe", "<client>"],
                ["close", False],
            ]
        },
    ),
    Scenario(
        "the destination of a pipe fails",
        "3.3.3",
        accept=[it.watch("data")],
        steps=[
            client.make(),
            client2.make(),
            client.watch(*PIPES),
            client2.watch(*PIPES),
            client.dial(),
            when(["server connection"], client2.dial()),
            when(
                ["server connection", "server connection"],
                client.pipe(the(client2)),
                client2.destroy(error()),
                wait(20, client.get(*FLOW), client.end()),
            ),
        ],
        until=["client close", "client2 close", "peer close", "peer2 close"],
    ),
    Scenario(
        "the destination of a pipe fails and nobody listens",
        "3.3.3, 0.3.1",
        accept=[it.watch("data")],
        steps=[
            client.make(),
            client2.make(),
            client.watch(*PIPES),
            client2.on("close"),
            client.dial(),
            when(["server connection"], client2.dial()),
            when(
                ["server connection", "server connection"],
                client.pipe(the(client2)),
                client2.destroy(error()),
                wait(20, client.end()),
            ),
        ],
        until=["client close", "client2 close", "peer close", "peer2 close"],
    ),
    Scenario(
        "the source of a pipe is destroyed",
        "3.3.3",
        accept=[it.watch("data")],
        steps=[
            client.make(),
            client2.make(),
            client.watch(*PIPES),
            client2.watch(*PIPES),
            client.dial(),
            when(["server connection"], client2.dial()),
            when(
                ["server connection", "server connection"],
                client.pipe(the(client2)),
                client.destroy(error()),
                wait(20, client2.get("writable", "destroyed"), client2.end()),
            ),
        ],
        until=["client close", "client2 close", "peer close", "peer2 close"],
    ),
    Scenario(
        "one source, two destinations",
        "3.3.2",
        accept=[it.watch("data")],
        steps=[
            client.make(),
            client2.make(),
            client.watch(*PIPES),
            client2.watch(*PIPES),
            client.dial(),
            when(["server connection"], client2.dial()),
            when(
                ["server connection", "server connection"],
                client.pipe(the(client2)),
                client.pipe(the(client)),
                peer.write(data("both")),
                wait(30, client.unpipe(the(client2)), client.get(*FLOW), peer.end(data("one"))),
            ),
            when(["client close"], client2.end()),
        ],
        until=["client close", "client2 close", "peer close", "peer2 close"],
    ),
    Scenario(
        "a proxy of much data to a slow reader",
        "3.3.2",
        server={"pauseOnConnect": True},
        accept=[it.on("close")],
        steps=[
            client.make(highWaterMark=1000),
            client2.make(highWaterMark=1000),
            client2.on("close", client2.get("bytesWritten")),
            client.on("close", client.get("bytesRead")),
            client.dial(),
            when(["server connection"], client2.dial()),
            when(
                ["server connection", "server connection"],
                client.pipe(the(client2)),
                peer.resume(),
                peer.end(fill("abcdefgh", LARGE // 8)),
                wait(50, peer2.on("end", peer2.get("bytesRead")), peer2.resume()),
            ),
        ],
        until=["client close", "client2 close", "peer close", "peer2 close"],
    ),
    Scenario(
        "a pipe with an encoding",
        "3.3.1, 2.15.7",
        accept=[it.setEncoding("utf8"), it.watch(), it.pipe(the(it))],
        steps=[client.make(), client.watch("data"), client.dial(), client.end(data("h\xc3\xa9"))],
        until=BOTH_CLOSED,
    ),
    Scenario(
        "a paused source is piped",
        "3.3.1",
        server={"pauseOnConnect": True},
        accept=[it.watch(*PIPES), it.pipe(the(it)), it.get(*FLOW)],
        steps=[client.make(), client.watch("data"), client.dial(), client.end(data("hello"))],
        until=BOTH_CLOSED,
    ),
]
