"""TLS: handshakes that do not come about: verification, other protocols, ends in the middle."""

from __future__ import annotations

from oracle.language import Scenario, cb, client, client2, data, it, pem, server, show, wait
from oracle.securing import SERVER, TRUSTING, WATCHED, tls

__all__ = ["SCENARIOS"]

VERIFIES = "a client verifies in the handshake, and says why it goes"
CANCELLED = "8: a write in flight is called back with ECANCELED; in Node 24 too"
WRITE_CANCELLED = {"$error": {"code": "ECANCELED", "errno": 125, "message": "write ECANCELED", "syscall": "write"}}
UNKNOWN = {"$error": {"code": "UNABLE_TO_GET_ISSUER_CERT_LOCALLY"}}
TLS_ERROR = server.watch("tlsClientError")
STATE = ("authorized", "authorizationError", "destroyed")


def unverified(
    name: str, alert: str, *steps: list[object], server_options: object = SERVER, **differs: object
) -> Scenario:
    """A client that does not trust the server."""
    return tls(
        name,
        server=server_options,
        accept=[it.mark("accepted")],
        steps=[TLS_ERROR, *steps, WATCHED, client.on("error", client.get("authorized", "destroyed"), label="state")],
        until=["client close", "server tlsClientError"],
        decision=VERIFIES,
        differs={
            "server": [["tlsClientError", {"$error": {"code": f"ERR_SSL_{alert}"}}, "<somebody>"]],
            **differs,
        },
    )


SCENARIOS = [
    unverified(
        "refused: a certificate of nobody that is known",
        "TLSV1_ALERT_UNKNOWN_CA", client.secure(),
        # Node tells the last thing that is wrong, ssl the first.
        client=[
            ["connect"],
            ["ready"],
            ["error", UNKNOWN],
            ["state", UNKNOWN],
            ["state", {"authorized": False, "destroyed": True}],
            ["close", True],
        ],
    ),
    unverified(
        "refused: one that has signed itself",
        "TLSV1_ALERT_UNKNOWN_CA",
        client.secure(**TRUSTING),
        server_options={"cert": pem("other"), "key": pem("other")},
    ),
    unverified(
        "refused: an expired one",
        "SSLV3_ALERT_CERTIFICATE_EXPIRED",
        client.secure(**TRUSTING),
        server_options={"cert": pem("expired"), "key": pem("expired")},
    ),
    unverified(
        "refused: of another name",
        "SSLV3_ALERT_BAD_CERTIFICATE",
        client.secure(**{**TRUSTING, "servername": "example.org"}),
    ),
    tls(
        "refused: not where reject_unauthorized is False",
        accept=[it.watch()],
        steps=[
            client.secure(rejectUnauthorized=False),
            WATCHED,
            client.on("secureConnect", client.get("authorized"), client.end(), label="go"),
        ],
    ),
    tls(
        "refused: a client without a certificate, with TLS 1.2",
        server={**SERVER, "ca": pem("authority"), "requestCert": True, "maxVersion": "TLSv1.2"},
        accept=[it.mark("accepted")],
        steps=[TLS_ERROR, client.secure(**TRUSTING), WATCHED, client.resume()],
        until=["client close", "server tlsClientError"],
    ),
    tls(
        "no common version",
        server={**SERVER, "minVersion": "TLSv1.3"},
        accept=[it.mark("accepted")],
        steps=[TLS_ERROR, client.secure(**TRUSTING, maxVersion="TLSv1.2"), WATCHED],
        until=["client close", "server tlsClientError"],
    ),
    tls(
        "a client that speaks something else",
        accept=[it.mark("accepted")],
        steps=[
            TLS_ERROR,
            client.make(),
            client.watch(),
            client.on("connect", client.write(data("GET / HTTP/1.0\r\n\r\n")), client.resume(), label="go"),
            client.dial(),
        ],
        until=["client close", "server tlsClientError"],
        without=("client",),
    ),
    tls(
        "a client that says nonsense",
        accept=[it.mark("accepted")],
        steps=[
            TLS_ERROR,
            client.make(),
            client.on("connect", client.write(data("nonsense, and more of it")), client.resume(), label="go"),
            client.dial(),
            client.on("close"),
        ],
        until=["client close", "server tlsClientError"],
        without=("client",),
    ),
    tls(
        "a client that ends before it has said anything",
        accept=[it.mark("accepted")],
        steps=[
            TLS_ERROR,
            client.make(),
            client.on("connect", client.end(), label="go"),
            client.dial(),
            client.resume(),
        ],
        until=["server tlsClientError"],
        without=("client",),
    ),
    tls(
        "a client that resets the connection before it has said anything",
        accept=[it.mark("accepted")],
        steps=[
            TLS_ERROR,
            client.make(),
            client.on("connect", wait(10, client.resetAndDestroy()), label="go"),
            client.dial(),
        ],
        until=["server tlsClientError"],
    ),
    tls(
        "a client that is destroyed at 'connect'",
        accept=[it.mark("accepted")],
        steps=[
            TLS_ERROR,
            client.secure(**TRUSTING),
            WATCHED,
            client.on("connect", client.destroy(), client.get(*STATE), label="go"),
        ],
        until=["client close", "server tlsClientError"],
        without=("server",),
    ),
    tls(
        "a client that is destroyed with an error at 'connect'",
        accept=[it.mark("accepted")],
        steps=[
            client.secure(**TRUSTING),
            WATCHED,
            client.write(data("never sent"), cb("written")),
            client.on("connect", client.destroy({"$": "error", "text": "enough"}), label="go"),
        ],
        until=["client close"],
        without=("server",),
        decision=CANCELLED,
        differs_from=(20,),
        differs={
            "client": [
                ["connect"],
                ["go"],
                ["ready"],
                ["error", {"$error": {"message": "enough"}}],
                ["written", WRITE_CANCELLED],
                ["close", True],
            ]
        },
    ),
    tls(
        "a client that is destroyed before it is connected",
        accept=[it.mark("accepted")],
        steps=[client.secure(**TRUSTING), WATCHED, client.destroy(), client.get(*STATE)],
        until=["client close"],
        without=("server",),
    ),
    tls(
        "a client that is destroyed at 'secureConnect'",
        accept=[it.mark("accepted")],
        steps=[
            client.secure(**TRUSTING),
            WATCHED,
            client.on("secureConnect", client.destroy(), client.get("authorized", "destroyed"), label="go"),
        ],
        until=["client close"],
        without=("server", "peer"),
    ),
    tls(
        "nobody listens",
        server=None,
        steps=[
            client.create("connect", {"host": "127.0.0.1", "port": 1, **TRUSTING}),
            WATCHED,
            client.get("connecting", "secureConnecting"),
        ],
        until=["client close"],
    ),
    tls(
        "a socket that is written to and refused",
        accept=[it.mark("accepted")],
        steps=[
            client.secure(),
            WATCHED,
            show(client.write(data("secret"), cb("written"))),
            client.end(cb("ended")),
        ],
        until=["client close"],
        without=("server",),
        decision=f"{CANCELLED}; Node tells the last thing that is wrong, ssl the first",
        differs={
            "client": [
                ["write =", True],
                ["connect"],
                ["ready"],
                ["error", UNKNOWN],
                ["written", WRITE_CANCELLED],
                ["ended", UNKNOWN],
                ["close", True],
            ]
        },
    ),
    tls(
        "bad input: a server that is given a wrong version",
        server=None,
        steps=[client.create("connect", {"port": 1, "minVersion": "TLSv9"})],
        until=["client connect!"],
        decision="ERR_INVALID_ARG_VALUE: it is an option",
        differs={"client": [["connect!", {"$error": {"code": "ERR_INVALID_ARG_VALUE"}}]]},
    ),
    tls(
        "bad input: no port",
        server=None,
        steps=[client.create("connect", {"host": "localhost"}), client2.create("connect", {"port": 70000})],
        until=["client connect!", "client2 connect!"],
    ),
]
