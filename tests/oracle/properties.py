"""What the properties of a socket say: names, counters, states."""

from __future__ import annotations

from oracle.language import (
    FLOW,
    STATE,
    Scenario,
    client,
    data,
    finish,
    it,
    ms,
    show,
)

__all__ = ["SCENARIOS"]

BOTH_CLOSED = ["client close", "peer close"]
ENDED = ("writableEnded", "writableFinished", "readableEnded", "destroyed", "readyState")

SCENARIOS = [
    Scenario(
        "a fresh socket",
        "2.1.2",
        server=None,
        transports=("tcp",),
        steps=[
            client.make(highWaterMark=1000),
            client.get(*STATE, *FLOW),
            client.get("bufferSize", "writableLength", "bytesRead", "bytesWritten", "timeout"),
            client.get("allowHalfOpen", "readableHighWaterMark", "writableHighWaterMark"),
            client.get("localAddress", "localPort", "remoteAddress", "remotePort", "remoteFamily"),
            client.get("writableCorked", "writableNeedDrain", "errored", "closed"),
            show(client.address()),
            show(client.isPaused()),
            finish(),
        ],
    ),
    Scenario(
        "states in every listener",
        "2.4",
        accept=[it.on("end", it.get(*STATE, *ENDED)), it.on("close", it.get(*STATE, *ENDED))],
        steps=[
            client.make(),
            client.get(*STATE, label="new"),
            client.dial(),
            client.get(*STATE, label="after connect()"),
            client.on("connect", client.get(*STATE), client.end(), client.get(*STATE, *ENDED)),
            client.on("ready", client.get(*STATE)),
            client.on("finish", client.get(*STATE, *ENDED)),
            client.on("end", client.get(*STATE, *ENDED)),
            client.on("close", client.get(*STATE, *ENDED, "errored")),
            client.resume(),
        ],
        until=BOTH_CLOSED,
    ),
    Scenario(
        "states in and after 'end' without half-open",
        "2.10.2, 2.4.2",
        accept=[it.watch(), it.end()],
        steps=[
            client.make(),
            client.watch(),
            client.on(
                "end",
                client.get(*STATE, *ENDED, label="in end"),
                client.tick(
                    "tick", client.get(*STATE, *ENDED), client.tick("tick 2", client.get(*ENDED))
                ),
                label="end again",
            ),
            client.dial(),
        ],
        until=BOTH_CLOSED,
    ),
    Scenario(
        "names of both ends",
        "2.5.1, 2.5.5",
        transports=("tcp",),
        accept=[
            it.get("localAddress", "localPort", "localFamily"),
            it.get("remoteAddress", "remotePort", "remoteFamily"),
            it.watch(),
        ],
        steps=[
            client.make(),
            client.watch(),
            client.dial(),
            client.get("localAddress", "localPort", "remoteAddress", "remotePort"),
            client.on(
                "connect",
                show(client.address()),
                client.get("localAddress", "localPort", "localFamily"),
                client.get("remoteAddress", "remotePort", "remoteFamily"),
                client.end(),
                label="names",
            ),
        ],
        until=BOTH_CLOSED,
    ),
    Scenario(
        "a Unix socket has no names",
        "2.5.4",
        transports=("unix",),
        accept=[show(it.address()), it.get("remoteAddress", "localPort"), it.watch()],
        steps=[
            client.make(),
            client.dial(),
            client.on(
                "connect",
                show(client.address()),
                client.get(
                    "localAddress", "localPort", "remoteAddress", "remotePort", "remoteFamily"
                ),
                client.end(),
            ),
            client.on("close"),
        ],
        until=BOTH_CLOSED,
    ),
    Scenario(
        "names after the end",
        "2.5.2",
        transports=("tcp",),
        accept=[it.watch(), it.end()],
        steps=[
            client.make(),
            client.watch(),
            client.on(
                "close",
                show(client.address()),
                client.get("localAddress", "remoteAddress"),
                label="names",
            ),
            client.dial(),
        ],
        until=BOTH_CLOSED,
        decision="9",
        differs={
            "client": [
                ["connect"],
                ["ready"],
                ["end"],
                ["prefinish"],
                ["finish"],
                ["close", False],
                ["names", False],
                ["address =", None],
                ["state", {"localAddress": "127.0.0.1", "remoteAddress": "127.0.0.1"}],
            ]  # fmt: skip
        },
    ),
    Scenario(
        "which server accepted it",
        "1.8.4",
        accept=[it.get("server", *STATE, "readableFlowing", "bytesRead"), it.watch()],
        steps=[client.make(), client.get("server"), client.dial(), client.end()],
        until=["peer close"],
    ),
    Scenario(
        "counters of bytes",
        "2.7.13, 2.7.14",
        accept=[
            it.on("data", it.get("bytesRead")),
            it.on("end", it.get("bytesRead", "bytesWritten")),
            it.on("close", it.get("bytesRead", "bytesWritten")),
            it.write(data("four")),
        ],
        steps=[
            client.make(),
            client.on("data", client.get("bytesRead"), client.end(data("sixsix"))),
            client.dial(),
            client.get("bytesRead", "bytesWritten", label="before"),
            client.on("close", client.get("bytesRead", "bytesWritten")),
        ],
        until=BOTH_CLOSED,
    ),
    Scenario(
        "options of the connection return the socket",
        "2.13.1",
        accept=[it.watch()],
        steps=[
            client.make(),
            client.watch(),
            show(client.setNoDelay()),
            show(client.setKeepAlive(True, ms(2000))),
            show(client.ref()),
            show(client.unref()),
            show(client.ref()),
            show(client.setTimeout(0)),
            client.on(
                "connect",
                show(client.setNoDelay(False)),
                show(client.setKeepAlive()),
                show(client.unref()),
                show(client.ref()),
                show(client.end()),
                label="connected",
            ),
            client.dial(),
            client.on(
                "close",
                show(client.setNoDelay()),
                show(client.setKeepAlive(True)),
                show(client.setTimeout(ms(10))),
                show(client.ref()),
                show(client.unref()),
                show(client.pause()),
                show(client.resume()),
                show(client.destroy()),
                show(client.setEncoding("utf8")),
                label="closed",
            ),
        ],
        until=BOTH_CLOSED,
    ),
]
