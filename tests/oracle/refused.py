"""Writes that the state does not allow, end() twice, and callbacks of what is never sent."""

from __future__ import annotations

from oracle.language import (
    STATE,
    Scenario,
    cb,
    client,
    data,
    fill,
    finish,
    it,
    show,
    wait,
    when,
)

__all__ = ["SCENARIOS"]

BOTH_CLOSED = ["client close", "peer close"]
ENDED = ("writableEnded", "writableFinished", "writable")
CLOSED_EARLY = {
    "$error": {
        "code": "ERR_SOCKET_CLOSED_BEFORE_CONNECTION",
        "message": "Socket closed before the connection was established",
    }
}
WRITE_DESTROYED, END_DESTROYED = (
    {
        "$error": {
            "code": "ERR_STREAM_DESTROYED",
            "message": f"Cannot call {method} after a stream was destroyed",
        }
    }
    for method in ("write", "end")
)
AFTER_END = {"$error": {"code": "ERR_STREAM_WRITE_AFTER_END", "message": "write after end"}}
CANCELED = {
    "$error": {"code": "ECANCELED", "errno": 125, "message": "write ECANCELED", "syscall": "write"}
}

SCENARIOS = [
    Scenario(
        "write after end()",
        "2.8.1",
        accept=[it.watch()],
        steps=[
            client.make(),
            client.watch(),
            client.on(
                "connect",
                client.end(data("last"), cb("ended")),
                show(client.write(data("too late"), cb("written"))),
                client.get(*STATE, *ENDED, "errored"),
                client.tick("tick"),
                label="go",
            ),
            client.dial(),
        ],
        until=["client close"],
        without=("peer",),
    ),
    Scenario(
        "write after 'finish'",
        "2.8.1",
        server={"allowHalfOpen": True},
        accept=[it.watch()],
        steps=[
            client.make(),
            client.watch(),
            client.on("connect", client.end(), label="go"),
            client.on(
                "finish", show(client.write(data("too late"), cb("written"))), label="finished"
            ),
            client.dial(),
        ],
        until=["client close"],
        without=("peer",),
    ),
    Scenario(
        "write and end() after destroy()",
        "2.8.3, 2.8.10",
        accept=[it.watch()],
        steps=[
            client.make(),
            client.watch(),
            client.on(
                "connect",
                client.destroy(),
                show(client.write(data("x"), cb("written"))),
                show(client.end(cb("ended"))),
                show(client.end(data("x"), cb("ended with data"))),
                client.tick("tick"),
                label="go",
            ),
            client.dial(),
        ],
        until=BOTH_CLOSED,
        decision="8: end(callback) is called back too",
        differs={
            "client": [
                ["connect"],
                ["go"],
                ["write =", False],
                ["end =", "<client>"],
                ["end =", "<client>"],
                ["ready"],
                ["written", WRITE_DESTROYED],
                ["ended", END_DESTROYED],
                ["ended with data", AFTER_END],
                ["tick"],
                ["close", False],
            ]
        },
    ),
    Scenario(
        "write and end() after 'close'",
        "2.8.3, 2.8.10",
        accept=[it.watch(), it.end()],
        steps=[
            client.make(),
            client.watch(),
            client.on(
                "close",
                show(client.write(data("x"), cb("written"))),
                client.end(cb("ended")),
                client.tick("tick"),
                label="closed",
            ),
            client.dial(),
        ],
        until=[*BOTH_CLOSED, "client tick"],
    ),
    Scenario(
        "write on a fresh socket",
        "2.8.4",
        server=None,
        transports=("tcp",),
        steps=[
            client.make(),
            client.watch(),
            show(client.write(data("x"), cb("written"))),
            client.get(*STATE),
            client.tick("tick"),
        ],
        until=["client close"],
        decision="13",
        differs={
            "client": [
                ["write =", False],
                [
                    "state",
                    {
                        "connecting": False,
                        "destroyed": False,
                        "pending": True,
                        "readable": True,
                        "readyState": "readOnly",
                        "writable": False,
                    },
                ],
                [
                    "written",
                    {"$error": {"code": "ERR_SOCKET_CLOSED", "message": "Socket is closed"}},
                ],
                ["tick"],
                ["error", {"$error": {"code": "ERR_SOCKET_CLOSED", "message": "Socket is closed"}}],
                ["close", True],
            ]
        },
    ),  # fmt: skip
    Scenario(
        "write in 'end'",
        "2.8.5",
        accept=[it.watch("data"), it.end()],
        steps=[
            client.make(),
            client.watch(),
            client.on("end", show(client.write(data("last words"), cb("written"))), label="end 2"),
            client.dial(),
        ],
        until=BOTH_CLOSED,
    ),
    Scenario(
        "write two ticks after 'end'",
        "2.8.5",
        accept=[it.watch("data"), it.end()],
        steps=[
            client.make(),
            client.watch(),
            client.on(
                "end",
                client.tick(
                    "tick 1", client.tick("tick 2", show(client.write(data("x"), cb("written"))))
                ),
                label="end 2",
            ),
            client.dial(),
        ],
        until=["client close"],
        without=("peer",),
    ),
    Scenario(
        "write after the peer has gone",
        "2.8.6",
        accept=[it.watch(), it.destroy()],
        steps=[
            client.make(allowHalfOpen=True),
            client.watch(),
            client.dial(),
            when(
                ["client end"],
                client.write(data("a"), cb("first")),
                wait(
                    20, client.write(data("b"), cb("second")), client.write(data("c"), cb("third"))
                ),
            ),
        ],
        until=[*BOTH_CLOSED, "client third"],
    ),
    Scenario(
        "destroy with queued writes before connect",
        "2.8.8",
        steps=[
            client.make(),
            client.watch(),
            client.dial(),
            client.write(data("a"), cb("first")),
            client.write(data("b"), cb("second")),
            client.end(cb("ended")),
            client.destroy(),
            client.tick("tick"),
        ],
        until=["client close"],
        decision="8 and 2.8.9",
        differs={
            "client": [
                ["first", CLOSED_EARLY],
                ["second", WRITE_DESTROYED],
                ["ended", END_DESTROYED],
                ["tick"],
                ["close", False],
            ]
        },
    ),
    Scenario(
        "what waited for the connection stays counted after destroy",
        "2.7.13",
        steps=[
            client.make(),
            client.watch(),
            client.dial(),
            client.write(data("abc")),
            client.write(data("de")),
            client.get("bytesWritten"),
            client.destroy(),
            client.get("bytesWritten"),
            client.on("close", wait(10, client.get("bytesWritten"), finish()), label="closed"),
        ],
    ),
    Scenario(
        "destroy in 'connect', before what waited for it is sent",
        "2.7.13, 2.7.9",
        accept=[it.on("error")],
        without=("peer",),
        steps=[
            client.make(),
            client.watch(),
            client.on("connect", client.destroy(), client.get("bytesWritten"), label="go"),
            client.dial(),
            client.write(data("abc"), cb("first")),
            client.on("close", client.get("bytesWritten"), label="closed"),
        ],
        until=["client closed"],
    ),
    Scenario(
        "destroy with a write in flight",
        "2.8.7",
        server={"pauseOnConnect": True},
        accept=[it.on("close"), it.on("error")],
        without=("peer",),
        steps=[
            client.make(),
            client.watch(),
            client.on(
                "connect",
                show(client.write(fill("x", 16_000_000), cb("first"))),
                show(client.write(data("b"), cb("second"))),
                client.end(cb("ended")),
                client.get(*ENDED, "writableLength"),
                client.destroy(),
                client.tick("tick"),
                label="go",
            ),
            client.dial(),
        ],
        until=["client close"],
        decision="8",
        differs={
            "client": [
                ["connect"],
                ["go"],
                ["write =", False],
                ["write =", False],
                [
                    "state",
                    {
                        "writable": False,
                        "writableEnded": True,
                        "writableFinished": False,
                        "writableLength": 16_000_001,
                    },
                ],
                ["ready"],
                ["tick"],
                ["first", CANCELED],
                ["second", WRITE_DESTROYED],
                ["ended", END_DESTROYED],
                ["close", False],
            ]
        },
    ),
]
