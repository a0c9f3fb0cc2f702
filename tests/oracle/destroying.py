"""destroy() at every stage and in every listener, with and without an error; resets."""

from __future__ import annotations

from oracle.language import (
    STATE,
    Scenario,
    cb,
    client,
    data,
    error,
    it,
    lookup,
    show,
    wait,
    when,
)

__all__ = ["SCENARIOS"]

BOTH_CLOSED = ["client close", "peer close"]
AFTER = (*STATE, "errored")
ENDED = ("writableEnded", "writableFinished", "readableEnded")


def _destroyed_in(event: str, *, broken: bool) -> Scenario:
    """The client destroys itself in this listener, in a life in which every event comes."""
    given = [error()] if broken else []
    return Scenario(
        f"destroy {'with an error ' if broken else ''}in '{event}'",
        "2.11.1, 2.11.4",
        accept=[it.on("error"), it.on("data", it.end(data("hello")))],
        without=("peer",),
        steps=[
            client.make(),
            client.on(
                event,
                show(client.destroy(*given)),
                client.get(*AFTER, *ENDED),
                client.tick("tick"),
                label="destroyer",
            ),
            client.watch("data"),
            client.dial(),
            client.write(data("x"), cb("written")),
            client.end(cb("ended")),
        ],
        until=["client close"],
    )


SCENARIOS = [
    *[
        _destroyed_in(event, broken=broken)
        for event in ("connect", "ready", "data", "end", "finish", "close")
        for broken in (False, True)
    ],
    Scenario(
        "destroy a fresh socket",
        "2.11.3",
        server=None,
        transports=("tcp",),
        steps=[
            client.make(),
            client.watch(),
            show(client.destroy()),
            client.get(*AFTER),
            client.tick("tick"),
        ],
        until=["client close"],
        decision="13",
        differs={
            "client": [
                ["destroy =", "<client>"],
                [
                    "state",
                    {
                        "connecting": False,
                        "destroyed": True,
                        "errored": None,
                        "pending": True,
                        "readable": False,
                        "readyState": "closed",
                        "writable": False,
                    },
                ],
                ["close", False],
                ["tick"],
            ]
        },
    ),  # fmt: skip
    Scenario(
        "destroy a fresh socket with an error",
        "2.11.3",
        server=None,
        transports=("tcp",),
        steps=[client.make(), client.watch(), client.destroy(error()), client.tick("tick")],
        until=["client close"],
        decision="13",
        differs={
            "client": [["error", {"$error": {"message": "boom"}}], ["close", True], ["tick"]],
        },
    ),
    Scenario(
        "destroy right after connect()",
        "2.3.9",
        steps=[
            client.make(),
            client.watch(),
            client.dial(cb("listener")),
            show(client.destroy()),
            client.get(*AFTER),
            client.tick("tick"),
        ],
        until=["client close"],
    ),
    Scenario(
        "destroy with an error while connecting",
        "2.3.9, 2.11.2",
        steps=[
            client.make(),
            client.watch(),
            client.dial(),
            client.destroy(error()),
            client.tick("tick"),
        ],
        until=["client close"],
    ),
    Scenario(
        "destroy one tick after connect()",
        "2.3.1, 2.3.9",
        steps=[
            client.make(),
            client.watch(),
            client.dial(),
            client.tick("tick", client.destroy(), client.get(*AFTER)),
        ],
        until=["client close"],
    ),
    Scenario(
        "destroy during the look-up",
        "2.3.3",
        transports=("tcp",),
        steps=[
            client.make(),
            client.watch("lookup"),
            client.dial(host="somewhere", family=4, lookup=lookup("127.0.0.1", 4, how="wait")),
            client.destroy(),
            wait(20, client.mark("the answer has come")),
        ],
        until=["client close", "client the answer has come"],
        decision="2.3.3 (later: no 'lookup' for a socket that is destroyed)",
        differs={
            "client": [
                ["lookup()", "somewhere", 4, False],
                ["close", False],
                ["the answer has come"],
            ]
        },
    ),
    Scenario(
        "destroy in 'lookup'",
        "2.3.3",
        transports=("tcp",),
        steps=[
            client.make(),
            client.watch("lookup", "connectionAttempt"),
            client.on("lookup", client.destroy(), label="destroyer"),
            client.dial(host="somewhere", family=4, lookup=lookup("127.0.0.1", 4, how="tick")),
        ],
        until=["client close"],
    ),
    Scenario(
        "closed before and after 'close'",
        "3.1.7",
        accept=[it.watch()],
        steps=[
            client.make(),
            client.on("close", client.get("closed"), label="close"),
            client.on(
                "connect",
                client.destroy(),
                client.get("closed"),
                client.tick("tick", client.get("closed")),
            ),
            client.dial(),
        ],
        until=BOTH_CLOSED,
        decision="Node's documentation: closed is true after 'close' has been emitted",
        differs={
            "client": [
                ["connect"],
                ["state", {"closed": False}],
                ["tick"],
                ["state", {"closed": False}],
                ["close", False],
                ["state", {"closed": True}],
            ]
        },
    ),
    Scenario(
        "destroy twice, the second time with an error",
        "2.11.1, 2.11.5",
        accept=[it.watch()],
        steps=[
            client.make(),
            client.watch(),
            client.on("connect", client.destroy(), client.destroy(error()), label="destroyer"),
            client.dial(),
        ],
        until=BOTH_CLOSED,
    ),
    Scenario(
        "destroy twice with errors",
        "2.11.5",
        accept=[it.watch()],
        steps=[
            client.make(),
            client.watch(),
            client.on(
                "connect",
                client.destroy(error("first")),
                client.destroy(error("second")),
                label="destroyer",
            ),
            client.dial(),
        ],
        until=BOTH_CLOSED,
    ),
    Scenario(
        "destroy in 'error'",
        "2.11.6",
        accept=[it.watch()],
        steps=[
            client.make(),
            client.watch(),
            client.on(
                "error", client.destroy(error("second")), client.get(*AFTER), label="destroyer"
            ),
            client.on("connect", client.destroy(error("first")), label="go"),
            client.dial(),
        ],
        until=BOTH_CLOSED,
    ),
    Scenario(
        "the peer destroys an idle connection",
        "2.10.4",
        accept=[it.watch(), when(["client ready"], it.destroy())],
        steps=[client.make(), client.watch(), client.dial()],
        until=BOTH_CLOSED,
    ),
    Scenario(
        "the peer destroys a connection with unread data",
        "2.10.4",
        server={"pauseOnConnect": True},
        transports=("tcp",),
        accept=[it.watch(), when(["client written"], wait(10, it.destroy()))],
        steps=[
            client.make(),
            client.watch(),
            client.dial(),
            client.write(data("unread"), cb("written")),
        ],
        until=BOTH_CLOSED,
    ),
    Scenario(
        "the server's side is destroyed with an error",
        "1.8.5, 2.11.2",
        accept=[it.watch(), it.destroy(error())],
        steps=[client.make(), client.watch(), client.dial()],
        until=BOTH_CLOSED,
    ),
    Scenario(
        "destroy after end()",
        "2.11.4, 2.8.7",
        accept=[it.watch("data")],
        steps=[
            client.make(),
            client.watch(),
            client.on(
                "connect", client.end(data("abc"), cb("ended")), client.destroy(), label="go"
            ),
            client.dial(),
        ],
        until=BOTH_CLOSED,
    ),
]
