"""TLS: what is said and known of a connection that is secure, ends, sessions, names, certificates of clients."""

from __future__ import annotations

from oracle.language import (
    Scenario,
    cb,
    client,
    client2,
    data,
    fill,
    it,
    pem,
    server,
    show,
    the,
    wait,
)

__all__ = ["SCENARIOS"]

BOTH_CLOSED = ["client close", "peer close"]
SECURE = ("encrypted", "authorized", "authorizationError", "alpnProtocol", "servername", "connecting")
SERVER = {"cert": pem("server"), "key": pem("server")}
TRUSTING = {"ca": pem("authority")}


def tls(name: str, **given: object) -> Scenario:
    """Over TCP: clients are made by the name of a host."""
    given.setdefault("server", SERVER)
    given.setdefault("until", BOTH_CLOSED)
    return Scenario(name, "tls", tls=True, transports=("tcp",), **given)  # type: ignore[arg-type]


WATCHED = client.watch("secureConnect")
ALPN = {**SERVER, "ALPNProtocols": ["one", "two"]}
ASKING = {**SERVER, "ca": pem("authority"), "requestCert": True}

SCENARIOS = [
    tls(
        "secure: the order of events",
        accept=[it.watch("data"), it.get(*SECURE)],
        steps=[
            client.secure(**TRUSTING),
            WATCHED,
            client.get(*SECURE),
            client.on("connect", client.get(*SECURE), label="connect state"),
            client.on("secureConnect", client.get(*SECURE), client.end(data("hello")), label="go"),
        ],
    ),
    tls(
        "secure: the callback of connect() comes with secureConnect",
        accept=[it.watch()],
        steps=[
            client.create(
                "connect",
                {"host": "127.0.0.1", "port": {"$": "port", "who": "server"}, "servername": "localhost", **TRUSTING},
                cb("connected", client.end(), side="client"),
            ),
            WATCHED,
        ],
    ),
    tls(
        "secure: written before the connection is there",
        accept=[it.watch("data")],
        steps=[
            client.secure(**TRUSTING),
            WATCHED,
            show(client.write(data("abc"), cb("written"))),
            client.get("bytesWritten", "writableLength"),
            client.end(data("def"), cb("ended")),
        ],
    ),
    tls(
        "secure: written in the middle of the handshake",
        accept=[it.watch("data")],
        steps=[
            client.secure(**TRUSTING),
            WATCHED,
            client.on(
                "connect", show(client.write(data("abc"), cb("written"))), client.end(data("def")), label="go"
            ),
        ],
    ),
    tls(
        "secure: an echo in both directions",
        accept=[it.watch(), it.pipe(the(it))],
        steps=[
            client.secure(**TRUSTING),
            WATCHED,
            client.on("data"),
            client.on("secureConnect", client.write(data("one")), client.end(data("two")), label="go"),
        ],
    ),
    tls(
        "secure: counters are those of the data",
        accept=[it.on("close"), it.pipe(the(it)), it.on("close", it.get("bytesRead", "bytesWritten"), label="counted")],
        steps=[
            client.secure(**TRUSTING),
            WATCHED,
            client.resume(),
            client.end(fill("x", 100_000)),
            client.on("close", client.get("bytesRead", "bytesWritten"), label="counted"),
        ],
    ),
    tls(
        "secure: much at once, and drain",
        accept=[it.watch(), it.resume()],
        steps=[
            client.secure(**TRUSTING),
            WATCHED,
            client.on(
                "secureConnect",
                show(client.write(fill("x", 20_000_000), cb("written"))),
                client.get("writableNeedDrain", "writableLength"),
                label="go",
            ),
            client.on("drain", client.end(), label="drained"),
        ],
    ),
    tls(
        "secure: half-open, the server says more",
        accept=[it.watch("data"), it.on("end", wait(5, it.end(data("later"))), label="go on")],
        server={**SERVER, "allowHalfOpen": True},
        steps=[
            client.secure(**TRUSTING, allowHalfOpen=True),
            WATCHED,
            client.on("data"),
            client.end(data("hello")),
        ],
    ),
    tls(
        "secure: not half-open, the other end ends first",
        accept=[it.watch("data"), it.end(data("bye"))],
        steps=[client.secure(**TRUSTING), WATCHED, client.on("data"), client.get("allowHalfOpen")],
    ),
    tls(
        "secure: write after the other end's end",
        accept=[it.watch(), it.end()],
        steps=[
            client.secure(**TRUSTING),
            WATCHED,
            client.resume(),
            client.on("end", wait(5, client.write(data("late"), cb("written"))), label="go"),
        ],
        until=["peer close", "client close", "client written"],
    ),
    tls(
        "secure: write after end()",
        accept=[it.watch("data")],
        steps=[
            client.secure(**TRUSTING),
            WATCHED,
            client.on(
                "secureConnect", client.end(data("last")), client.write(data("late"), cb("written")), label="go"
            ),
        ],
        without=("peer", "server"),
        until=["client close", "client written"],
    ),
    tls(
        "secure: destroyed with what was written",
        accept=[it.watch("data")],
        steps=[
            client.secure(**TRUSTING),
            WATCHED,
            client.on(
                "secureConnect",
                client.write(data("abc"), cb("written")),
                wait(5, client.destroy(), client.get("destroyed", "readyState")),
                label="go",
            ),
        ],
        without=("peer",),
    ),
    tls(
        "secure: destroyed with an error",
        accept=[it.on("close"), it.on("error")],
        steps=[
            client.secure(**TRUSTING),
            WATCHED,
            client.on(
                "secureConnect", wait(5, client.destroy({"$": "error", "text": "enough"})), label="go"
            ),
        ],
        without=("peer",),
    ),
    tls(
        "secure: destroy_soon",
        accept=[it.watch("data")],
        steps=[
            client.secure(**TRUSTING),
            WATCHED,
            client.on("secureConnect", client.write(data("abc")), client.destroySoon(), label="go"),
        ],
        without=("peer",),
    ),
    tls(
        "secure: the other end is destroyed",
        accept=[it.watch(), it.destroy()],
        steps=[client.secure(**TRUSTING), WATCHED, client.resume()],
        without=("client",),
    ),
    tls(
        "secure: paused, and resumed later",
        accept=[it.watch(), it.write(data("one")), it.end(data("two"))],
        steps=[
            client.secure(**TRUSTING),
            WATCHED,
            client.pause(),
            client.on("data"),
            client.on("secureConnect", wait(20, client.get("readableFlowing"), client.resume()), label="go"),
        ],
    ),
    tls(
        "secure: set_encoding",
        accept=[it.watch(), it.end(data("gr\xc3\xbc\xc3\x9fe"))],
        steps=[client.secure(**TRUSTING), client.setEncoding("utf8"), WATCHED, client.on("data")],
    ),
    tls(
        "secure: iterated",
        accept=[it.watch(), it.write(data("one")), wait(10, it.end(data("two")))],
        steps=[client.secure(**TRUSTING), WATCHED, client.iterate()],
        until=[*BOTH_CLOSED, "client loop over"],
        without=("peer",),
        decision="17: a normal EOF does not destroy the socket, so its own end is sent in order",
        differs={
            "client": [
                ["connect"], ["ready"], ["secureConnect"], ["end"], ["prefinish"], ["finish"], ["close", False],
            ]
        },
    ),
    tls(
        "secure: an idle timeout",
        accept=[it.watch()],
        steps=[
            client.secure(**TRUSTING),
            WATCHED,
            client.on("secureConnect", client.setTimeout({"$": "time", "value": 30}), label="go"),
            client.on("timeout", client.end(), label="idle"),
        ],
    ),
    tls(
        "secure: the version of TLS is limited",
        accept=[it.watch(), show(it.getProtocol())],
        server={**SERVER, "maxVersion": "TLSv1.2"},
        steps=[
            client.secure(**TRUSTING),
            WATCHED,
            client.on("secureConnect", show(client.getProtocol()), client.end(), label="go"),
        ],
    ),
    tls(
        "secure: before it is, nothing is known",
        accept=[it.watch()],
        steps=[
            client.secure(**TRUSTING),
            WATCHED,
            client.get("encrypted", "authorized", "connecting", "secureConnecting", "pending", "readyState"),
            client.on("connect", client.get("secureConnecting", "readyState", "pending"), label="connect state"),
            client.on("secureConnect", client.get("secureConnecting", "readyState"), client.end(), label="go"),
        ],
    ),
    tls(
        "alpn: agreed, by the server's choice",
        server=ALPN,
        accept=[it.watch(), it.get("alpnProtocol")],
        steps=[
            client.secure(**TRUSTING, ALPNProtocols=["three", "two", "one"]),
            WATCHED,
            client.on("secureConnect", client.get("alpnProtocol"), client.end(), label="go"),
        ],
    ),
    tls(
        "alpn: not asked for",
        server=ALPN,
        accept=[it.watch(), it.get("alpnProtocol")],
        steps=[
            client.secure(**TRUSTING),
            WATCHED,
            client.on("secureConnect", client.get("alpnProtocol"), client.end(), label="go"),
        ],
    ),
    tls(
        "alpn: a server that knows none",
        accept=[it.watch(), it.get("alpnProtocol")],
        steps=[
            client.secure(**TRUSTING, ALPNProtocols=["two"]),
            WATCHED,
            client.on("secureConnect", client.get("alpnProtocol"), client.end(), label="go"),
        ],
    ),
    tls(
        "alpn: nothing in common",
        server=ALPN,
        accept=[it.watch(), it.end()],
        steps=[
            server.watch("tlsClientError"),
            client.secure(**TRUSTING, ALPNProtocols=["three"]),
            WATCHED,
            client.resume(),
        ],
        until=["client close"],
        decision="ssl goes on without a protocol",
        differs={
            "client": [["connect"], ["ready"], ["secureConnect"], ["end"], ["prefinish"], ["finish"], ["close", False]],
            "server": [["secureConnection", "<peer>"]],
            "peer": [["prefinish"], ["finish"], ["end"], ["close", False]],
        },
    ),
    tls(
        "sni: the server hears the name",
        accept=[it.watch(), it.get("servername")],
        steps=[
            client.secure(**TRUSTING),
            WATCHED,
            client.on("secureConnect", client.get("servername"), client.end(), label="go"),
        ],
        without=("client",),
    ),
    tls(
        "sni: another certificate for a name",
        server={"cert": pem("other"), "key": pem("other")},
        accept=[it.watch(), it.get("servername")],
        steps=[
            server.addContext("local*", SERVER),
            client.secure(**TRUSTING),
            WATCHED,
            client.on("secureConnect", client.get("authorized"), client.end(), label="go"),
        ],
    ),
    tls(
        "sni: the names of addContext are patterns of one part",
        server=SERVER,
        accept=[it.watch()],
        steps=[
            server.addContext("*.localhost", {"cert": pem("other"), "key": pem("other")}),
            client.secure(**TRUSTING),
            WATCHED,
            client.on("secureConnect", client.get("authorized"), client.end(), label="go"),
        ],
    ),
    tls(
        "contexts: set_secure_context is for connections from then on",
        server={"cert": pem("other"), "key": pem("other")},
        accept=[it.watch("data")],
        steps=[
            server.setSecureContext(SERVER),
            client.secure(**TRUSTING),
            WATCHED,
            client.on("secureConnect", client.get("authorized"), client.end(), label="go"),
        ],
    ),
    tls(
        "client certificates: one that is good",
        server=ASKING,
        accept=[it.watch(), it.get("authorized", "authorizationError")],
        steps=[
            client.secure(**TRUSTING, cert=pem("client"), key=pem("client")),
            WATCHED,
            client.on("secureConnect", client.end(), label="go"),
        ],
    ),
    tls(
        "client certificates: none, where that is let through",
        server={**ASKING, "rejectUnauthorized": False},
        accept=[it.watch(), it.get("authorized", "authorizationError")],
        steps=[client.secure(**TRUSTING), WATCHED, client.on("secureConnect", client.end(), label="go")],
    ),
    tls(
        "client certificates: not asked for",
        accept=[it.watch(), it.get("authorized", "authorizationError")],
        steps=[
            client.secure(**TRUSTING, cert=pem("client"), key=pem("client")),
            WATCHED,
            client.on("secureConnect", client.end(), label="go"),
        ],
    ),
    tls(
        "sessions: 'session', with TLS 1.2",
        server={**SERVER, "maxVersion": "TLSv1.2"},
        accept=[it.watch(), it.end()],
        steps=[
            client.secure(**TRUSTING),
            WATCHED,
            client.resume(),
            client.once("session"),
            client.on("secureConnect", show(client.isSessionReused()), label="go"),
        ],
        together=(),
    ),
    tls(
        "sessions: 'session', with TLS 1.3",
        accept=[it.watch(), wait(20, it.end())],
        steps=[client.secure(**TRUSTING), WATCHED, client.resume(), client.once("session")],
    ),
    tls(
        "starttls: both ends go on with TLS",
        server=SERVER,
        accept=[it.watch("data"), it.end(data("welcome"))],
        steps=[
            client.make(),
            client.watch(),
            client.on(
                "connect",
                client2.create("connect", {"socket": the(client), "servername": "localhost", **TRUSTING}),
                client2.watch("secureConnect"),
                client2.on("data"),
                label="go",
            ),
            client.dial(),
        ],
        until=["client2 close", "peer close"],
        without=("client",),
    ),
    tls(
        "starttls: written at once",
        server=SERVER,
        accept=[it.watch("data")],
        steps=[
            client.make(),
            client.on(
                "connect",
                client2.create("connect", {"socket": the(client), "servername": "localhost", **TRUSTING}),
                client2.watch("secureConnect"),
                show(client2.write(data("early"))),
                client2.end(),
                label="go",
            ),
            client.dial(),
        ],
        until=["client2 close", "peer close"],
        without=("client",),
    ),
]
