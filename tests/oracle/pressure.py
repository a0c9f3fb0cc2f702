"""Backpressure: what write() returns, 'drain', and data that waits while the connection ends.

"Too much" is more than the kernel takes for a peer that does not read.
"""

from __future__ import annotations

from oracle.language import Scenario, cb, client, data, fill, finish, it, peer, show, wait, when

__all__ = ["SCENARIOS"]

BOTH_CLOSED = ["client close", "peer close"]
PAUSED = {"pauseOnConnect": True}
LENGTHS = ("writableLength", "writableNeedDrain", "bytesWritten")
TOO_MUCH = 16_000_000
RESET = {
    "$error": {"code": "ECONNRESET", "errno": 104, "message": "read ECONNRESET", "syscall": "read"}
}

# What a peer that reads late has seen in the end.
COUNTING = [it.on("end", it.get("bytesRead")), it.on("close"), it.on("error")]

SCENARIOS = [
    Scenario(
        "a write that fits the kernel returns true",
        "2.7.3",
        accept=[*COUNTING, it.resume()],
        steps=[
            client.make(highWaterMark=10),
            client.watch(),
            client.on(
                "connect",
                show(client.write(fill("x", 5000), cb("first"))),
                client.get(*LENGTHS),
                client.tick("tick"),
                label="go",
            ),
            client.dial(),
            when(["client first"], client.end()),
        ],
        until=BOTH_CLOSED,
    ),
    Scenario(
        "many writes that fit the kernel, in one turn",
        "2.7.3",
        accept=[it.watch("data")],
        steps=[
            client.make(highWaterMark=10),
            client.watch(),
            client.on(
                "connect",
                *[show(client.write(data("abcd"), cb(f"written {index}"))) for index in range(6)],
                client.get(*LENGTHS),
                client.end(),
                label="go",
            ),
            client.dial(),
        ],
        until=BOTH_CLOSED,
    ),
    Scenario(
        "a write that does not fit the kernel",
        "2.7.3, 2.7.4, 2.7.5",
        server=PAUSED,
        accept=COUNTING,
        steps=[
            client.make(),
            client.watch(),
            client.on(
                "connect",
                show(client.write(fill("x", TOO_MUCH), cb("first"))),
                client.get(*LENGTHS),
                client.tick("tick", peer.resume()),
                label="go",
            ),
            client.on("drain", client.get(*LENGTHS), client.end(), label="drained"),
            client.dial(),
            when(["server connection"], wait(10, peer.resume())),
        ],
        until=BOTH_CLOSED,
    ),
    Scenario(
        "writes behind one that does not fit",
        "2.7.4, 2.7.5, 2.7.11",
        server=PAUSED,
        accept=COUNTING,
        steps=[
            client.make(),
            client.watch(),
            client.on(
                "connect",
                show(client.write(fill("x", TOO_MUCH), cb("first"))),
                show(client.write(data("a"), cb("second"))),
                show(client.write(data("b"), cb("third"))),
                client.get(*LENGTHS),
                label="go",
            ),
            client.on("drain", client.get(*LENGTHS), client.end(cb("ended")), label="drained"),
            client.dial(),
            when(["client ready", "server connection"], wait(10, peer.resume())),
        ],
        until=BOTH_CLOSED,
    ),
    Scenario(
        "end() behind a write that does not fit",
        "2.7.4, 2.9.1",
        server=PAUSED,
        accept=COUNTING,
        steps=[
            client.make(),
            client.watch(),
            client.on(
                "connect",
                client.write(fill("x", TOO_MUCH), cb("first")),
                client.write(data("a"), cb("second")),
                client.end(data("z"), cb("ended")),
                client.get(*LENGTHS),
                label="go",
            ),
            client.dial(),
            when(["client ready", "server connection"], wait(10, peer.resume())),
        ],
        until=BOTH_CLOSED,
    ),
    Scenario(
        "write in 'drain'",
        "2.7.4",
        server=PAUSED,
        accept=COUNTING,
        steps=[
            client.make(highWaterMark=10),
            client.watch(),
            client.on("connect", show(client.write(fill("x", TOO_MUCH), cb("first"))), label="go"),
            client.once(
                "drain",
                show(client.write(data("more"), cb("second"))),
                client.end(),
                label="drained",
            ),
            client.dial(),
            when(["client ready", "server connection"], wait(10, peer.resume())),
        ],
        until=BOTH_CLOSED,
    ),
    Scenario(
        "a high-water mark of 0",
        "2.7.6",
        accept=[it.watch("data")],
        steps=[
            client.make(highWaterMark=0),
            client.watch(),
            client.on(
                "connect",
                show(client.write(data("a"), cb("first"))),
                client.get(*LENGTHS),
                client.tick(
                    "tick", show(client.write(data("b"), cb("second"))), client.tick("tick 2")
                ),
                label="go",
            ),
            client.dial(),
            when(["client tick 2"], client.end()),
        ],
        until=BOTH_CLOSED,
        decision="2.7.6: as in v15; v20 counts what went out at once as room",
        differs={
            "client": [
                ["connect"],
                ["go"],
                ["write =", False],
                ["state", {"bytesWritten": 1, "writableLength": 0, "writableNeedDrain": True}],
                ["ready"],
                ["drain"],
                ["first"],
                ["tick"],
                ["write =", False],
                ["drain"],
                ["second"],
                ["tick 2"],
                ["prefinish"],
                ["finish"],
                ["end"],
                ["close", False],
            ]
        },
    ),
    Scenario(
        "a high-water mark reached before connect()ing is over",
        "2.7.7, 2.7.4",
        accept=[it.watch("data")],
        steps=[
            client.make(highWaterMark=5),
            client.watch(),
            client.dial(),
            show(client.write(data("abc"), cb("first"))),
            show(client.write(data("de"), cb("second"))),
            client.get(*LENGTHS),
            client.on("drain", client.get(*LENGTHS), client.end(), label="drained"),
        ],
        until=BOTH_CLOSED,
    ),
    Scenario(
        "the high-water mark of the server's sockets",
        "8 (server option highWaterMark)",
        server={"highWaterMark": 5},
        accept=[
            it.get("writableHighWaterMark", "readableHighWaterMark"),
            it.watch(),
            it.cork(),
            show(it.write(data("123456"), cb("first"))),
            it.uncork(),
            when(["peer drain"], it.end()),
        ],
        steps=[client.make(), client.watch("data"), client.dial()],
        until=BOTH_CLOSED,
    ),
    Scenario(
        "the peer ends while much waits to be sent",
        "2.10.2",
        server=PAUSED,
        accept=[*COUNTING, it.end()],
        steps=[
            client.make(),
            client.watch(),
            client.on("connect", client.write(fill("x", TOO_MUCH), cb("first")), label="go"),
            client.dial(),
            when(["client end"], wait(10, peer.resume())),
        ],
        until=BOTH_CLOSED,
    ),
    Scenario(
        "the peer destroys while much waits to be sent",
        "2.8.6, 2.8.7",
        server=PAUSED,
        accept=[it.watch()],
        without=("peer",),
        steps=[
            client.make(),
            client.on("close"),
            client.on("error"),
            client.on(
                "connect",
                client.write(fill("x", TOO_MUCH), cb("first")),
                client.write(data("a"), cb("second")),
                client.end(cb("ended")),
                label="go",
            ),
            client.dial(),
            when(["client go", "server connection"], wait(10, peer.destroy())),
        ],
        until=["client close"],
        transports=("unix",),
        decision="8: a write in flight is called back with ECANCELED; in Node 24 too",
        differs_from=(20,),
        differs={
            "client": [
                ["go"],
                ["error", RESET],
                [
                    "first",
                    {
                        "$error": {
                            "code": "ECANCELED",
                            "errno": 125,
                            "message": "write ECANCELED",
                            "syscall": "write",
                        }
                    },
                ],
                ["second", RESET],
                ["ended", RESET],
                ["close", True],
            ]
        },
    ),
    Scenario(
        "destroy() of a corked socket that owes a 'drain'",
        "2.7.4, 2.8.7",
        accept=[it.watch()],
        steps=[
            client.make(highWaterMark=1),
            client.watch(),
            client.on(
                "connect",
                client.cork(),
                show(client.write(data("abc"), cb("first"))),
                client.get(*LENGTHS),
                client.destroy(),
                client.get("writableNeedDrain"),
                label="go",
            ),
            client.dial(),
        ],
        until=BOTH_CLOSED,
    ),
    Scenario(
        "nobody reads for a while",
        "2.7.3, 1.8.3",
        server=PAUSED,
        accept=[it.on("data", label="too early")],
        steps=[
            client.make(),
            client.watch(),
            client.on("connect", show(client.write(data("abc"), cb("first"))), label="go"),
            client.dial(),
            when(
                ["client ready", "server connection"],
                wait(20, peer.get("bytesRead", "readableFlowing"), finish()),
            ),
        ],
    ),
]
