"""listen(): when the server listens, what it says in which order, how it fails."""

from __future__ import annotations

from typing import Any

from oracle.language import (
    Scenario,
    cb,
    client,
    finish,
    it,
    options,
    path,
    port_of,
    server,
    server2,
    show,
    wait,
)

__all__ = ["SCENARIOS"]

TCP, UNIX = ("tcp",), ("unix",)
TOO_LONG = "/tmp/" + "x" * 200
NOW = [server.get("listening"), show(server.address())]


def _listens(
    name: str, rule: str, *arguments: Any, transports: tuple[str, ...] = TCP, **more: Any
) -> Scenario:
    """One form of listen(): the state right after it, and at 'listening'."""
    return Scenario(
        f"listen({name})",
        rule,
        server=None,
        transports=transports,
        steps=[
            server.make(),
            server.watch(),
            show(server.listen(*arguments)),
            *NOW,
            server.tick("tick", *NOW),
            wait(20, *NOW, server.close(), server.get("listening")),
        ],
        until=["server close"],
        **more,
    )


def _fails(
    name: str, rule: str, *arguments: Any, transports: tuple[str, ...] = TCP, **more: Any
) -> Scenario:
    """listen() where nobody can listen."""
    return Scenario(
        f"failing listen({name})",
        rule,
        transports=transports,
        steps=[
            server2.make(),
            server2.watch(),
            show(server2.listen(*arguments, cb("callback"))),
            server2.get("listening"),
            server2.tick("tick", server2.get("listening")),
            wait(20, server2.get("listening"), finish()),
        ],
        **more,
    )


def _too_long(syscall: str) -> dict[str, Any]:
    text = ": invalid argument" if syscall == "listen" else ""
    found = {
        "address": TOO_LONG,
        "code": "EINVAL",
        "errno": 22,
        "message": f"{syscall} EINVAL{text} {TOO_LONG} (the path has 205 bytes, a Unix socket's may have 107)",
        "syscall": syscall,
    }
    return {"$error": {**found, "port": -1} if syscall == "listen" else found}


SCENARIOS = [
    Scenario(
        "a fresh server",
        "1.1.5",
        server=None,
        transports=TCP,
        steps=[
            server.make(),
            *NOW,
            show(server.ref()),
            show(server.unref()),
            show(server.getConnections(cb("counted"))),
            server.tick("tick"),
            finish(),
        ],
    ),
    Scenario(
        "options of a server",
        "1.1.4",
        server=None,
        transports=TCP,
        steps=[
            server.make(allowHalfOpen=True, pauseOnConnect=True),
            server.get("allowHalfOpen", "pauseOnConnect"),
            server2.make(),
            server2.get("allowHalfOpen", "pauseOnConnect"),
            finish(),
        ],
    ),
    _listens("", "1.2.4, 1.4.1"),
    _listens("callback", "1.2.4, 1.4.1", cb("callback")),
    _listens("0", "1.4.1", 0),
    _listens("'0'", "1.2.2", "0"),
    _listens("0, callback", "1.4.1", 0, cb("callback")),
    _listens("0, backlog", "1.2.3", 0, 5, cb("callback")),
    _listens("0, host", "1.4.2", 0, "127.0.0.1", cb("callback")),
    _listens("0, host, backlog", "1.2.3", 0, "127.0.0.1", 5, cb("callback")),
    _listens("0, IPv6 host", "1.4.2", 0, "::1"),
    _listens("{port}", "1.2.1", {"port": 0}, cb("callback")),
    _listens(
        "{port, host, backlog, exclusive}",
        "1.2.1",
        {"port": 0, "host": "::1", "backlog": 3, "exclusive": True},
    ),
    _listens("port=, host=", "DESIGN 2", options(port=0, host="127.0.0.1")),
    _listens("None", "1.2.4", None),
    _listens("path", "1.6.1", path(), cb("callback"), transports=UNIX),
    _listens("path, backlog", "1.6.1", path(), 5, cb("callback"), transports=UNIX),
    _listens("{path}", "1.6.1", {"path": path()}, cb("callback"), transports=UNIX),
    _listens(
        "{path, readableAll, writableAll}",
        "1.6.2",
        {"path": path(), "readableAll": True, "writableAll": True},
        transports=UNIX,
    ),
    _listens("abstract path", "1.6.7", path(prefix="\0"), transports=UNIX),
    _fails("a port in use", "1.5", port_of(server), "127.0.0.1"),
    _fails("a port in use, no host", "1.5", port_of(server)),
    _fails("an address of another host", "1.5", 28573, "192.0.2.1"),
    _fails("an address of another host, port 0", "1.5", 0, "192.0.2.1"),
    _fails("a name that cannot be", "1.4.8", 0, "x" * 64),
    _fails("a descriptor that is not open", "1.5", {"fd": 9999}),
    _fails("a path in use", "1.5", path("server"), transports=UNIX),
    _fails(
        "a path in a missing directory",
        "1.5",
        path("missing/socket"),
        transports=UNIX,
        decision="Python users catch FileNotFoundError; libuv turns ENOENT into EACCES",
        differs={
            "server2": [
                ["listen =", "<server2>"],
                ["state", {"listening": False}],
                [
                    "error",
                    {
                        "$error": {
                            "address": "<directory>/missing/socket",
                            "code": "ENOENT",
                            "errno": 2,
                            "message": "listen ENOENT: no such file or directory <directory>/missing/socket",
                            "port": -1,
                            "syscall": "listen",
                        }
                    },
                ],
                ["tick"],
                ["state", {"listening": False}],
                ["state", {"listening": False}],
            ]
        },
    ),  # fmt: skip
    _fails("a path that is a file", "1.5", "/etc/passwd", transports=UNIX),
    Scenario(
        "listeners, callbacks and ticks of listen()",
        "1.4.4",
        server=None,
        steps=[
            server.make(),
            server.on("listening", label="L1"),
            server.serve(cb("callback")),
            server.on("listening", label="L2"),
            server.tick("T"),
        ],
        until=["server L2", "server T"],
    ),
    Scenario(
        "listeners, callbacks and ticks of listen() without a host",
        "1.4.4",
        server=None,
        transports=TCP,
        steps=[
            server.make(),
            server.on("listening", label="L1"),
            server.listen(0, cb("callback")),
            server.on("listening", label="L2"),
            server.tick("T"),
        ],
        until=["server L2", "server T"],
    ),
    Scenario(
        "ipv6_only without a host",
        "1.4.10",
        server=None,
        transports=TCP,
        accept=[it.on("close"), it.end()],
        steps=[
            server.make(),
            server.on("listening", client.connect(port_of(server), "127.0.0.1"), label="L"),
            client.make(),
            client.watch(),
            server.listen({"port": 0, "ipv6Only": True}),
        ],
        until=["client close"],
        decision="5: it means the address ::; in Node 24 too",
        differs_from=(20,),
        without=("peer",),
        differs={
            "server": [["L"]],
            "client": [
                [
                    "error",
                    {
                        "$error": {
                            "address": "127.0.0.1",
                            "code": "ECONNREFUSED",
                            "errno": 111,
                            "message": "connect ECONNREFUSED 127.0.0.1:<port of server>",
                            "port": "<port of server>",
                            "syscall": "connect",
                        }
                    },
                ],
                ["close", True],
            ],
        },
    ),  # fmt: skip
    Scenario(
        "IPv4 at a server without a host",
        "1.4.9, 2.5.5",
        server=None,
        transports=TCP,
        accept=[it.get("remoteAddress", "remoteFamily", "localAddress"), it.on("close"), it.end()],
        steps=[
            server.make(),
            server.on("listening", client.connect(port_of(server), "127.0.0.1"), label="L"),
            client.make(),
            client.watch(),
            server.listen(0),
        ],
        until=["client close", "peer close"],
    ),
    Scenario(
        "the address of a path after close()",
        "1.6.4",
        transports=UNIX,
        steps=[show(server.address()), server.close(), show(server.address()), finish()],
        decision="10",
        differs={"server": [["address =", "<directory>/server"], ["address =", None]]},
    ),
    Scenario(
        "a path that is too long",
        "1.6.6",
        server=None,
        transports=UNIX,
        steps=[
            server.make(),
            server.watch(),
            server.listen(TOO_LONG),
            client.make(),
            client.watch(),
            client.connect(TOO_LONG),
            wait(30, server.close(), finish()),
        ],
        decision="11",
        differs={
            "server": [["error", _too_long("listen")], ["close"]],
            "client": [["error", _too_long("connect")], ["close", True]],
        },
    ),
]
