"""Arguments that are refused, and some that are not: what is called, with what, and the code of the error.

Each row is a scenario of its own: a fresh object and one call.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from oracle.language import (
    Actor,
    Scenario,
    Step,
    client,
    finish,
    module,
    ms,
    number,
    path,
    server,
    show,
)

__all__ = ["SCENARIOS"]

NAN, INFINITY = number("NaN"), number("Infinity")
IP_HOST = {"port": 1, "host": "127.0.0.1"}
BY_NAME = {"port": 1, "host": "somewhere"}


def _shown(value: Any) -> str:
    if isinstance(value, dict) and "$" in value:
        return str(value.get("text") or f"{value['$']} {value.get('value', '')}".strip())
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {_shown(item)}" for key, item in value.items()) + "}"
    return ascii(value)


def _row(actor: Actor, method: str, rule: str, arguments: tuple[Any, ...]) -> Scenario:
    call: Step = show(getattr(actor, method)(*arguments))
    return Scenario(
        f"{method}({', '.join(map(_shown, arguments))})",
        rule,
        server=None,
        transports=("tcp",),
        steps=[
            actor.make(),
            call,
            actor.on("error"),
            actor.destroy() if actor is client else actor.close(),
            finish(0),
        ],
    )


def _options(actor: Actor, rule: str, **options: Any) -> Scenario:
    return Scenario(
        f"new {actor._name}({_shown(options)})",
        rule,
        server=None,
        transports=("tcp",),
        steps=[actor.make(**options), finish(0)],
    )


def _created(actor: Actor, function: str, rule: str, *arguments: Any) -> Scenario:
    return Scenario(
        f"net.{function}({', '.join(map(_shown, arguments))})",
        rule,
        server=None,
        transports=("tcp",),
        steps=[actor.create(function, *arguments), finish(0)],
    )


LISTEN: list[tuple[Any, ...]] = [
    (-1,), (65_536,), (123.456,), (NAN,), (INFINITY,), ("",), (" ",), ("65536",), ("1.5",),
    ({"port": "abc"},), ({"port": -1, "path": path()},), ({"port": NAN},), ({"port": ""},),
    ({},), ([],), ({"host": "x"},), ({"fd": -1},), ({"fd": "3"},), ({"exclusive": True},), ({"backlog": 5},),
    ({"host": {"port": 3000}},), ({"host": 5, "backlog": {}},), ({"backlog": {}, "fd": -1},), ({"path": None, "host": []},),
    (True,), (False,), ({"port": True},), ({"port": [1]},), ({"port": {}},),
    ({"path": 5},), ({"path": -1},), ({"path": ""},), ({"path": "8080"},), ({"path": None},), ({"path": True},),
    ({"port": None},), ({"port": 0, "path": path()},), (0, None), (0, 0), (0, "127.0.0.1", 0),
    ("0x0",), (" 0 ",), ("0e3",), (0.0,), ({"port": 0, "host": ""},), ({"port": 0, "host": None},),
    ({"port": 0, "backlog": "5"},), ({"port": 0, "backlog": 0},), ({"port": 0, "backlog": None},),
    ({"port": 0, "nonsense": True},),
    ({"path": path(prefix="\0"), "readableAll": True},), ({"path": path(prefix="\0"), "writableAll": True},),
]  # fmt: skip

CONNECT: list[tuple[Any, ...]] = [
    (), (None,), ({},), ([],), ({"host": "127.0.0.1"},), ({"path": None},),
    (-1,), (65_536,), (NAN,), (INFINITY,), (1.5,), ("",), (" ",), ("65536",), (True,),
    ({"port": None},), ({"port": True},), ({"port": {}},), ({"port": [1]},), ({"port": "x"},), ({"port": ""},),
    ({"port": -1},), ({"port": 65_536},), ({"port": "-1"},), ({"port": NAN},),
    ({"path": 5},), ({"path": True},), ({"path": {}},), ({"path": path(), "port": -1},),
    ({**IP_HOST, "localAddress": "x"},), ({**IP_HOST, "localAddress": 5},), ({**IP_HOST, "localAddress": True},),
    ({**IP_HOST, "localPort": "5"},), ({**IP_HOST, "localPort": True},), ({**IP_HOST, "localPort": {}},),
    ({**BY_NAME, "lookup": 5},), ({**BY_NAME, "lookup": "x"},), ({**BY_NAME, "lookup": {}},),
    ({**BY_NAME, "family": 5},), ({**BY_NAME, "family": "nonsense"},), ({**BY_NAME, "hints": -1},),
    ({**BY_NAME, "hints": 98},), *[({**BY_NAME, "hints": 1 << bit},) for bit in (0, 1, 2, 6, 7, 9, 15, 16, 30)],
    ({"port": 1, "host": {}},), ({"port": 1, "host": True},),
    ({**IP_HOST, "autoSelectFamily": "x"},), ({**IP_HOST, "autoSelectFamily": 1},),
    ({**IP_HOST, "autoSelectFamilyAttemptTimeout": "x"},),
    ({**IP_HOST, "autoSelectFamilyAttemptTimeout": ms(0)},),
    ({**IP_HOST, "autoSelectFamilyAttemptTimeout": ms(-1)},),
    ({"port": "0x50", "host": "127.0.0.1"},), ({"port": " 80 ", "host": "127.0.0.1"},), ("1", "127.0.0.1"),
    (1, "127.0.0.1"), (1, "127.0.0.1", None), ({**IP_HOST, "family": 4},), ({**IP_HOST, "family": "IPv4"},),
    ({**IP_HOST, "noDelay": 1},), ({**IP_HOST, "keepAlive": "yes"},), ({**IP_HOST, "nonsense": True},),
]  # fmt: skip

OTHERS: list[tuple[Actor, str, str, list[tuple[Any, ...]]]] = [
    (
        client,
        "setKeepAlive",
        "2.13.3",
        [(True, ms(-1)), (True, ms(999.9)), (1,), (None,), (True, None)],
    ),
    (client, "setNoDelay", "2.13.2", [(1,), ("",), (None,), (0,)]),
    (client, "destroy", "2.11.1", [("x",), (5,)]),
    (client, "end", "2.9.1", [(5,), (True,), ([],)]),
    (client, "read", "3.1.3", [(-1,), ("x",), (None,), (2**31,), (True,)]),
    (client, "unshift", "3.1.5", [(5,), ([],), ("",), ("x", "klingon")]),
    (client, "setDefaultEncoding", "2.6.3", [("x",), (None,), (5,), ("hex",)]),
    (client, "setEncoding", "2.15.7", [("x",), (5,), ("HEX",)]),
    (client, "pipe", "3.3.1", [(5,), (None,), ("x",)]),
    (client, "unpipe", "3.3.4", [(5,), (None,)]),
    (client, "setMaxListeners", "0.3.3", [(-1,), ("x",), (NAN,), (0,)]),
    (client, "addListener", "0.3", [("data", 5), ("data", None)]),
    (client, "prependListener", "0.3", [("data", "x")]),
    (client, "removeListener", "0.3", [("data", 5)]),
    (client, "emit", "0.3.1", [("nothing",), ("nothing", 1, 2)]),
    (server, "close", "1.9.3", [("x",), (5,), (None,)]),
]

SOCKET_OPTIONS: list[dict[str, Any]] = [
    {"fd": -1}, {"fd": "x"}, {"fd": 1.5}, {"fd": None}, {"fd": True}, {"fd": 2**31}, {"fd": NAN}, {"fd": 9999},
    {"highWaterMark": -1}, {"highWaterMark": "x"}, {"highWaterMark": 1.5}, {"highWaterMark": NAN},
    {"readableHighWaterMark": -1}, {"writableHighWaterMark": "x"}, {"highWaterMark": None},
    {"objectMode": True}, {"readableObjectMode": True}, {"writableObjectMode": True},
    {"allowHalfOpen": "yes"}, {"noDelay": "yes"}, {"keepAliveInitialDelay": "x"},
    {"keepAliveInitialDelay": ms(-1)}, {"encoding": "klingon"}, {"encoding": "utf8"}, {"nonsense": True},
]  # fmt: skip

SERVER_OPTIONS: list[dict[str, Any]] = [
    {"allowHalfOpen": 1}, {"pauseOnConnect": "yes"}, {"noDelay": 1}, {"keepAlive": 1},
    {"keepAliveInitialDelay": "x"}, {"keepAliveInitialDelay": ms(-1)}, {"keepAliveInitialDelay": None},
    {"highWaterMark": "x"}, {"highWaterMark": -1}, {"highWaterMark": NAN},
    {"nonsense": True},
]  # fmt: skip

SERVERS: list[Any] = ["path", 0, True, 1.5, [], None]

ADDRESSES: list[Any] = [
    "127.0.0.1", "127.0.0.01", "256.0.0.1", "1.2.3", " 127.0.0.1", "127.0.0.1\n", "0x7f.0.0.1", "",
    "::1", "::", ":::", "1::2::3", "::ffff:1.2.3.4", "::ffff:1.2.3.04", "fe80::1%eth0", "fe80::1%", "12345::",
    "1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7::", "1::2:3:4:5:6:7:8", "[::1]", "::1/64", "localhost",
    None, 5, True, 127.1, {}, [],
]  # fmt: skip


def _functions() -> list[Scenario]:
    found = [
        Scenario(
            f"{function} of everything",
            "5",
            server=None,
            transports=("tcp",),
            steps=[*[module(function, address) for address in ADDRESSES], finish(0)],
        )
        for function in ("isIP", "isIPv4", "isIPv6")
    ]
    for function, values in (
        ("setDefaultAutoSelectFamily", ["x", None, 1]),
        ("setDefaultAutoSelectFamilyAttemptTimeout", ["x", None, ms(0), ms(-1), NAN, INFINITY]),
    ):
        found.append(
            Scenario(
                function,
                "8.1",
                server=None,
                transports=("tcp",),
                steps=[*[module(function, value) for value in values], finish(0)],
            )
        )
    return found


UNKNOWN = "options.reject_unknown(): a typing error must not be ignored"
STRICT = "the docstring of the method: raises TypeError or ValueError for it"
MAPPING = "DESIGN 2: an options object is a mapping"
TYPE, RANGE = "ERR_INVALID_ARG_TYPE", "ERR_OUT_OF_RANGE"

# Where uvnet differs on purpose: why, and the code of the error that it raises (None: an error without one).
DECISIONS: dict[str, tuple[str, str | None]] = {
    "listen({port: 0, nonsense: True})": (UNKNOWN, None),
    "connect({port: 1, host: '127.0.0.1', nonsense: True})": (UNKNOWN, None),
    "new client({nonsense: True})": (UNKNOWN, None),
    "new server({nonsense: True})": (UNKNOWN, None),
    "new client({objectMode: True})": ("24: object mode is left out", None),
    "new client({readableObjectMode: True})": ("24: object mode is left out", None),
    "new client({writableObjectMode: True})": ("24: object mode is left out", None),
    "connect([])": (MAPPING, TYPE),
    "net.createServer([])": (MAPPING, TYPE),
    "setKeepAlive(True, None)": (STRICT, TYPE),
    "destroy('x')": (STRICT, TYPE),
    "destroy(5)": (STRICT, TYPE),
    "read(-1)": (STRICT, RANGE),
    "read('x')": (STRICT, TYPE),
    "read(True)": (STRICT, TYPE),
    "pipe(5)": (STRICT, TYPE),
    "pipe(None)": (STRICT, TYPE),
    "pipe('x')": (STRICT, TYPE),
    "unshift(5)": (STRICT, TYPE),
    "unshift([])": (STRICT, TYPE),
    "setMaxListeners(NaN)": (STRICT, TYPE),
    "new client({fd: 1.5})": (STRICT, TYPE),
    "new client({fd: NaN})": (STRICT, TYPE),
    "new client({highWaterMark: -1})": (STRICT, RANGE),
    "new client({highWaterMark: 'x'})": (STRICT, TYPE),
    "new client({highWaterMark: 1.5})": (STRICT, TYPE),
    "new client({highWaterMark: NaN})": (STRICT, TYPE),
    "new client({readableHighWaterMark: -1})": (STRICT, RANGE),
    "new client({writableHighWaterMark: 'x'})": (STRICT, TYPE),
    "new server({highWaterMark: -1})": (STRICT, RANGE),
    "new server({highWaterMark: NaN})": (STRICT, TYPE),
    "close('x')": (STRICT, TYPE),
    "close(5)": (STRICT, TYPE),
    "net.createServer({}, 'path')": (STRICT, TYPE),
    "net.createServer({}, 0)": (STRICT, TYPE),
}


def _decided(scenario: Scenario) -> Scenario:
    if scenario.name not in DECISIONS:
        return scenario
    reason, code = DECISIONS[scenario.name]
    word, who, *rest = next(
        step for step in scenario.steps if step[0] != "make" or len(scenario.steps) == 2
    )
    what = {"make": "new", "create": rest[0], "call": rest[0]}[word]
    return replace(
        scenario,
        decision=reason,
        differs={who: [[f"{what}!", {"$error": {"code": code} if code else {}}]]},
    )


SCENARIOS = [
    _decided(scenario)
    for scenario in (
        *[_row(server, "listen", "1.2.4, 1.3", arguments) for arguments in LISTEN],
        *[_row(client, "connect", "2.2.2", arguments) for arguments in CONNECT],
        *[_row(actor, method, rule, row) for actor, method, rule, rows in OTHERS for row in rows],
        *[_options(client, "2.1", **options) for options in SOCKET_OPTIONS],
        *[_options(server, "1.1.2", **options) for options in SERVER_OPTIONS],
        *[_created(server, "createServer", "1.1.2", value) for value in SERVERS],
        *[_created(server, "createServer", "1.1.2", {}, value) for value in ("path", 0, None)],
        *[
            _created(client, "connect", "2.2.2", *row)
            for row in ((), (-1,), ({},), ({"port": None},), (True,))
        ],
        *_functions(),
    )
]
