"""listen() and close() while something is under way, and listening again."""

from __future__ import annotations

from oracle.language import (
    Scenario,
    cb,
    finish,
    port_of,
    server,
    server2,
    show,
    wait,
    when,
)

__all__ = ["SCENARIOS"]

TCP, UNIX = ("tcp",), ("unix",)
NOW = [server.get("listening"), show(server.address())]


SCENARIOS = [
    Scenario(
        "close right after listen()",
        "1.4.3",
        server=None,
        transports=TCP,
        steps=[
            server.make(),
            server.watch(),
            server.listen(0, cb("never")),
            server.close(cb("closed")),
            *NOW,
        ],
        until=["server close"],
    ),
    Scenario(
        "close right after listen() of a path",
        "1.4.3",
        server=None,
        transports=UNIX,
        steps=[
            server.make(),
            server.watch(),
            server.serve(cb("never")),
            server.close(cb("closed")),
            server.get("listening"),
        ],
        until=["server close"],
    ),
    Scenario(
        "close while the host is looked up",
        "1.4.5",
        server=None,
        transports=TCP,
        steps=[
            server.make(),
            server.watch(),
            server.listen(0, "127.0.0.1", cb("never")),
            server.close(cb("closed")),
            wait(30, *NOW, finish()),
        ],
        decision="4: close cancels the listen that is under way, which was open in that sense",
        differs={
            "server": [
                ["close"],
                ["closed"],
                ["state", {"listening": False}],
                ["address =", None],
            ]
        },
    ),
    Scenario(
        "listen twice",
        "1.2.4, 1.3.3",
        steps=[
            server.watch(),
            server.serve(cb("never")),
            server.listen(0, cb("never")),
            server.get("listening"),
            finish(),
        ],
    ),
    Scenario(
        "listen twice while the host is looked up",
        "1.3.3",
        server=None,
        transports=TCP,
        steps=[
            server.make(),
            server.watch(),
            server.listen(0, "127.0.0.1", cb("first")),
            server.listen(0, "127.0.0.1", cb("second")),
            wait(30, server.get("listening"), finish()),
        ],
        decision="4",
        differs={
            "server": [
                [
                    "listen!",
                    {
                        "$error": {
                            "code": "ERR_SERVER_ALREADY_LISTEN",
                            "message": "Listen method has been called more than once without closing.",
                        }
                    },
                ],
                ["listening"],
                ["first"],
                ["state", {"listening": True}],
            ]
        },
    ),
    Scenario(
        "listen again in 'error'",
        "1.4.7",
        transports=TCP,
        steps=[
            server2.make(),
            server2.watch(),
            server2.on("error", server2.listen(0, "127.0.0.1", cb("second")), label="again"),
            server2.listen(port_of(server), "127.0.0.1", cb("first")),
            when(["server2 listening"], server2.close()),
        ],
        until=["server2 close"],
    ),
    Scenario(
        "listen again after a failure",
        "1.4.7",
        steps=[
            server2.make(),
            server2.watch(),
            server2.listen("/etc/passwd", cb("first")),
            when(["server2 error"], server2.serve(cb("second"))),
            when(["server2 listening"], server2.close()),
        ],
        until=["server2 close"],
    ),
    Scenario(
        "listen again after close()",
        "1.9.6",
        steps=[
            server.watch(),
            server.on("close", server.serve(cb("again")), label="closed", how="once"),
            server.close(),
            when(["server again"], server.close()),
        ],
        until=["server close", "server close"],
    ),
    Scenario(
        "listen again in the same turn as close()",
        "1.9.6",
        steps=[
            server.watch(),
            server.close(cb("first")),
            server.serve(cb("again")),
            when(["server again"], server.get("listening"), server.close(cb("second"))),
        ],
        until=["server second"],
    ),
    Scenario(
        "a listen() that raises keeps its callback",
        "1.2.4",
        server=None,
        transports=TCP,
        steps=[
            server.make(),
            server.listen(-1, cb("of the first")),
            server.get("listening"),
            server.listen(0, cb("of the second")),
            when(["server of the second"], server.close()),
            server.on("close"),
        ],
        until=["server close"],
        decision="6 (validate first, then change state)",
        differs={
            "server": [
                ["listen!", {"$error": {"code": "ERR_SOCKET_BAD_PORT"}}],
                ["state", {"listening": False}],
                ["of the second"],
                ["close"],
            ]
        },
    ),
]
