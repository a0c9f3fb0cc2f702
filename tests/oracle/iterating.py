"""`for await (chunk of socket)` and `async for chunk in socket`.

Chunks come apart, so that where the stream is cut is not the kernel's affair.
"""

from __future__ import annotations

from typing import Any

from oracle.language import (
    STATE,
    Scenario,
    Step,
    client,
    data,
    error,
    it,
    peer,
    spaced,
    wait,
    when,
)

__all__ = ["SCENARIOS"]

BOTH_CLOSED = ["client close", "peer close"]
OPEN = {
    "connecting": False, "destroyed": False, "pending": False, "readable": True, "readyState": "open",
    "writable": True,
}  # fmt: skip
TO_THE_END: dict[str, Any] = {
    "decision": "17: a normal EOF does not destroy the socket, so its own end is sent in order",
    "differs": {
        "client": [["connect"], ["ready"], ["end"], ["prefinish"], ["finish"], ["close", False]]
    },
}


def _sent(*texts: str) -> list[Step]:
    """The server's side sends these one by one and ends."""
    return spaced(*[it.write(data(text)) for text in texts], it.end())


def _iterated(
    name: str, rule: str, *steps: Step, accept: list[Step], until: list[str], **more: Any
) -> Scenario:
    return Scenario(
        name,
        rule,
        accept=[it.watch(), *accept],
        steps=[client.make(**more.pop("client", {})), client.watch(), client.dial(), *steps],
        until=until,
        **more,
    )


ALL_OVER = [*BOTH_CLOSED, "client loop over"]

SCENARIOS = [
    _iterated(
        "iterate to the end",
        "3.5.1",
        client.iterate(),
        accept=_sent("one", "two", "three"),
        until=ALL_OVER,
        **TO_THE_END,
    ),
    _iterated(
        "iterate over text",
        "3.5.1",
        client.setEncoding("utf8"),
        client.iterate(),
        accept=_sent("one", "two"),
        until=ALL_OVER,
        **TO_THE_END,
    ),
    _iterated(
        "iterate over nothing",
        "3.5.1",
        client.iterate(),
        accept=[it.end()],
        until=ALL_OVER,
        **TO_THE_END,
    ),
    _iterated(
        "iterate over what was there before",
        "3.5.1",
        when(["client ready", "peer finish"], wait(10, client.iterate())),
        accept=[it.end(data("early"))],
        until=ALL_OVER,
        **TO_THE_END,
    ),
    _iterated(
        "iterate in 'connect'",
        "3.5.1",
        client.on("connect", client.iterate(), label="go"),
        accept=_sent("one"),
        until=ALL_OVER,
        decision=TO_THE_END["decision"],
        differs={
            "client": [
                ["connect"],
                ["go"],
                ["ready"],
                ["end"],
                ["prefinish"],
                ["finish"],
                ["close", False],
            ]
        },
    ),
    _iterated(
        "a server iterates and answers",
        "3.5.1",
        client.end(data("question")),
        client.resume(),
        accept=[it.iterate(it.write(data("answer")))],
        until=[*BOTH_CLOSED, "peer loop over"],
        without=("peer",),
    ),
    _iterated(
        "leave the loop early",
        "3.5.2",
        client.iterate(leave=1),
        accept=[it.write(data("one")), it.resume()],
        until=["client loop over", "client close"],
        without=("peer",),
        decision="17",
        differs={
            "client": [["connect"], ["ready"], ["close", False]],
        },
    ),
    _iterated(
        "destroy with an error while iterating",
        "3.5.3",
        client.iterate(client.destroy(error())),
        accept=[it.write(data("one")), it.resume()],
        until=["client loop raised", "client close"],
        without=("peer",),
    ),
    _iterated(
        "destroy while iterating",
        "3.5.3",
        client.iterate(client.destroy()),
        accept=[it.write(data("one")), it.resume()],
        until=["client close"],
        without=("peer",),
        decision="17: raises only if the socket was destroyed with an error",
        differs={"client loop": [["chunk", {"$bytes": "one"}], ["over"]]},
    ),
    _iterated(
        "the other end resets while iterating",
        "3.5.3",
        client.iterate(),
        when(["client loop chunk"], peer.resetAndDestroy()),
        accept=[it.write(data("one"))],
        until=["client loop raised", "client close"],
        transports=("tcp",),
    ),
    _iterated(
        "write while iterating",
        "3.5.1",
        client.iterate(client.write(data("thanks")), client.get(*STATE)),
        accept=[it.resume(), *_sent("one", "two")],
        until=ALL_OVER,
        without=("peer",),
        decision=TO_THE_END["decision"],
        differs={
            "client": [
                ["connect"],
                ["ready"],
                ["state", OPEN],
                ["state", OPEN],
                ["end"],
                ["prefinish"],
                ["finish"],
                ["close", False],
            ]
        },
    ),
    _iterated(
        "a half-open socket after the loop",
        "3.5.2",
        client.iterate(),
        when(["client loop over"], client.get("writable", "destroyed"), client.end(data("last"))),
        accept=[it.on("data"), *_sent("one")],
        until=["client loop over", "client state", *BOTH_CLOSED],
        client={"allowHalfOpen": True},
        without=("peer",),
        decision="17: a normal EOF leaves a half-open socket writable; in Node 24 too",
        differs_from=(20,),
        differs={
            "client": [
                ["connect"],
                ["ready"],
                ["end"],
                ["state", {"destroyed": False, "writable": True}],
                ["prefinish"],
                ["finish"],
                ["close", False],
            ],
        },
    ),
]
