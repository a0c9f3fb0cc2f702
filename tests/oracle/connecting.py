"""Connections that fail or need a look-up, several addresses, and reconnecting."""

from __future__ import annotations

from oracle.language import (
    STATE,
    Scenario,
    cb,
    client,
    data,
    error,
    it,
    ms,
    path,
    port_of,
    server,
    show,
    wait,
    when,
)

__all__ = ["SCENARIOS"]

BOTH_CLOSED = ["client close", "peer close"]
TCP = ("tcp",)

REFUSED = {
    "tcp": {
        "$error": {
            "address": "127.0.0.1", "code": "ECONNREFUSED", "errno": 111,
            "message": "connect ECONNREFUSED 127.0.0.1:1", "port": 1, "syscall": "connect",
        }
    },
    "unix": {
        "$error": {
            "address": "<directory>/nobody", "code": "ENOENT", "errno": 2,
            "message": "connect ENOENT <directory>/nobody", "syscall": "connect",
        }
    },
}  # fmt: skip


def _refused_with_writes(transport: str) -> Scenario:
    """Callbacks of writes and of end() that have waited for a connection."""
    return Scenario(
        "a refused connection with writes and end()",
        "2.8.8, 2.3.6",
        server=None,
        transports=(transport,),
        steps=[
            client.make(),
            client.watch(),
            client.dial(to="nobody"),
            show(client.write(data("a"), cb("first"))),
            show(client.write(data("b"), cb("second"))),
            client.end(data("c"), cb("ended")),
        ],
        until=["client close"],
        decision="8 and 2.8.9: each with the error of the connection, before 'error'",
        differs={
            "client": [
                ["write =", True],
                ["write =", True],
                *[[name, REFUSED[transport]] for name in ("first", "second", "ended", "error")],
                ["close", True],
            ]
        },
    )


SCENARIOS = [
    Scenario(
        "a refused connection",
        "2.3.6, 2.3.7",
        server=None,
        steps=[
            client.make(),
            client.watch(),
            client.dial(cb("listener"), to="nobody"),
            client.on("error", client.get(*STATE, "errored"), label="in error"),
            client.on("close", client.get(*STATE, "errored"), label="in close"),
        ],
        until=["client close"],
    ),
    *[_refused_with_writes(transport) for transport in ("tcp", "unix")],
    Scenario(
        "a path that is a directory",
        "2.3.8",
        server=None,
        transports=("unix",),
        steps=[client.make(), client.watch(), client.connect(path(".")), client.tick("tick")],
        until=["client close"],
    ),
    Scenario(
        "a path that is a file",
        "2.3.8",
        server=None,
        transports=("unix",),
        steps=[client.make(), client.watch(), client.connect("/etc/passwd"), client.tick("tick")],
        until=["client close"],
    ),
    Scenario(
        "a path that does not exist, with the function of the module",
        "2.3.4, 2.3.7",
        server=None,
        transports=("unix",),
        steps=[
            client.create("createConnection", path("missing"), cb("listener", side="client")),
            client.watch(),
            client.get(*STATE),
            client.tick("tick"),
        ],
        until=["client close"],
    ),
    Scenario(
        "port 0",
        "2.2.5",
        server=None,
        transports=TCP,
        steps=[client.make(), client.watch(), client.connect(0, "127.0.0.1"), client.tick("tick")],
        until=["client close"],
    ),
    Scenario(
        "a refused connection from a given port",
        "2.3.7, 2.2.7",
        transports=TCP,
        steps=[
            client.make(),
            client.watch(),
            client.dial(to="nobody", localAddress="127.0.0.1", localPort=28571),
        ],
        until=["client close"],
    ),
    Scenario(
        "a local port that is taken",
        "2.2.7",
        transports=TCP,
        steps=[client.make(), client.watch(), client.dial(localPort=port_of(server))],
        until=["client close"],
    ),
    Scenario(
        "a local address that is not of this host",
        "2.2.7",
        transports=TCP,
        steps=[client.make(), client.watch(), client.dial(localAddress="192.0.2.1")],
        until=["client close"],
    ),
    Scenario(
        "a local address of the other family",
        "2.2.7",
        transports=TCP,
        steps=[client.make(), client.watch(), client.dial(localAddress="::1")],
        until=["client close"],
    ),
    Scenario(
        "a local address",
        "2.2.7",
        transports=TCP,
        accept=[it.get("remoteAddress"), it.watch(), it.end()],
        steps=[client.make(), client.watch(), client.dial(localAddress="127.0.0.2")],
        until=BOTH_CLOSED,
    ),
    Scenario(
        "reconnect in 'close' after a refusal",
        "2.14.2",
        accept=[it.watch("data")],
        steps=[
            client.make(),
            client.watch(),
            client.once("close", client.dial(), client.get(*STATE, "errored"), label="again"),
            client.dial(to="nobody"),
            client.on("connect", client.end(data("at last")), label="connected"),
        ],
        until=["client close", "client close", "peer close"],
    ),
    Scenario(
        "reconnect in 'error' after a refusal",
        "2.14.2",
        accept=[it.watch("data")],
        steps=[
            client.make(),
            client.watch(),
            client.once("error", client.dial(), client.get(*STATE, "errored"), label="again"),
            client.dial(to="nobody"),
            client.on(
                "connect", client.write(data("at last")), client.destroy(), label="connected"
            ),
        ],
        until=["client close", "client close", "peer close"],
        transports=TCP,
    ),
    Scenario(
        "reconnect right after destroy()",
        "2.3.10",
        accept=[it.watch("data")],
        steps=[
            client.make(),
            client.watch(),
            client.once(
                "connect", client.destroy(), client.dial(), client.get(*STATE), label="again"
            ),
            client.dial(),
            when(
                ["client close", "client ready"],
                client.write(data("second life")),
                client.destroy(),
            ),
        ],
        until=["client close", "client close", "peer2 close"],
        decision="2.14: the 'ready' of the old life would be one of the new",
        differs={
            "client": [
                ["connect"],
                ["again"],
                [
                    "state",
                    {
                        "connecting": True,
                        "pending": True,
                        "readyState": "opening",
                        "readable": True,
                        "writable": True,
                        "destroyed": False,
                    },
                ],
                ["close", False],
                ["connect"],
                ["ready"],
                ["close", False],
            ]
        },
    ),
    Scenario(
        "reconnect three times",
        "2.14.1",
        accept=[it.on("close"), it.end(data("x"))],
        steps=[
            client.make(),
            client.watch("data"),
            client.once("close", client.dial(), label="second"),
            when(["client close", "client close"], client.dial()),
            client.dial(),
        ],
        until=["client close", "client close", "client close", "peer3 close"],
    ),
    Scenario(
        "a flowing socket flows on in its next life, with its encoding",
        "2.14.1",
        accept=[it.on("close"), it.end(data("h\xc3\xa9"))],
        steps=[
            client.make(),
            client.setEncoding("utf8"),
            client.watch("data"),
            client.once(
                "close",
                client.dial(),
                client.get("readableFlowing", "readableEncoding"),
                label="again",
            ),
            client.dial(),
        ],
        until=["client close", "client close", "peer2 close"],
    ),
    Scenario(
        "connect while connecting",
        "2.3.10",
        accept=[it.watch()],
        steps=[
            client.make(),
            client.watch(),
            client.dial(),
            client.dial(),
            when(["server connection"], wait(20, client.destroy())),
        ],
        until=["client close", "peer close"],
        decision="16",
        differs={
            "client": [
                [
                    "connect!",
                    {
                        "$error": {
                            "code": "EALREADY",
                            "errno": 114,
                            "message": "connect EALREADY",
                            "syscall": "connect",
                        }
                    },
                ],
                ["connect"],
                ["ready"],
                ["close", False],
            ],
        },
    ),  # fmt: skip
    Scenario(
        "timeout of connect()",
        "2.2.8, 2.12.8",
        accept=[it.watch(), it.resume()],
        steps=[
            client.create(
                "connect",
                {"port": port_of(server), "host": "127.0.0.1", "timeout": ms(250)},
                cb("listener", side="client"),
            ),
            client.watch(),
            client.get("timeout"),
            client.on("timeout", client.setTimeout(0), client.end(), label="enough"),
        ],
        transports=TCP,
        until=BOTH_CLOSED,
    ),
    Scenario(
        "an error of connect() with an 'error' listener that raises none",
        "2.11.5",
        server=None,
        steps=[
            client.make(),
            client.watch(),
            client.on("error", client.destroy(error("another")), label="destroyer"),
            client.dial(to="nobody"),
            client.end(),
        ],
        until=["client close"],
    ),
]
