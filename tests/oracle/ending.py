"""end(): twice, late, in its own callback, without a connection."""

from __future__ import annotations

from oracle.language import (
    STATE,
    Scenario,
    cb,
    client,
    data,
    finish,
    it,
    peer,
    show,
    wait,
)

__all__ = ["SCENARIOS"]

BOTH_CLOSED = ["client close", "peer close"]
LENGTHS = ("writableLength", "writableNeedDrain", "bytesWritten", "bufferSize", "writableCorked")
ENDED = ("writableEnded", "writableFinished", "writable")

SCENARIOS = [
    Scenario(
        "end() before connect()ing is over",
        "2.9.3",
        accept=[it.watch("data")],
        steps=[
            client.make(),
            client.watch(),
            client.dial(),
            show(client.end(data("abc"), cb("ended"))),
            client.get(*STATE, *ENDED),
            client.on("connect", client.get(*STATE, *ENDED), label="connect 2"),
        ],
        until=BOTH_CLOSED,
    ),
    Scenario(
        "end() without data before connect()ing is over",
        "2.9.3",
        accept=[it.watch("data")],
        steps=[
            client.make(),
            client.watch(),
            client.dial(),
            client.end(cb("ended")),
            client.get(*STATE),
        ],
        until=BOTH_CLOSED,
    ),
    Scenario(
        "end() uncorks",
        "2.7.10",
        accept=[it.watch("data")],
        steps=[
            client.make(),
            client.watch(),
            client.on(
                "connect",
                client.cork(),
                client.cork(),
                client.write(data("a"), cb("first")),
                client.end(data("b"), cb("ended")),
                client.get(*LENGTHS),
                label="go",
            ),
            client.dial(),
        ],
        until=BOTH_CLOSED,
    ),
    Scenario(
        "end() twice, the second time with data",
        "2.8.2",
        accept=[it.watch()],
        steps=[
            client.make(),
            client.watch(),
            client.on(
                "connect", client.end(), show(client.end(data("x"), cb("ended"))), label="go"
            ),
            client.dial(),
        ],
        until=["client close"],
        without=("peer",),
    ),
    Scenario(
        "end() twice with callbacks",
        "2.8.2",
        accept=[it.watch()],
        steps=[
            client.make(),
            client.watch(),
            client.on("connect", client.end(cb("first")), client.end(cb("second")), label="go"),
            client.dial(),
        ],
        until=BOTH_CLOSED,
    ),
    Scenario(
        "end() after 'finish'",
        "2.8.2",
        server={"allowHalfOpen": True},
        accept=[it.watch()],
        steps=[
            client.make(),
            client.watch(),
            client.on("connect", client.end(cb("first")), label="go"),
            client.on(
                "finish",
                client.end(cb("second")),
                client.tick("tick"),
                wait(5, peer.end()),
                label="finished",
            ),
            client.dial(),
        ],
        until=BOTH_CLOSED,
    ),
    Scenario(
        "end() in the callback of end()",
        "2.8.2",
        accept=[it.watch()],
        steps=[
            client.make(),
            client.watch(),
            client.on("connect", client.end(cb("first", client.end(cb("second")))), label="go"),
            client.dial(),
        ],
        until=BOTH_CLOSED,
    ),
    Scenario(
        "end() on a fresh socket",
        "2.9.4",
        server=None,
        transports=("tcp",),
        steps=[
            client.make(),
            client.watch(),
            client.end(cb("ended")),
            client.get(*STATE, *ENDED),
            client.tick("tick"),
            wait(20, client.get(*STATE, *ENDED), finish()),
        ],
        decision="21: finished at once; so does Node 24",
        differs_from=(20,),
        differs={
            "client": [
                ["prefinish"],
                [
                    "state",
                    {
                        "connecting": False,
                        "destroyed": False,
                        "pending": True,
                        "readable": True,
                        "readyState": "readOnly",
                        "writable": False,
                        "writableEnded": True,
                        "writableFinished": False,
                    },
                ],
                ["ended"],
                ["finish"],
                ["tick"],
                [
                    "state",
                    {
                        "connecting": False,
                        "destroyed": False,
                        "pending": True,
                        "readable": True,
                        "readyState": "readOnly",
                        "writable": False,
                        "writableEnded": True,
                        "writableFinished": True,
                    },
                ],
            ]
        },
    ),  # fmt: skip
    Scenario(
        "end() after destroy() counts as ended",
        "2.9.2, 3.2.2",
        accept=[it.watch()],
        steps=[
            client.make(),
            client.watch(),
            client.on(
                "connect",
                client.destroy(),
                client.get(*ENDED),
                client.end(),
                client.get(*ENDED),
                label="go",
            ),
            client.dial(),
        ],
        until=BOTH_CLOSED,
    ),
    Scenario(
        "end() with data after both ends have ended",
        "2.8.2, 2.8.5",
        accept=[it.watch(), it.end()],
        steps=[
            client.make(),
            client.watch(),
            client.on("finish", client.end(data("x"), cb("ended")), label="once more"),
            client.dial(),
        ],
        until=["client close"],
        without=("peer",),
    ),
]
