"""The life of a connection: who ends first, in which order, and what the properties say meanwhile."""

from __future__ import annotations

from oracle.language import (
    STATE,
    Scenario,
    cb,
    client,
    data,
    it,
    lookup,
    server,
    wait,
    when,
)

__all__ = ["SCENARIOS"]

BOTH_CLOSED = ["client close", "peer close"]
ENDED = ("writableEnded", "writableFinished", "readableEnded", "destroyed", "readyState")

SCENARIOS = [
    Scenario(
        "the other end ends an idle socket",
        "2.10.1, 2.10.4",
        accept=[it.watch(), it.end()],
        steps=[client.make(), client.watch(), client.dial()],
        until=BOTH_CLOSED,
    ),
    Scenario(
        "the other end ends a flowing socket",
        "2.10.4",
        accept=[it.watch("data"), it.end(data("bye"))],
        steps=[client.make(), client.watch("data"), client.dial()],
        until=BOTH_CLOSED,
    ),
    Scenario(
        "this end ends first",
        "2.10.4",
        accept=[it.watch("data")],
        steps=[
            client.make(),
            client.watch("data"),
            client.on("connect", client.end(data("abc"), cb("ended")), label="go"),
            client.dial(),
        ],
        until=BOTH_CLOSED,
    ),
    Scenario(
        "nobody takes the data",
        "2.9.7, 2.10.4",
        accept=[it.watch(), it.end(data("unread")), wait(10, it.mark("sent"))],
        steps=[
            client.make(),
            client.watch(),
            client.dial(),
            when(
                ["peer sent", "client ready"], client.get(*STATE, "readableLength"), client.resume()
            ),
        ],
        until=BOTH_CLOSED,
    ),
    Scenario(
        "both ends end at once",
        "2.9.6",
        accept=[it.watch("data"), it.end(data("a"))],
        steps=[client.make(), client.watch("data"), client.dial(), client.end(data("b"))],
        until=BOTH_CLOSED,
    ),
    Scenario(
        "listeners given to connect and create_connection",
        "2.2.1, 2.3.5",
        accept=[it.watch(), it.end()],
        steps=[
            client.make(),
            client.on("connect", label="before"),
            client.dial(cb("listener")),
            client.watch(),
        ],
        until=BOTH_CLOSED,
    ),
    Scenario(
        "half-open client answers after 'end'",
        "2.10.3",
        accept=[it.watch("data"), it.end(data("question"))],
        steps=[
            client.make(allowHalfOpen=True),
            client.watch("data"),
            client.on(
                "end",
                client.get(*STATE, *ENDED),
                wait(10, client.end(data("answer"))),
                label="answer",
            ),
            client.dial(),
        ],
        until=BOTH_CLOSED,
    ),
    Scenario(
        "half-open server answers after 'end'",
        "2.10.3, 1.1.4",
        server={"allowHalfOpen": True},
        accept=[
            it.watch("data"),
            it.on(
                "end", it.get(*STATE), it.write(data("answer")), it.end(cb("ended")), label="answer"
            ),
        ],
        steps=[client.make(), client.watch("data"), client.dial(), client.end(data("question"))],
        until=BOTH_CLOSED,
    ),
    Scenario(
        "half-open both ways",
        "2.10.3",
        server={"allowHalfOpen": True},
        accept=[it.watch("data"), it.on("end", wait(5, it.end(data("late"))), label="later")],
        steps=[
            client.make(allowHalfOpen=True),
            client.watch("data"),
            client.on("finish", client.get(*STATE), label="state"),
            client.dial(),
            client.end(data("early")),
        ],
        until=BOTH_CLOSED,
    ),
    Scenario(
        "half-open is switched on in time",
        "2.1.3",
        accept=[it.watch("data"), it.end()],
        steps=[
            client.make(),
            client.watch(),
            client.on("connect", client.set("allowHalfOpen", True), label="switch"),
            client.on(
                "end",
                wait(10, client.get(*STATE, "allowHalfOpen"), client.end(data("x"))),
                label="on",
            ),
            client.dial(),
        ],
        until=BOTH_CLOSED,
    ),
    Scenario(
        "half-open is switched off in time",
        "2.1.3",
        accept=[it.watch(), it.end()],
        steps=[
            client.make(allowHalfOpen=True),
            client.watch(),
            client.on("connect", client.set("allowHalfOpen", False), label="switch"),
            client.dial(),
        ],
        until=BOTH_CLOSED,
    ),
    Scenario(
        "half-open is switched on inside 'end'",
        "2.1.3, 2.10.2",
        accept=[it.watch("data"), it.end()],
        steps=[
            client.make(),
            client.watch(),
            client.on("end", client.set("allowHalfOpen", True), label="switch"),
            client.dial(),
            when(
                ["client switch"], wait(30, client.get(*STATE, "allowHalfOpen"), client.destroy())
            ),
        ],
        until=BOTH_CLOSED,
    ),
    Scenario(
        "ticks between the events of a connection",
        "0.1.2, 2.3.5",
        accept=[it.watch(), it.end(data("x"))],
        steps=[
            client.make(),
            client.on("connect", client.tick("tick of connect")),
            client.on("ready", client.tick("tick of ready")),
            client.on("data", client.tick("tick of data")),
            client.on("end", client.tick("tick of end")),
            client.on("finish", client.tick("tick of finish")),
            client.on("close", client.tick("tick of close")),
            client.dial(),
            client.tick("tick of connect()"),
        ],
        until=["peer close", "client tick of close"],
    ),
    Scenario(
        "two lives of one socket",
        "2.14.1, 2.7.14",
        accept=[it.watch("data"), it.end(data("hello"))],
        steps=[
            client.make(),
            client.watch("data"),
            client.once(
                "close",
                client.get(*STATE, "bytesRead", "bytesWritten"),
                client.dial(cb("connected again")),
                client.get(*STATE, "bytesRead", "bytesWritten", "readableEnded", "writableEnded"),
                label="once more",
            ),
            client.dial(),
        ],
        until=["client close", "client close", "peer2 close"],
    ),
    Scenario(
        "connecting by name",
        "2.3.2, 2.3.3, 8.1",
        transports=("tcp",),
        accept=[it.watch(), it.end()],
        steps=[
            client.make(),
            client.watch("lookup", "connectionAttempt"),
            client.dial(host="somewhere", family=4, lookup=lookup("127.0.0.1", 4)),
            client.tick("tick"),
        ],
        until=BOTH_CLOSED,
    ),
    Scenario(
        "the connection is over before the server is",
        "1.9.7",
        accept=[it.watch(), it.end(), server.close(cb("closed"))],
        steps=[server.watch(), client.make(), client.watch(), client.dial()],
        until=[*BOTH_CLOSED, "server close"],
        together=(("server", "peer"),),
    ),
]
