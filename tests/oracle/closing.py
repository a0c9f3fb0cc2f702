"""Closing a server, with and without connections."""

from __future__ import annotations

from oracle.language import (
    Scenario,
    cb,
    client,
    client2,
    data,
    it,
    peer,
    server,
    server2,
    show,
    wait,
    when,
)

__all__ = ["SCENARIOS"]

BOTH_CLOSED = ["client close", "peer close"]
TCP, UNIX = ("tcp",), ("unix",)
TOGETHER = (("server", "peer"),)

SCENARIOS = [
    Scenario(
        "close a server that does not listen",
        "1.9.3, 1.9.4",
        server=None,
        transports=TCP,
        steps=[
            server.make(),
            server.watch(),
            show(server.close(cb("closed"))),
            server.tick("tick"),
        ],
        until=["server close"],
    ),
    Scenario(
        "close twice without listening",
        "1.9.4",
        server=None,
        transports=TCP,
        steps=[
            server.make(),
            server.watch(),
            server.close(cb("first")),
            server.close(cb("second")),
        ],
        until=["server close", "server close"],
    ),
    Scenario(
        "close",
        "1.9.1, 1.9.2",
        steps=[
            server.watch(),
            show(server.close(cb("closed"))),
            server.get("listening"),
            server.tick("tick"),
        ],
        until=["server close", "server tick"],
    ),
    Scenario(
        "close twice",
        "1.9.4",
        steps=[server.watch(), server.close(cb("first")), server.close(cb("second"))],
        until=["server close", "server close"],
    ),
    Scenario(
        "close in 'close'",
        "1.9.4",
        steps=[
            server.watch(),
            server.once("close", server.close(cb("second")), label="again"),
            server.close(cb("first")),
        ],
        until=["server close", "server close"],
    ),
    Scenario(
        "close with a connection",
        "1.9.2, 1.9.5",
        accept=[it.watch()],
        together=TOGETHER,
        steps=[
            server.watch(),
            client.make(),
            client.watch(),
            client.dial(),
            when(
                ["server connection", "client ready"],
                server.close(cb("first")),
                server.close(cb("second")),
                server.get("listening"),
                wait(20, client.end()),
            ),
        ],
        until=[*BOTH_CLOSED, "server close"],
    ),
    Scenario(
        "close in 'connection'",
        "1.9.2",
        accept=[it.watch(), server.close(cb("closed")), it.end(data("bye"))],
        together=TOGETHER,
        steps=[server.watch(), client.make(), client.watch("data"), client.dial()],
        until=[*BOTH_CLOSED, "server close"],
    ),
    Scenario(
        "the last connection is destroyed after close()",
        "1.8.5, 1.9.7",
        accept=[it.watch()],
        together=TOGETHER,
        steps=[
            server.watch(),
            client.make(),
            client.watch(),
            client.dial(),
            when(
                ["server connection", "client ready"],
                server.close(cb("closed")),
                server.getConnections(cb("counted before")),
                peer.destroy(),
                server.getConnections(cb("counted after")),
                server.tick("tick"),
            ),
        ],
        until=[*BOTH_CLOSED, "server close"],
    ),
    Scenario(
        "a closed server does not accept",
        "1.9.1",
        steps=[
            server.watch(),
            server.close(),
            server2.make(),
            client.make(),
            client.watch(),
            client.dial(to="nobody"),
        ],
        until=["client close"],
    ),
    Scenario(
        "listen again with a connection of the old life",
        "1.9.6",
        accept=[it.watch()],
        together=TOGETHER,
        steps=[
            server.watch(),
            client.make(),
            client.watch(),
            client.dial(),
            when(
                ["server connection", "client ready"],
                server.close(cb("first")),
                server.serve(cb("again")),
                wait(20, client.end()),
            ),
            when(["peer close"], wait(10, server.get("listening"), server.close(cb("second")))),
        ],
        until=[*BOTH_CLOSED, "server close"],
    ),
    Scenario(
        "a place becomes free",
        "1.8.2",
        accept=[it.watch("data"), it.end(data("hello"))],
        steps=[
            server.set("maxConnections", 1),
            server.watch(),
            client.make(),
            client.watch("data"),
            client2.make(),
            client2.watch("data"),
            client.dial(),
            when(["client close", "peer close"], client2.dial()),
        ],
        until=[*BOTH_CLOSED, "client2 close", "peer2 close"],
    ),
]
