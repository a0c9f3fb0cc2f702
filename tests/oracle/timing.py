"""Idle timeouts: only whether and in which order, never when.

A short one is set when both ends are there, and cancelled before the end: what comes in between may be slow.
"""

from __future__ import annotations

from oracle.language import (
    Scenario,
    cb,
    client,
    data,
    finish,
    it,
    lookup,
    ms,
    number,
    show,
    wait,
    when,
)

__all__ = ["SCENARIOS"]

BOTH_CLOSED = ["client close", "peer close"]
CONNECTED = ["client ready", "server connection"]
SHORT, LONG = ms(30), ms(3000)

SCENARIOS = [
    Scenario(
        "an idle connection",
        "2.12.4, 2.12.5",
        accept=[it.watch()],
        steps=[
            client.make(),
            client.watch(),
            client.get("timeout"),
            client.on(
                "timeout",
                client.get("destroyed", "readyState"),
                client.setTimeout(0),
                client.end(),
                label="enough",
            ),
            client.dial(),
            when(
                CONNECTED,
                show(client.setTimeout(SHORT, cb("called back"))),
                client.get("timeout"),
            ),
        ],
        until=BOTH_CLOSED,
    ),
    Scenario(
        "a timeout comes once for one idle period",
        "2.12.5",
        accept=[it.watch()],
        steps=[
            client.make(),
            client.watch(),
            client.dial(),
            when(
                CONNECTED,
                client.setTimeout(SHORT),
                wait(150, client.setTimeout(0), client.end()),
            ),
        ],
        until=BOTH_CLOSED,
    ),
    Scenario(
        "activity arms the timeout again",
        "2.12.5, 2.12.6",
        accept=[it.watch("data")],
        steps=[
            client.make(),
            client.watch(),
            client.once(
                "timeout",
                client.write(data("still here")),
                client.once("timeout", client.setTimeout(0), client.end(), label="second"),
                label="first",
            ),
            client.dial(),
            when(CONNECTED, client.setTimeout(SHORT)),
        ],
        until=BOTH_CLOSED,
    ),
    Scenario(
        "received data puts the timeout off",
        "2.12.6",
        accept=[
            it.watch(),
            wait(
                150,
                it.write(data("a")),
                wait(150, it.write(data("b")), wait(150, it.write(data("c")))),
            ),
            when(["client data", "client data", "client data"], wait(150, it.end())),
        ],
        steps=[client.make(), client.watch("data"), client.setTimeout(ms(500)), client.dial()],
        until=BOTH_CLOSED,
    ),
    Scenario(
        "a timeout on a fresh socket",
        "2.12.8",
        server=None,
        transports=("tcp",),
        steps=[
            client.make(),
            client.watch(),
            client.setTimeout(SHORT),
            when(["client timeout"], finish()),
        ],
    ),
    Scenario(
        "a timeout that is cancelled",
        "2.12.4",
        accept=[it.watch()],
        steps=[
            client.make(),
            client.watch(),
            client.setTimeout(SHORT, cb("never")),
            client.setTimeout(0),
            client.get("timeout"),
            client.dial(),
            wait(100, client.end()),
        ],
        until=BOTH_CLOSED,
    ),
    Scenario(
        "destroy cancels the timeout",
        "2.12.8",
        accept=[it.watch()],
        steps=[
            client.make(),
            client.watch(),
            client.on("connect", client.setTimeout(SHORT), client.destroy(), label="go"),
            client.dial(),
            wait(100, client.get("timeout"), client.mark("later")),
        ],
        until=["peer close", "client later"],
    ),
    Scenario(
        "set_timeout on a destroyed socket",
        "2.12.1",
        accept=[it.watch()],
        steps=[
            client.make(),
            client.watch(),
            client.on(
                "connect",
                client.destroy(),
                show(client.setTimeout(-1)),
                client.get("timeout"),
                label="go",
            ),
            client.dial(),
        ],
        until=BOTH_CLOSED,
    ),
    Scenario(
        "destroy in 'timeout'",
        "2.12.5, 2.11.1",
        accept=[it.watch()],
        steps=[
            client.make(),
            client.watch(),
            client.on("timeout", client.destroy(), label="enough"),
            client.dial(),
            when(CONNECTED, client.setTimeout(SHORT)),
        ],
        until=BOTH_CLOSED,
    ),
    Scenario(
        "the server's side is idle",
        "2.12.4",
        accept=[
            it.watch(),
            it.on("timeout", it.setTimeout(0), it.end(), label="enough"),
            when(["client ready"], it.setTimeout(SHORT)),
        ],
        steps=[client.make(), client.watch(), client.dial()],
        until=BOTH_CLOSED,
    ),
    Scenario(
        "two callbacks of set_timeout",
        "2.12.4",
        accept=[it.watch()],
        steps=[
            client.make(),
            client.setTimeout(LONG, cb("first")),
            client.on("ready"),
            client.dial(),
            when(
                CONNECTED,
                client.setTimeout(SHORT, cb("second", client.setTimeout(0), client.end())),
            ),
            client.on("close"),
        ],
        until=BOTH_CLOSED,
    ),
    Scenario(
        "bad times and callbacks",
        "2.12.2, 2.12.3",
        server=None,
        transports=("tcp",),
        steps=[
            client.make(),
            *[
                client.setTimeout(value)
                for value in (-1, "5", None, True, number("NaN"), number("Infinity"), [1])
            ],
            client.setTimeout(0, "no function"),
            client.setTimeout(5, 5),
            show(client.setTimeout(0.5)),
            show(client.setTimeout(0)),
            finish(),
        ],
    ),
    Scenario(
        "a timeout while connecting by a look-up that does not answer",
        "2.12.8",
        transports=("tcp",),
        steps=[
            client.make(),
            client.watch(),
            client.setTimeout(SHORT),
            client.on("timeout", client.get("connecting"), client.destroy(), label="enough"),
            client.dial(host="somewhere", lookup=lookup(how="never")),
        ],
        until=["client close"],
    ),
    Scenario(
        "reading without end() after a timeout",
        "2.12.5",
        accept=[it.watch(), when(["client timeout"], it.end(data("late")))],
        steps=[
            client.make(),
            client.watch("data"),
            client.once("timeout", client.setTimeout(0), label="no more"),
            client.dial(),
            when(CONNECTED, client.setTimeout(SHORT)),
        ],
        until=[*BOTH_CLOSED],
    ),
]
