"""destroy_soon(), resets, and exceptions that nobody catches."""

from __future__ import annotations

from oracle.language import (
    STATE,
    Scenario,
    cb,
    client,
    data,
    error,
    fill,
    it,
    show,
    throw,
    wait,
    when,
)

__all__ = ["SCENARIOS"]

BOTH_CLOSED = ["client close", "peer close"]
AFTER = (*STATE, "errored")
ENDED = ("writableEnded", "writableFinished", "readableEnded")


SCENARIOS = [
    Scenario(
        "what is written before destroy() arrives",
        "2.11.1, DESIGN 5",
        accept=[it.watch("data")],
        steps=[
            client.make(),
            client.watch(),
            client.on(
                "connect",
                show(client.write(data("abc"), cb("first"))),
                show(client.write(data("def"), cb("second"))),
                client.destroy(),
                label="go",
            ),
            client.dial(),
        ],
        until=BOTH_CLOSED,
    ),
    Scenario(
        "what is written from a timer before destroy() arrives",
        "2.11.1, DESIGN 5",
        accept=[it.watch("data")],
        steps=[
            client.make(),
            client.watch(),
            client.dial(),
            when(
                ["client ready"],
                client.write(data("abc"), cb("first")),
                client.write(data("def"), cb("second")),
                client.destroy(),
                client.tick("tick"),
            ),
        ],
        until=BOTH_CLOSED,
    ),
    Scenario(
        "destroy_soon without data",
        "2.11.7",
        accept=[it.watch("data")],
        steps=[
            client.make(),
            client.watch(),
            client.on("connect", client.destroySoon(), client.get(*AFTER, *ENDED), label="go"),
            client.dial(),
        ],
        until=BOTH_CLOSED,
    ),
    Scenario(
        "destroy_soon with data to send",
        "2.11.7",
        accept=[it.on("end", it.get("bytesRead")), it.on("close"), it.resume()],
        steps=[
            client.make(),
            client.watch(),
            client.on(
                "connect",
                client.write(fill("x", 3_000_000)),
                client.destroySoon(),
                client.get(*AFTER),
                label="go",
            ),
            client.dial(),
        ],
        until=BOTH_CLOSED,
    ),
    Scenario(
        "destroy_soon after end() has finished",
        "2.11.7",
        server={"allowHalfOpen": True},
        accept=[it.watch()],
        steps=[
            client.make(),
            client.watch(),
            client.on("connect", client.end(), label="go"),
            client.on("finish", client.destroySoon(), client.get(*AFTER), label="finished"),
            client.dial(),
            when(["peer end"], wait(5, client.mark("soon"))),
        ],
        until=["client close", "peer end"],
    ),
    Scenario(
        "destroy_soon while connecting",
        "2.11.7, 2.9.3",
        accept=[it.watch("data")],
        steps=[
            client.make(),
            client.watch(),
            client.dial(),
            client.write(data("abc")),
            client.destroySoon(),
        ],
        until=BOTH_CLOSED,
    ),
    Scenario(
        "reset in 'connect'",
        "8 (resetAndDestroy)",
        transports=("tcp",),
        accept=[it.watch()],
        steps=[
            client.make(),
            client.watch(),
            client.on(
                "connect", show(client.resetAndDestroy()), client.get(*AFTER), label="resetter"
            ),
            client.dial(),
        ],
        until=BOTH_CLOSED,
    ),
    Scenario(
        "reset by the server",
        "8 (resetAndDestroy)",
        transports=("tcp",),
        accept=[it.watch(), when(["client ready"], it.resetAndDestroy(), it.resetAndDestroy())],
        steps=[client.make(), client.watch(), client.dial()],
        until=BOTH_CLOSED,
    ),
    Scenario(
        "reset while connecting",
        "8 (resetAndDestroy)",
        transports=("tcp",),
        accept=[it.watch()],
        steps=[
            client.make(),
            client.watch(),
            client.dial(),
            show(client.resetAndDestroy()),
            client.get(*AFTER),
        ],
        until=BOTH_CLOSED,
    ),
    Scenario(
        "reset while connecting, then destroy",
        "8 (resetAndDestroy)",
        transports=("tcp",),
        steps=[
            client.make(),
            client.watch(),
            client.dial(),
            client.resetAndDestroy(),
            client.destroy(),
        ],
        until=["client close"],
    ),
    Scenario(
        "reset a fresh socket",
        "8 (resetAndDestroy), 2.11.3",
        server=None,
        transports=("tcp",),
        steps=[client.make(), client.watch(), show(client.resetAndDestroy())],
        until=["client close"],
        decision="13",
        differs={
            "client": [
                ["resetAndDestroy =", "<client>"],
                ["error", {"$error": {"code": "ERR_SOCKET_CLOSED", "message": "Socket is closed"}}],
                ["close", True],
            ]
        },
    ),
    Scenario(
        "reset a Unix socket",
        "8 (resetAndDestroy)",
        transports=("unix",),
        accept=[it.watch()],
        steps=[
            client.make(),
            client.watch(),
            client.on(
                "connect", client.resetAndDestroy(), client.get(*STATE), client.end(), label="go"
            ),
            client.dial(),
        ],
        until=BOTH_CLOSED,
    ),
    Scenario(
        "write after a reset",
        "8 (resetAndDestroy), 2.8.3",
        transports=("tcp",),
        accept=[it.watch()],
        steps=[
            client.make(),
            client.watch(),
            client.on(
                "connect",
                client.resetAndDestroy(),
                show(client.write(data("x"), cb("written"))),
                label="go",
            ),
            client.dial(),
        ],
        until=BOTH_CLOSED,
    ),
    Scenario(
        "an error that nobody listens for",
        "0.3.1, 2.11.9",
        accept=[it.watch()],
        steps=[
            client.make(),
            client.on("close"),
            client.on("connect", client.destroy(error()), label="go"),
            client.dial(),
        ],
        until=BOTH_CLOSED,
    ),
    Scenario(
        "a refused connection that nobody listens for",
        "0.3.1, 2.11.9",
        server=None,
        steps=[client.make(), client.on("close"), client.dial(to="nobody")],
        until=["client close"],
    ),
    Scenario(
        "a listener raises",
        "DESIGN 2 (a throw in a listener)",
        accept=[it.watch()],
        steps=[
            client.make(),
            client.watch(),
            client.on("connect", throw("in the listener"), label="raiser"),
            client.on("connect", label="after the raiser"),
            client.dial(),
            when(
                ["process uncaught"],
                wait(30, client.get(*AFTER), client.destroy(), client.mark("over")),
            ),
        ],
        until=["client close", "peer close", "client over"],
        decision="DESIGN 2: the socket whose event it was is destroyed",
        differs={
            "client": [
                ["connect"],
                ["raiser"],
                ["close", False],
                [
                    "state",
                    {
                        "connecting": False,
                        "destroyed": True,
                        "errored": None,
                        "pending": True,
                        "readable": False,
                        "readyState": "closed",
                        "writable": False,
                    },
                ],
                ["over"],
            ]
        },
    ),  # fmt: skip
]
