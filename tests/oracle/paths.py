"""Unix sockets: files and their modes, abstract names, descriptors that somebody else has bound."""

from __future__ import annotations

import os
from typing import Any

from oracle.language import (
    Scenario,
    Step,
    cb,
    client,
    client2,
    data,
    descriptor,
    finish,
    it,
    path,
    peer,
    port_of,
    server,
    server2,
    show,
    wait,
    when,
)

__all__ = ["SCENARIOS"]

BOTH_CLOSED = ["client close", "peer close"]
TCP, UNIX = ("tcp",), ("unix",)
NOW = [server.get("listening"), show(server.address())]


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def _mode(name: str, rule: str, added: int = 0, **options: Any) -> Scenario:
    """The mode of the socket file, and that it is gone after close(); `added` to what the umask leaves."""
    mode = format(0o777 & ~_umask() | added, "o")
    return Scenario(
        name,
        rule,
        server=None,
        transports=UNIX,
        steps=[
            server.make(),
            server.watch(),
            server.listen({"path": path(), **options}),
            server.file(path()),
            server.close(),
            server.file(path()),
        ],
        until=["server close"],
        decision="12: bits are added; Node 24 leaves no others, not even the owner's" if added else "",
        differs={"server": [["file =", mode], ["file =", None], ["close"]]} if added else {},
        differs_from=(24,),
    )


def _adopted(kind: str, rule: str, *dial: Step, transports: tuple[str, ...] = TCP) -> Scenario:
    """A server on a descriptor that somebody else has bound, and a connection to it."""
    return Scenario(
        f"listen on a descriptor: {kind}",
        rule,
        server=None,
        transports=transports,
        accept=[it.watch("data"), it.end(data("hello"))],
        steps=[
            server.make(),
            server.watch(),
            server.listen({"fd": descriptor(kind)}, cb("callback")),
            server.get("listening"),
            client.make(),
            client.watch("data"),
            server.once("listening", *dial, label="go"),
            when(BOTH_CLOSED, server.close(), server.get("listening")),
        ],
        until=["server close"],
    )


def _no_socket(kind: str) -> Scenario:
    """A server on a descriptor on which nobody can listen."""
    return Scenario(
        f"listen on a descriptor: {kind}",
        "1.5 (fd), 1.7.1",
        server=None,
        transports=TCP,
        steps=[
            server.make(),
            server.watch(),
            show(server.listen({"fd": descriptor(kind)}, cb("never"))),
            server.get("listening"),
            server.tick("tick", *NOW),
            when(["server error"], *NOW, finish()),
        ],
    )


SCENARIOS = [
    _mode("the mode of a socket file", "1.6.1, 1.6.5"),
    _mode("the mode of a socket file: readable_all", "1.6.2", 0o444, readableAll=True),
    _mode("the mode of a socket file: writable_all", "1.6.2", 0o222, writableAll=True),
    _mode("the mode of a socket file: both", "1.6.2", 0o666, readableAll=True, writableAll=True),
    _mode("the mode of a socket file: neither", "1.6.2", readableAll=False, writableAll=False),
    Scenario(
        "a socket file that is something else by then",
        "1.6.5",
        transports=UNIX,
        steps=[
            server.watch(),
            server.put(path("server")),
            server.close(),
            server.file(path("server")),
        ],
        until=["server close"],
        decision="10",
        differs={"server": [["file =", "644"], ["close"]]},
    ),
    Scenario(
        "a failing listen() leaves the file alone",
        "1.5, 1.6.5",
        transports=UNIX,
        steps=[
            server2.make(),
            server2.watch(),
            server2.put(path("taken")),
            server2.listen(path("taken")),
            when(["server2 error"], server2.close(), server2.file(path("taken"))),
        ],
        until=["server2 close", "server2 file ="],
    ),
    Scenario(
        "a live socket is not stolen",
        "1.5",
        transports=UNIX,
        accept=[it.watch(), it.end()],
        steps=[
            server2.make(),
            server2.watch(),
            server2.listen(path("server"), cb("never")),
            client.make(),
            client.watch(),
            when(["server2 error"], client.dial()),
        ],
        until=BOTH_CLOSED,
    ),
    Scenario(
        "an abstract name is free after close()",
        "1.6.7, 1.6.4",
        server=None,
        transports=UNIX,
        accept=[it.watch(), it.end()],
        steps=[
            server.make(),
            server.watch(),
            server.listen(path(prefix="\0"), cb("first")),
            server.file(path()),
            client.make(),
            client.watch(),
            client.connect(path(prefix="\0")),
            when(
                BOTH_CLOSED,
                server.close(),
                server.listen(path(prefix="\0"), cb("second", server.close())),
            ),
        ],
        until=["server close"],
    ),
    Scenario(
        "an abstract name in use",
        "1.6.7, 1.5",
        server=None,
        transports=UNIX,
        steps=[
            server.make(),
            server.listen(path(prefix="\0")),
            server2.make(),
            server2.watch(),
            server2.listen(path(prefix="\0")),
            server2.get("listening"),
            when(["server2 error"], finish()),
        ],
    ),
    Scenario(
        "the path of one server used by the next",
        "1.6.5, 1.9.6",
        transports=UNIX,
        steps=[
            server.watch(),
            server2.make(),
            server2.watch(),
            server.close(),
            server2.listen(path("server"), cb("next")),
            show(server2.address()),
            server2.file(path("server")),
            when(["server2 next"], server2.close(), server2.file(path("server"))),
        ],
        until=["server close", "server2 close"],
    ),
    Scenario(
        "addresses of a connection by path",
        "2.5.4",
        transports=UNIX,
        accept=[
            it.get("remoteAddress", "remotePort", "remoteFamily", "localAddress", "localPort"),
            show(it.address()),
            it.end(),
        ],
        steps=[
            client.make(),
            client.on(
                "connect", client.get("remoteAddress", "localAddress"), show(client.address())
            ),
            client.on("close"),
            client.dial(),
        ],
        until=["client close"],
    ),
    Scenario(
        "ping and pong",
        "9 (pipe-stream, net-pingpong)",
        accept=[
            it.watch("data"),
            it.on("data", it.write(data("pong")), label="served"),
            server.getConnections(cb("counted")),
        ],
        steps=[
            client.make(),
            client.watch("data"),
            client.once(
                "data",
                client.write(data("ping")),
                client.once("data", client.end(), label="second"),
                label="first",
            ),
            client.dial(),
            client.write(data("ping")),
            when(BOTH_CLOSED, server.getConnections(cb("counted after"))),
        ],
        until=["server counted after"],
    ),
    Scenario(
        "two corked writes",
        "9 (pipe-writev)",
        accept=[it.watch("data")],
        steps=[
            client.make(),
            client.watch(),
            client.on(
                "connect",
                client.cork(),
                client.write(data("one"), cb("first")),
                client.write(data("two"), cb("second")),
                client.uncork(),
                client.end(),
                label="go",
            ),
            client.dial(),
        ],
        until=BOTH_CLOSED,
    ),
    Scenario(
        "connections to what is no server",
        "2.3.8, 9 (net-pipe-connect-errors)",
        transports=UNIX,
        steps=[
            client.make(),
            client.watch(),
            client2.make(),
            client2.watch(),
            server.put(path("file")),
            client.connect(path("file")),
            client2.connect(path("missing/socket")),
        ],
        until=["client close", "client2 close"],
    ),
    Scenario(
        "half-open by path",
        "1.1.4, 9 (net-connect-options-allowhalfopen)",
        server={"allowHalfOpen": True},
        accept=[it.watch("data"), it.on("end", it.end(data("after the end")), label="answer")],
        steps=[client.make(), client.watch("data"), client.dial(), client.end(data("abc"))],
        until=BOTH_CLOSED,
    ),
    _adopted("tcp bound", "1.7.1", client.connect(port_of(server), "127.0.0.1")),
    _adopted("tcp listening", "1.7.1", client.connect(port_of(server), "127.0.0.1")),
    _adopted("unix bound", "1.7.1", client.connect(path("given")), transports=UNIX),
    _no_socket("closed"),
    _no_socket("file"),
    _no_socket("udp bound"),
    Scenario(
        "a descriptor wins over a path, a port over both but the descriptor",
        "1.2.4",
        server=None,
        transports=TCP,
        steps=[
            server.make(),
            server.watch(),
            server.listen({"fd": descriptor("closed"), "port": -1, "path": path()}),
            when(
                ["server error"],
                server.listen({"port": 0, "path": path(), "host": "127.0.0.1"}),
                when(
                    ["server listening"],
                    server.get("listening"),
                    server.file(path()),
                    server.close(),
                ),
            ),
        ],
        until=["server close"],
    ),
    Scenario(
        "the server of an adopted descriptor leaves the file",
        "1.6.5, 1.7.1",
        server=None,
        transports=UNIX,
        steps=[
            server.make(),
            server.watch(),
            server.listen({"fd": descriptor("unix bound")}),
            when(["server listening"], server.close(), server.file(path("given"))),
        ],
        until=["server close"],
    ),
    Scenario(
        "peer stays when its server listens elsewhere",
        "1.9.6",
        transports=UNIX,
        accept=[it.watch("data")],
        steps=[
            server.watch(),
            client.make(),
            client.watch("data"),
            client.dial(),
            when(
                ["server connection", "client ready"],
                server.close(),
                server.listen(path("elsewhere"), cb("again")),
                wait(10, peer.end(data("still here"))),
            ),
            when(BOTH_CLOSED, server.close()),
        ],
        until=["server close"],
    ),
]
