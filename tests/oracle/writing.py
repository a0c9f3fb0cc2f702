"""write(), end(), cork(): return values, the order of callbacks, and writes that the state does not allow."""

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
    peer,
    show,
    wait,
    when,
)

__all__ = ["SCENARIOS"]

BOTH_CLOSED = ["client close", "peer close"]
LENGTHS = ("writableLength", "writableNeedDrain", "bytesWritten", "bufferSize", "writableCorked")
ENDED = ("writableEnded", "writableFinished", "writable")
CLOSED_EARLY = {
    "$error": {
        "code": "ERR_SOCKET_CLOSED_BEFORE_CONNECTION",
        "message": "Socket closed before the connection was established",
    }
}
WRITE_DESTROYED, END_DESTROYED = (
    {"$error": {"code": "ERR_STREAM_DESTROYED", "message": f"Cannot call {method} after a stream was destroyed"}}
    for method in ("write", "end")
)
CANCELED = {
    "$error": {"code": "ECANCELED", "errno": 125, "message": "write ECANCELED", "syscall": "write"}
}

SCENARIOS = [
    Scenario(
        "writes before connect()ing is over",
        "2.7.7, 2.7.9",
        accept=[it.watch("data")],
        steps=[
            client.make(),
            client.on("connect", client.tick("tick of connect"), label="before the writes"),
            client.dial(),
            show(client.write(data("abc"), cb("first"))),
            client.get(*LENGTHS),
            show(client.write("def", cb("second"))),
            client.get(*LENGTHS),
            client.watch(),
            client.on("ready", client.get(*LENGTHS), client.end(), label="ready 2"),
        ],
        until=BOTH_CLOSED,
    ),
    Scenario(
        "three writes before connect()ing is over",
        "2.7.9, 2.7.11",
        accept=[it.watch("data")],
        steps=[
            client.make(),
            client.watch(),
            client.dial(),
            client.write(data("a"), cb("first")),
            client.write(data("b"), cb("second")),
            client.write(data("c"), cb("third")),
            client.on("connect", client.write(data("d"), cb("fourth")), label="connect 2"),
            client.on("ready", client.write(data("e"), cb("fifth")), client.end(cb("ended")), label="ready 2"),
        ],
        until=BOTH_CLOSED,
    ),
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
        steps=[client.make(), client.watch(), client.dial(), client.end(cb("ended")), client.get(*STATE)],
        until=BOTH_CLOSED,
    ),
    Scenario(
        "callbacks of writes and ticks in 'connect'",
        "2.7.8",
        accept=[it.watch("data")],
        steps=[
            client.make(),
            client.watch(),
            client.on(
                "connect",
                client.tick("tick 1"),
                show(client.write(data("a"), cb("first", client.tick("tick of first")))),
                client.tick("tick 2"),
                show(client.write(data("b"), cb("second"))),
                client.get(*LENGTHS),
                client.tick("tick 3"),
                label="go",
            ),
            client.dial(),
            when(["client tick of first", "client second"], client.end()),
        ],
        until=BOTH_CLOSED,
    ),
    Scenario(
        "callbacks of writes and ticks in a timer",
        "2.7.8",
        accept=[it.watch("data")],
        steps=[
            client.make(),
            client.watch(),
            client.dial(),
            when(
                ["client ready"],
                client.tick("tick 1"),
                show(client.write(data("a"), cb("first", client.tick("tick of first")))),
                client.get(*LENGTHS),
                client.tick("tick 2"),
                show(client.write(data("b"), cb("second"))),
                client.tick("tick 3"),
                wait(5, client.end(data("c"), cb("ended"))),
            ),
        ],
        until=BOTH_CLOSED,
    ),
    Scenario(
        "a write in the callback of a write",
        "2.7.8",
        accept=[it.watch("data")],
        steps=[
            client.make(),
            client.watch(),
            client.on(
                "connect",
                client.write(
                    data("a"), cb("first", client.write(data("b"), cb("second", client.end(cb("ended")))))
                ),
                client.write(data("c"), cb("third")),
                label="go",
            ),
            client.dial(),
        ],
        until=BOTH_CLOSED,
    ),
    Scenario(
        "writes in the listener of 'data'",
        "2.7.8",
        accept=[it.watch(), it.on("data", it.write(data("answer"), cb("answered")), it.tick("tick"))],
        steps=[
            client.make(),
            client.watch(),
            client.on("data", client.end()),
            client.dial(),
            client.write(data("question"), cb("asked")),
        ],
        until=BOTH_CLOSED,
    ),
    Scenario(
        "cork and uncork",
        "2.7.10, 2.7.11",
        accept=[it.watch("data")],
        steps=[
            client.make(),
            client.watch(),
            client.on(
                "connect",
                client.cork(),
                show(client.write(data("a"), cb("first"))),
                client.cork(),
                show(client.write(data("b"), cb("second"))),
                client.get(*LENGTHS),
                client.uncork(),
                client.get(*LENGTHS),
                client.uncork(),
                client.get(*LENGTHS),
                client.uncork(),
                client.tick("tick"),
                label="go",
            ),
            client.dial(),
            when(["client second"], client.end()),
        ],
        until=BOTH_CLOSED,
    ),
    Scenario(
        "corked writes above the high-water mark",
        "2.7.10",
        accept=[it.watch("data")],
        steps=[
            client.make(highWaterMark=10),
            client.watch(),
            client.on(
                "connect",
                client.cork(),
                show(client.write(data("123456789"), cb("first"))),
                show(client.write(data("0"), cb("second"))),
                client.get(*LENGTHS),
                client.uncork(),
                client.get(*LENGTHS),
                client.tick("tick"),
                label="go",
            ),
            client.dial(),
            when(["client drain"], client.end()),
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
        "corked before connect()",
        "2.7.10, 2.7.7",
        accept=[it.watch("data")],
        steps=[
            client.make(),
            client.watch(),
            client.cork(),
            client.dial(),
            client.write(data("a"), cb("first")),
            client.write(data("b"), cb("second")),
            client.get(*LENGTHS),
            when(["client ready"], client.get(*LENGTHS), client.uncork()),
            when(["client second"], client.end()),
        ],
        until=BOTH_CLOSED,
    ),
    Scenario(
        "destroy while corked",
        "2.8.7",
        accept=[it.watch("data")],
        steps=[
            client.make(),
            client.watch(),
            client.on(
                "connect",
                client.cork(),
                client.write(data("a"), cb("first")),
                client.write(data("b"), cb("second")),
                client.destroy(),
                label="go",
            ),
            client.dial(),
        ],
        until=BOTH_CLOSED,
    ),
    Scenario(
        "empty writes",
        "2.6.5",
        accept=[it.watch("data")],
        steps=[
            client.make(),
            client.watch(),
            client.on(
                "connect",
                show(client.write("", cb("first"))),
                show(client.write(data(""), cb("second"))),
                client.get(*LENGTHS),
                client.end("", cb("ended")),
                label="go",
            ),
            client.dial(),
        ],
        until=BOTH_CLOSED,
    ),
    Scenario(
        "strings in every encoding",
        "2.6.4",
        accept=[it.watch("data")],
        steps=[
            client.make(),
            client.dial(),
            *[
                client.write("6869\u00ff\u20ac", encoding)
                for encoding in ("utf8", "UTF-8", "latin1", "binary", "ascii", "ucs2", "utf16le", "hex", "base64")
            ],
            show(client.setDefaultEncoding("latin1")),
            client.write("\u00e9"),
            client.end("aGk=", "base64", cb("ended")),
        ],
        until=["peer close", "client ended"],
    ),
    Scenario(
        "the length of a string that waits",
        "2.7.1",
        accept=[it.watch("data")],
        steps=[
            client.make(),
            client.watch(),
            client.dial(),
            client.write("\u00e9\u20ac"),
            client.write("6869", "hex"),
            client.get(*LENGTHS),
            client.end(),
        ],
        until=BOTH_CLOSED,
        decision="writable_length counts bytes: a str is encoded when it is written",
        differs={
            "client": [
                [
                    "state",
                    {
                        "bufferSize": 7,
                        "bytesWritten": 7,
                        "writableCorked": 0,
                        "writableLength": 7,
                        "writableNeedDrain": False,
                    },
                ],
                ["connect"],
                ["ready"],
                ["prefinish"],
                ["finish"],
                ["end"],
                ["close", False],
            ]
        },
    ),
    Scenario(
        "writes that are no data",
        "2.6.2, 2.6.3",
        accept=[it.watch("data")],
        steps=[
            client.make(),
            client.watch(),
            client.on(
                "connect",
                client.write(None, cb("never")),
                client.write(5, cb("never")),
                client.write(True),
                client.write([1]),
                client.write("x", "klingon"),
                client.write(data("x"), "klingon"),
                client.setDefaultEncoding("klingon"),
                client.end(5),
                client.get(*STATE, *ENDED),
                client.end(data("unharmed")),
                client.write(5),
                label="go",
            ),
            client.dial(),
        ],
        until=BOTH_CLOSED,
    ),
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
            client.on("finish", show(client.write(data("too late"), cb("written"))), label="finished"),
            client.dial(),
        ],
        until=["client close"],
        without=("peer",),
    ),
    Scenario(
        "end() twice, the second time with data",
        "2.8.2",
        accept=[it.watch()],
        steps=[
            client.make(),
            client.watch(),
            client.on("connect", client.end(), show(client.end(data("x"), cb("ended"))), label="go"),
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
                "finish", client.end(cb("second")), client.tick("tick"), wait(5, peer.end()), label="finished"
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
                ["ended with data", WRITE_DESTROYED],
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
                        "connecting": False, "destroyed": False, "pending": True,
                        "readable": True, "readyState": "readOnly", "writable": False,
                    },
                ],
                ["written", {"$error": {"code": "ERR_SOCKET_CLOSED", "message": "Socket is closed"}}],
                ["tick"],
                ["error", {"$error": {"code": "ERR_SOCKET_CLOSED", "message": "Socket is closed"}}],
                ["close", True],
            ]
        },
    ),  # fmt: skip
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
        decision="21",
        differs={
            "client": [
                ["prefinish"],
                [
                    "state",
                    {
                        "connecting": False, "destroyed": False, "pending": True, "readable": True,
                        "readyState": "readOnly", "writable": False,
                        "writableEnded": True, "writableFinished": False,
                    },
                ],
                ["ended"],
                ["finish"],
                ["tick"],
                [
                    "state",
                    {
                        "connecting": False, "destroyed": False, "pending": True, "readable": True,
                        "readyState": "readOnly", "writable": False,
                        "writableEnded": True, "writableFinished": True,
                    },
                ],
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
                client.tick("tick 1", client.tick("tick 2", show(client.write(data("x"), cb("written"))))),
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
                wait(20, client.write(data("b"), cb("second")), client.write(data("c"), cb("third"))),
            ),
        ],
        until=BOTH_CLOSED,
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
                ["state", {"writable": False, "writableEnded": True, "writableFinished": False, "writableLength": 16_000_001}],
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
