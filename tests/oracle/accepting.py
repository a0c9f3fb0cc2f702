"""Families, and what a server does with the connections it accepts."""

from __future__ import annotations

from typing import Any

from oracle.language import (
    FLOW,
    Scenario,
    cb,
    client,
    client2,
    data,
    finish,
    it,
    options,
    peer,
    peer2,
    port_of,
    server,
    server2,
    show,
    wait,
    when,
)

__all__ = ["SCENARIOS"]

BOTH_CLOSED = ["client close", "peer close"]
TCP = ("tcp",)
TOGETHER = (("server", "peer"),)
ENDS = ("remoteAddress", "remoteFamily", "remotePort", "localAddress", "localFamily", "localPort")


def _family(name: str, rule: str, listen: dict[str, Any], host: str, **more: Any) -> Scenario:
    """A client of one family at a server of another, or of the same."""
    return Scenario(
        name,
        rule,
        server=None,
        transports=TCP,
        accept=[it.get(*ENDS), it.on("close"), it.end()],
        steps=[
            server.make(),
            server.watch(),
            client.make(),
            client.watch(),
            server.on(
                "listening",
                show(server.address()),
                client.connect(port_of(server), host),
                label="go",
            ),
            server.listen({"port": 0, **listen}),
        ],
        until=["client close"],
        **more,
    )


def _paused(name: str, *steps: Any, **more: Any) -> Scenario:
    """pauseOnConnect: nothing is read before resume()."""
    return Scenario(
        name,
        "1.8.3",
        server={"pauseOnConnect": True},
        accept=[it.get("readableFlowing", "bytesRead"), it.watch(), *steps],
        steps=[client.make(), client.watch("data"), client.dial(), client.end(data("abc"))],
        until=BOTH_CLOSED,
        **more,
    )


SCENARIOS = [
    _family("IPv4 at 0.0.0.0", "1.4.13", {"host": "0.0.0.0"}, "127.0.0.1"),
    _family("IPv4 at ::", "1.4.9, 2.5.5", {"host": "::"}, "127.0.0.1"),
    _family("IPv6 at ::", "1.4.9", {"host": "::"}, "::1"),
    _family("IPv6 at a server without a host", "1.4.9", {}, "::1"),
    _family("IPv6 at ipv6Only", "1.4.10", {"host": "::", "ipv6Only": True}, "::1"),
    _family(
        "IPv4 at ipv6Only", "1.4.10", {"host": "::", "ipv6Only": True}, "127.0.0.1", without=("peer",)
    ),
    _family("IPv4 with ipv6Only", "1.4.10", {"host": "127.0.0.1", "ipv6Only": True}, "127.0.0.1"),
    _family("IPv6 at 0.0.0.0", "1.4.13", {"host": "0.0.0.0"}, "::1"),
    _family("an empty host", "1.4.1", {"host": ""}, "::1"),
    Scenario(
        "one port, two families",
        "1.4.13",
        server=None,
        transports=TCP,
        steps=[
            server.make(),
            server.watch(),
            server2.make(),
            server2.watch(),
            server.on(
                "listening",
                server2.listen({"port": port_of(server), "host": "::1"}),
                label="go",
            ),
            server.listen(0, "127.0.0.1"),
            when(["server2 listening"], show(server2.address()), server.close(), server2.close()),
        ],
        until=["server close", "server2 close"],
    ),
    Scenario(
        "the same port twice without a host",
        "1.4.12, 9 (net-bind-twice)",
        server=None,
        transports=TCP,
        steps=[
            server.make(),
            server2.make(),
            server2.watch(),
            server.on("listening", server2.listen(port_of(server)), label="go"),
            server.listen(0),
            when(["server2 error"], server2.listen(0, cb("elsewhere", server2.close()))),
        ],
        until=["server2 close"],
    ),
    Scenario(
        "the port of a closed server at once",
        "1.4.12",
        transports=TCP,
        accept=[it.end(), it.on("close")],
        steps=[
            client.make(),
            client.watch(),
            client.dial(),
            server2.make(),
            server2.watch(),
            when(
                BOTH_CLOSED,
                server2.on("listening", server2.close(), label="go"),
                server2.on("close", label="over"),
                # Arguments are worked out before the call.
                server.tick("gone", server.close()),
                server.on("close", server2.listen(0, "127.0.0.1"), label="closed"),
            ),
        ],
        until=["server2 over"],
    ),
    _paused("pause_on_connect", wait(20, it.get("bytesRead", *FLOW), it.resume())),
    _paused(
        "pause_on_connect and a 'data' listener",
        it.on("data", label="again"),
        wait(20, it.get("bytesRead", *FLOW), it.resume()),
    ),
    _paused("pause_on_connect and pipe()", it.pipe({"$": "object", "who": "it"})),
    _paused(
        "pause_on_connect and 'readable'",
        it.on("readable", it.read()),
        wait(20, it.end()),
    ),
    _paused("pause_on_connect and destroy", wait(20, it.destroy()), without=("client",)),
    Scenario(
        "nobody consumes what a connection sends",
        "1.8.3",
        accept=[it.watch(), wait(20, it.get("bytesRead", *FLOW), it.resume())],
        steps=[client.make(), client.watch(), client.dial(), client.end(data("abc"))],
        until=BOTH_CLOSED,
    ),
    Scenario(
        "a server that writes at once",
        "1.8.4",
        accept=[it.watch("data"), show(it.write(data("hello"), cb("written"))), it.end(cb("ended"))],
        steps=[client.make(), client.watch("data"), client.dial(), client.write(data("abc"))],
        until=BOTH_CLOSED,
    ),
    Scenario(
        "server 'close' after two connections",
        "1.9.2, 9 (net-server-close)",
        accept=[it.on("close"), server.getConnections(cb("counted"))],
        steps=[
            server.watch(),
            client.make(),
            client.on("close"),
            client2.make(),
            client2.on("close"),
            client.dial(),
            when(["server connection", "client ready"], client2.dial()),
            client.on("ready"),
            when(
                ["server connection", "server connection"],
                server.close(cb("closed")),
                wait(
                    10,
                    peer.destroy(),
                    server.getConnections(cb("left")),
                    wait(10, server.getConnections(cb("left")), peer2.destroy()),
                ),
            ),
        ],
        until=["server close", "client close", "client2 close"],
    ),
    Scenario(
        "half-open connections hold up 'close'",
        "1.9.2, 1.1.4",
        server={"allowHalfOpen": True},
        accept=[it.watch(), it.resume()],
        together=TOGETHER,
        steps=[
            server.watch(),
            client.make(allowHalfOpen=True),
            client.watch(),
            client.dial(),
            when(["server connection", "client ready"], client.end()),
            when(
                ["peer end"],
                server.close(cb("closed")),
                wait(20, server.getConnections(cb("counted")), peer.end(data("bye"))),
            ),
            client.resume(),
        ],
        until=["server close", *BOTH_CLOSED],
    ),
    Scenario(
        "a connection that was reset is no error of the server",
        "1.10.5, 1.8.5",
        transports=TCP,
        accept=[it.watch()],
        steps=[
            server.watch(),
            client.make(),
            client.watch(),
            client.dial(),
            when(
                ["server connection", "client ready"],
                client.resetAndDestroy(),
            ),
            when(["peer close"], server.getConnections(cb("counted", server.close()))),
        ],
        until=["server close"],
    ),
    Scenario(
        "addresses while the server closes",
        "2.4.4, 9 (net-during-close)",
        transports=TCP,
        accept=[it.destroy(), server.close()],
        steps=[
            client.make(),
            client.dial(),
            client.get("remoteAddress", "remotePort", "remoteFamily"),
            client.on("close", client.get("connecting")),
            client.on("error"),
        ],
        until=["client close"],
        without=("peer",),
    ),
    Scenario(
        "max_connections of three",
        "1.8.2, 9 (net-server-max-connections)",
        accept=[it.on("end"), it.write(data("served"))],
        steps=[
            server.set("maxConnections", 2),
            client.make(),
            client.watch("data"),
            client2.make(),
            client2.watch("data"),
            client.dial(),
            when(["server connection", "client data"], client2.dial()),
            when(["client2 data"], server.getConnections(cb("counted")), client.end()),
            when(
                ["client close"],
                server.getConnections(cb("counted again")),
                client.dial(),
            ),
            when(["client data", "client close", "client data"], client.end(), client2.end()),
        ],
        until=["client close", "client close", "client2 close"],
    ),
    Scenario(
        "max_connections of no limit",
        "1.1.5, 1.8.2",
        accept=[it.end(), it.on("close")],
        steps=[
            server.get("maxConnections"),
            server.set("maxConnections", 5),
            server.get("maxConnections"),
            server.set("maxConnections", None),
            server.get("maxConnections"),
            client.make(),
            client.watch(),
            client.dial(),
        ],
        until=BOTH_CLOSED,
    ),
    Scenario(
        "keywords and the options of a server",
        "1.1.2, 1.1.4",
        server=None,
        transports=TCP,
        steps=[
            server.create("createServer", {"allowHalfOpen": 1, "pauseOnConnect": "yes"}),
            server.get("pauseOnConnect", "listening", "maxConnections"),
            show(server.getConnections(cb("counted"))),
            server.on("close"),
            server.listen(options(port=0, host="127.0.0.1", backlog=1), cb("callback")),
            when(["server callback"], server.close(), finish()),
        ],
    ),
]
