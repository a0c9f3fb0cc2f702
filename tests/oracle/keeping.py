"""What keeps a process alive, and what does not: ref() and unref() of servers and sockets.

These scenarios have no end but that of their process.  A step of idle() that is in the trace shows that
something kept the process alive; one that must not be there comes late, since a process may be slow to end.
"""

from __future__ import annotations

from typing import Any

from oracle.language import (
    Scenario,
    Step,
    cb,
    client,
    data,
    idle,
    it,
    lookup,
    ms,
    peer,
    port_of,
    server,
    server2,
    wait,
    when,
)

__all__ = ["SCENARIOS"]

TCP = ("tcp",)
SHORT, LATE = 60, 3000


def _ends(name: str, rule: str, *steps: Step, **more: Any) -> Scenario:
    return Scenario(name, rule, list(steps), ends=True, **more)


SCENARIOS = [
    _ends("nothing is left", "1.10.4", server=None, transports=TCP),
    _ends(
        "a listening server",
        "1.10.4",
        server.watch(),
        idle(SHORT, server.mark("still here"), server.close()),
    ),
    _ends(
        "a listening server without ref",
        "1.10.4, 9 (net-server-unref, pipe-unref)",
        server.watch(),
        server.unref(),
        idle(LATE, server.mark("never")),
    ),
    _ends(
        "unref before listen()",
        "1.10.4, 9 (net-server-unref-persistent)",
        server.make(),
        server.watch(),
        server.unref(),
        server.serve(cb("callback")),
        idle(LATE, server.mark("never")),
        server=None,
    ),
    _ends(
        "unref in 'listening'",
        "1.10.4",
        server.make(),
        server.on("listening", server.unref(), label="go"),
        server.serve(),
        idle(LATE, server.mark("never")),
        server=None,
    ),
    _ends(
        "ref after unref",
        "1.10.4",
        server.watch(),
        server.unref(),
        server.unref(),
        server.ref(),
        idle(SHORT, server.mark("still here"), server.close()),
    ),
    _ends(
        "unref of one of two servers",
        "1.10.4",
        server.watch(),
        server.unref(),
        server2.make(),
        server2.watch(),
        server2.serve(),
        idle(SHORT, server.mark("still here"), server2.close()),
    ),
    _ends(
        "unref is remembered when a server listens again",
        "1.10.4, 1.9.6",
        server.watch(),
        server.unref(),
        server.close(cb("closed", server.serve(cb("again")))),
        idle(LATE, server.mark("never")),
    ),
    _ends(
        "a connection of a server without ref",
        "1.10.4, 2.13.4",
        server.unref(),
        client.make(),
        client.watch(),
        client.dial(),
        when(
            ["server connection", "client ready"],
            idle(SHORT, client.mark("still here"), client.end()),
        ),
    ),
    _ends(
        "both ends without ref",
        "2.13.4, 9 (net-connect-paused-connection)",
        server.unref(),
        client.make(),
        client.watch(),
        client.dial(),
        when(
            ["server connection", "client ready"],
            client.unref(),
            peer.unref(),
            idle(LATE, client.mark("never")),
        ),
    ),
    _ends(
        "unref before connect()",
        "2.13.4, 9 (net-persistent-ref-unref)",
        server.unref(),
        client.make(),
        client.watch(),
        client.unref(),
        client.ref(),
        client.dial(),
        when(
            ["server connection", "client ready"],
            peer.unref(),
            idle(SHORT, client.mark("still here"), client.end()),
        ),
    ),
    _ends(
        "a closing server with a connection",
        "1.9.2",
        server.watch(),
        client.make(),
        client.watch(),
        client.dial(),
        when(
            ["server connection", "client ready"],
            server.close(),
            idle(SHORT, client.mark("still here"), client.destroy()),
        ),
        accept=[it.resume(), it.on("close")],
        together=(("server", "peer"),),
    ),
    _ends(
        "a timeout does not keep it alive",
        "2.12.8, 9 (net-socket-timeout-unref)",
        server.unref(),
        client.make(),
        client.watch(),
        client.setTimeout(ms(LATE)),
        client.dial(),
        when(["server connection", "client ready"], client.unref(), peer.unref()),
    ),
    _ends(
        "a timeout on a fresh socket does not keep it alive",
        "2.12.8",
        client.make(),
        client.watch(),
        client.setTimeout(ms(LATE)),
        server=None,
        transports=TCP,
    ),
    _ends(
        "a fresh socket and a fresh server do not keep it alive",
        "1.10.4",
        client.make(),
        server.make(),
        client.watch(),
        server.watch(),
        server=None,
        transports=TCP,
    ),
    _ends(
        "a look-up that never answers does not keep it alive",
        "2.3.2",
        client.make(),
        client.watch("lookup"),
        client.connect({"port": 1, "host": "somewhere", "lookup": lookup(how="never")}),
        idle(LATE, client.mark("never")),
        server=None,
        transports=TCP,
    ),
    _ends(
        "a failed listen() does not keep it alive",
        "1.4.6",
        server2.make(),
        server2.watch(),
        server2.listen(port_of(server), "127.0.0.1"),
        server.unref(),
        idle(LATE, server.mark("never")),
        transports=TCP,
    ),
    _ends(
        "a whole life",
        "2.11.3, 1.9.2",
        server.watch(),
        client.make(),
        client.watch("data"),
        client.dial(),
        when(["client close"], server.close()),
        accept=[it.watch(), it.end(data("bye"))],
    ),
    _ends(
        "ticks and timers of the program",
        "0.1.2",
        client.make(),
        client.tick("tick", wait(1, client.mark("later"), client.tick("last"))),
        server=None,
        transports=TCP,
    ),
]
