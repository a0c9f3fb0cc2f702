"""Connecting by name: look-ups, several addresses, and what is emitted for each attempt."""

from __future__ import annotations

from typing import Any

from oracle.language import (
    STATE,
    Scenario,
    cb,
    client,
    data,
    it,
    lookup,
    port_of,
    server,
    show,
)

__all__ = ["SCENARIOS"]

BOTH_CLOSED = ["client close", "peer close"]
TCP = ("tcp",)
ATTEMPTS = ("lookup", "connectionAttempt", "connectionAttemptFailed", "connectionAttemptTimeout")
V4 = {"address": "127.0.0.1", "family": 4}
V6 = {"address": "::1", "family": 6}

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


def _looked_up(name: str, rule: str, answer: Any, **more: Any) -> Scenario:
    """A look-up whose answer is of no use, or fails."""
    return Scenario(
        name,
        rule,
        transports=TCP,
        steps=[
            client.make(),
            client.watch(*ATTEMPTS),
            client.dial(host="somewhere", lookup=answer, **more),
            client.tick("tick"),
        ],
        until=["client close"],
    )


def _eyeballs(name: str, answer: Any, listen: dict[str, Any], **more: Any) -> Scenario:
    """Several addresses, of which some may refuse."""
    return Scenario(
        name,
        "8.1",
        transports=TCP,
        server=None,
        accept=[it.watch(), it.end()],
        steps=[
            server.make(),
            client.make(),
            client.watch(*ATTEMPTS),
            client.on("connect", client.get("remoteAddress", "remoteFamily"), label="who"),
            client.on(
                "close", client.get("autoSelectFamilyAttemptedAddresses", "errored"), label="over"
            ),
            server.on(
                "listening",
                client.connect(
                    {"port": port_of(server), "host": "somewhere", "lookup": answer, **more}
                ),
            ),
            server.listen({"port": 0, **listen}),
        ],
        until=["client over"],
    )


SCENARIOS = [
    Scenario(
        "a refused connection and its attempt",
        "2.3.6, 8.1 (connectionAttemptFailed)",
        server=None,
        transports=TCP,
        steps=[client.make(), client.watch(*ATTEMPTS), client.dial(to="nobody")],
        until=["client close"],
    ),
    Scenario(
        "attempts to connect to a path",
        "8 (connectionAttempt)",
        server=None,
        transports=("unix",),
        steps=[client.make(), client.watch(*ATTEMPTS), client.dial(to="nobody")],
        until=["client close"],
        decision="section 8: before each TCP attempt",
        differs={"client": [["error", REFUSED["unix"]], ["close", True]]},
    ),
    _looked_up("a look-up that fails at once", "2.3.3, 0.2.6", lookup(fails="ENOTFOUND")),
    _looked_up(
        "a look-up that fails later",
        "2.3.3, 0.2.6",
        lookup(fails="EAI_AGAIN", how="wait"),
        family=4,
    ),
    _looked_up("a look-up that answers with no address", "2.3.3", lookup("nonsense", 4), family=4),
    _looked_up("a look-up that answers with nothing", "2.3.3", lookup(), family=4),
    _looked_up("a look-up with an odd family", "2.3.3", lookup("127.0.0.1", 7), family=4),
    _looked_up(
        "a look-up that answers with one odd family",
        "8.1.2",
        lookup([{"address": "127.0.0.1", "family": 7}]),
    ),
    _looked_up(
        "a look-up that answers with a list of no addresses",
        "8.1.2",
        lookup([{"address": "nonsense", "family": 4}]),
    ),
    Scenario(
        "a name that cannot be",
        "0.2.6, 2.3.3",
        server=None,
        transports=TCP,
        steps=[
            client.make(),
            client.watch("lookup"),
            client.connect({"port": 1, "host": "x" * 64}),
            client.get(*STATE),
        ],
        until=["client close"],
    ),
    Scenario(
        "a look-up that answers at once",
        "2.3.2, 2.3.3",
        transports=TCP,
        accept=[it.watch(), it.end()],
        steps=[
            client.make(),
            client.watch("lookup", "connectionAttempt"),
            client.dial(host="somewhere", autoSelectFamily=False, lookup=lookup("127.0.0.1", 4)),
            client.mark("after connect()"),
            client.tick("tick"),
        ],
        until=BOTH_CLOSED,
    ),
    Scenario(
        "a look-up that answers on a tick",
        "2.3.2, 2.3.3",
        transports=TCP,
        accept=[it.watch(), it.end()],
        steps=[
            client.make(),
            client.watch("lookup", "connectionAttempt"),
            client.dial(host="somewhere", family=4, lookup=lookup("127.0.0.1", 4, how="tick")),
            client.mark("after connect()"),
            client.tick("tick"),
        ],
        until=BOTH_CLOSED,
    ),
    Scenario(
        "writes during a look-up",
        "2.3.2, 2.7.7",
        transports=TCP,
        accept=[it.watch("data")],
        steps=[
            client.make(),
            client.watch("lookup"),
            client.dial(host="somewhere", family=4, lookup=lookup("127.0.0.1", 4, how="wait")),
            show(client.write(data("abc"), cb("written"))),
            client.get(*STATE, "bytesWritten", "writableLength"),
            client.end(data("def"), cb("ended")),
        ],
        until=BOTH_CLOSED,
    ),
    _eyeballs("the first of two addresses refuses", lookup([V6, V4]), {"host": "127.0.0.1"}),
    _eyeballs(
        "the first of two addresses answers", lookup([V4, V6], how="wait"), {"host": "127.0.0.1"}
    ),
    _eyeballs("one address of a list", lookup([V4], how="tick"), {"host": "127.0.0.1"}),
    _eyeballs("the same address twice", lookup([V4, V4]), {"host": "127.0.0.1"}),
    _eyeballs(
        "families in turn",
        lookup([V6, {"address": "::2", "family": 6}, V4]),
        {"host": "127.0.0.1"},
    ),
    _eyeballs(
        "addresses of no use are left out",
        lookup([{"address": "nonsense", "family": 4}, V4]),
        {"host": "127.0.0.1"},
    ),
    _eyeballs("every address refuses", lookup([V6, V4]), {"host": "127.0.0.3"}),
    _eyeballs(
        "several addresses, but not to be tried",
        lookup("::1", 6),
        {"host": "127.0.0.1"},
        autoSelectFamily=False,
    ),
    _eyeballs(
        "several addresses and a family", lookup("127.0.0.1", 4), {"host": "127.0.0.1"}, family=4
    ),
]
