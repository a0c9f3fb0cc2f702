"""Happy eyeballs where an address does not answer: the time an attempt may take, and what comes of it."""

from __future__ import annotations

from typing import Any

from oracle.language import (
    Scenario,
    Step,
    client,
    it,
    lookup,
    module,
    ms,
    server,
    silent_port,
    wait,
)

__all__ = ["SCENARIOS"]

ATTEMPTS = ("lookup", "connectionAttempt", "connectionAttemptFailed", "connectionAttemptTimeout")
SHORT = ms(40)
SET_TIME = "setDefaultAutoSelectFamilyAttemptTimeout"
ANSWERS = {"address": "127.0.0.1", "family": 4}
SILENT = {"address": "127.0.0.2", "family": 4}
SILENT_TOO = {"address": "127.0.0.3", "family": 4}
V6 = {"address": "::1", "family": 6}


def _attempts(
    name: str,
    rule: str,
    addresses: list[dict[str, Any]],
    *steps: Step,
    listens: bool = True,
    before: tuple[Step, ...] = (),
    **more: Any,
) -> Scenario:
    """Connect to a port where some addresses do not answer."""
    dial = client.connect(
        {
            "port": silent_port(),
            "host": "somewhere",
            "lookup": lookup(addresses),
            "autoSelectFamilyAttemptTimeout": SHORT,
            **more.pop("options", {}),
        }
    )
    listen = (
        [
            server.make(),
            server.on("listening", dial, label="go"),
            server.listen(silent_port(), "127.0.0.1"),
        ]
        if listens
        else [dial]
    )
    return Scenario(
        name,
        rule,
        server=None,
        transports=("tcp",),
        accept=[it.watch(), it.resume()],
        steps=[
            *before,
            client.make(),
            client.watch(*ATTEMPTS),
            client.on("connect", client.get("remoteAddress", "connecting"), client.end(), label="who"),
            client.on(
                "close", client.get("autoSelectFamilyAttemptedAddresses", "errored"), label="over"
            ),
            *steps,
            *listen,
        ],
        until=["client over"],
        **more,
    )


def _only_closed(*before: list[Any], tried: list[str]) -> dict[str, Any]:
    """destroy() while an attempt gets no answer."""
    return {
        "decision": "rule 2.3.9: only 'close'; Node still reports the attempt as failed (ECANCELED)",
        "differs": {
            "client": [
                *before,
                ["close", False],
                ["over", False],
                ["state", {"autoSelectFamilyAttemptedAddresses": tried, "errored": None}],
            ]
        },
    }


NOBODY = "<port of nobody>"
REFUSED = {
    "$error": {
        "address": "127.0.0.1", "code": "ECONNREFUSED", "errno": 111,
        "message": f"connect ECONNREFUSED 127.0.0.1:{NOBODY}", "port": NOBODY, "syscall": "connect",
    }
}  # fmt: skip


SOON_AFTER_A_REFUSAL = (
    client.on("connectionAttemptFailed", client.setTimeout(SHORT), label="refused"),
    client.on("timeout", client.destroy(), label="enough"),
)


def _goes_on(*silent: dict[str, Any]) -> dict[str, Any]:
    """All but the last of some addresses do not answer, and that one refuses."""
    addresses = [*(address["address"] for address in silent), "127.0.0.1"]
    lines: list[list[Any]] = [["lookup()", "somewhere", 0, True]]
    lines += [["lookup", None, address, 4, "somewhere"] for address in addresses]
    for address in addresses[:-1]:
        lines += [[event, address, NOBODY, 4] for event in ("connectionAttempt", "connectionAttemptTimeout")]
    lines += [
        ["connectionAttempt", "127.0.0.1", NOBODY, 4],
        ["connectionAttemptFailed", "127.0.0.1", NOBODY, 4, REFUSED],
        ["refused", "127.0.0.1", NOBODY, 4, REFUSED],
        ["timeout"],
        ["enough"],
    ]
    only_closed = _only_closed(*lines, tried=[f"{address}:{NOBODY}" for address in addresses])
    return {
        **only_closed,
        "decision": "RFC 8305: attempts go on beside those that are begun later; Node closes them",
    }


SCENARIOS = [
    _attempts("the first address does not answer", "8.1.3", [SILENT, ANSWERS]),
    _attempts("two addresses do not answer", "8.1.3", [SILENT, SILENT_TOO, ANSWERS]),
    _attempts(
        "one address refuses, one does not answer",
        "8.1.3",
        [V6, SILENT, ANSWERS],
        options={"autoSelectFamilyAttemptTimeout": ms(250)},  # in which it refuses
    ),
    _attempts(
        "one address does not answer, the last refuses",
        "8.1.3, 8.1.4",
        [SILENT, ANSWERS],
        *SOON_AFTER_A_REFUSAL,
        listens=False,
        **_goes_on(SILENT),
    ),
    _attempts(
        "two addresses do not answer, the last refuses",
        "8.1.4",
        [SILENT, SILENT_TOO, ANSWERS],
        *SOON_AFTER_A_REFUSAL,
        listens=False,
        **_goes_on(SILENT, SILENT_TOO),
    ),
    _attempts(
        "destroy in 'connectionAttemptTimeout'",
        "8.1.3, 2.3.9",
        [SILENT, ANSWERS],
        client.on("connectionAttemptTimeout", client.destroy(), label="go"),
        listens=False,
    ),
    _attempts(
        "destroy while an attempt gets no answer",
        "2.3.9",
        [SILENT, ANSWERS],
        client.on("connectionAttempt", wait(5, client.destroy()), label="go"),
        listens=False,
        options={"autoSelectFamilyAttemptTimeout": ms(2000)},
        **_only_closed(
            ["lookup()", "somewhere", 0, True],
            ["lookup", None, "127.0.0.2", 4, "somewhere"],
            ["lookup", None, "127.0.0.1", 4, "somewhere"],
            ["connectionAttempt", "127.0.0.2", NOBODY, 4],
            ["go", "127.0.0.2", NOBODY, 4],
            tried=[f"127.0.0.2:{NOBODY}"],
        ),
    ),
    _attempts(
        "the default time of an attempt",
        "8.1.3",
        [SILENT, ANSWERS],
        client.on("close", module(SET_TIME, ms(250)), label="put back"),
        before=(module("getDefaultAutoSelectFamily"), module(SET_TIME, ms(30))),
        options={"autoSelectFamilyAttemptTimeout": None},
    ),
    _attempts(
        "the only address does not answer",
        "8.1.2",
        [SILENT],
        client.on("timeout", client.destroy(), label="enough"),
        client.setTimeout(ms(120)),
        listens=False,
    ),
    _attempts(
        "the last address does not answer",
        "8.1.3",
        [ANSWERS, SILENT],
        *SOON_AFTER_A_REFUSAL,
        listens=False,
        options={"autoSelectFamilyAttemptTimeout": ms(2000)},  # in which the first refuses
        **_only_closed(
            ["lookup()", "somewhere", 0, True],
            ["lookup", None, "127.0.0.1", 4, "somewhere"],
            ["lookup", None, "127.0.0.2", 4, "somewhere"],
            ["connectionAttempt", "127.0.0.1", NOBODY, 4],
            ["connectionAttemptFailed", "127.0.0.1", NOBODY, 4, REFUSED],
            ["refused", "127.0.0.1", NOBODY, 4, REFUSED],
            ["connectionAttempt", "127.0.0.2", NOBODY, 4],
            ["timeout"],
            ["enough"],
            tried=[f"127.0.0.1:{NOBODY}", f"127.0.0.2:{NOBODY}"],
        ),
    ),
    _attempts(
        "no family is tried where a family is given",
        "8.1.1",
        [SILENT, ANSWERS],
        client.on("timeout", client.destroy(), label="enough"),
        client.setTimeout(ms(120)),
        listens=False,
        options={"autoSelectFamily": False, "lookup": lookup("127.0.0.2", 4)},
    ),
]
