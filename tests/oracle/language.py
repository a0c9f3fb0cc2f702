"""What scenarios are written in: data that play.js and play.py understand alike.

A scenario is a list of steps.  A step is a list of a word and its arguments, made by the methods of the
actors (`client`, `peer`, `server`, ...), so that it reads like the program it stands for:

    client.make(), client.watch(), client.dial(), client.on("connect", client.end("abc"))

Names are Node's (camelCase); play.py turns them into uvnet's.  Whatever happens is an entry of the trace,
`[who, what, *values]`.  Nothing may depend on how long something takes.

Steps begin with the scenario's server listening (unless it has none), inside its 'listening' listener.
Sockets it accepts are called "peer", "peer2", ...; the steps of `accept` run in its 'connection' listener,
where `it` is the new socket.  The scenario ends shortly after every entry of `until` has come, or after
finish(); one that does not end within LIMIT is an error on whichever side it happens.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

__all__ = [
    "FLOW",
    "LIMIT",
    "LINES",
    "SETTLE",
    "STATE",
    "Actor",
    "Case",
    "Scenario",
    "TURNS",
    "ServerActor",
    "cb",
    "cases",
    "client",
    "client2",
    "data",
    "descriptor",
    "error",
    "fill",
    "finish",
    "idle",
    "it",
    "lookup",
    "module",
    "ms",
    "number",
    "onread",
    "options",
    "path",
    "peer",
    "peer2",
    "pem",
    "port_of",
    "server",
    "server2",
    "show",
    "silent_port",
    "spaced",
    "the",
    "throw",
    "wait",
    "when",
]

# Of Node.js: what the first does, later versions do too, until the next one.  Scenarios are written for all of them.
LINES = (20, 24)
LIMIT = 5.0  # seconds one scenario may take
SETTLE = 10  # milliseconds in which something that should not happen any more would be noticed
TURNS = 5  # of the loop, that a wait takes at least

Step = list[Any]

STATE = ("connecting", "pending", "readyState", "readable", "writable", "destroyed")
FLOW = ("readableFlowing", "readableLength", "readableEnded")

_SOCKET_EVENTS = (
    "connect", "ready", "end", "prefinish", "drain", "finish", "timeout", "error", "close",
)  # fmt: skip
_SERVER_EVENTS = ("listening", "drop", "error", "close")


class Actor:
    """A socket, by name.  A method that is not one of these stands for the method of the socket."""

    events: tuple[str, ...] = _SOCKET_EVENTS

    def __init__(self, name: str) -> None:
        self._name = name

    def __getattr__(self, method: str) -> Callable[..., Step]:
        """Call the method; an exception is logged as "<method>!"."""
        if method.startswith("_"):
            raise AttributeError(method)
        return lambda *arguments: ["call", self._name, method, list(arguments), False]

    def make(self, **options: Any) -> Step:
        """A new object of this name."""
        return ["make", self._name, "socket", options]

    def create(self, function: str, *arguments: Any) -> Step:
        """A new object of this name, by a function of the module."""
        return ["create", self._name, function, list(arguments)]

    def dial(self, *more: Any, to: str = "server", **options: Any) -> Step:
        """connect() to where a server listens, or to "nobody"."""
        return ["dial", self._name, to, options, list(more)]

    def watch(self, *more: str) -> Step:
        """Log the usual events, and `more`."""
        return ["watch", self._name, [*self.events, *more]]

    def on(self, event: str, *steps: Step, label: str = "", how: str = "on") -> Step:
        """Add a listener that logs `label` (the event's name) and takes steps; how="once", "prependListener"..."""
        return ["on", self._name, event, list(steps), label or event, how]

    def once(self, event: str, *steps: Step, label: str = "") -> Step:
        return self.on(event, *steps, label=label, how="once")

    def off(self, event: str, label: str = "") -> Step:
        """Remove the listener of that label."""
        return ["off", self._name, event, label or event]

    def get(self, *properties: str, label: str = "state") -> Step:
        """Log properties."""
        return ["get", self._name, list(properties), label]

    def set(self, name: str, value: Any) -> Step:
        """Set a property."""
        return ["set", self._name, name, value]

    def tick(self, label: str, *steps: Step) -> Step:
        """On the next tick log the label and take steps."""
        return ["tick", self._name, label, list(steps)]

    def mark(self, label: str) -> Step:
        """Log the label."""
        return ["mark", self._name, label]

    def iterate(self, *steps: Step, leave: int = 0) -> Step:
        """Iterate over its chunks; "<name> loop" logs each, takes steps, and says how it ended.

        With `leave` the loop is left after that many chunks.
        """
        return ["iterate", self._name, list(steps), leave]


    def secure(self, **options: Any) -> Step:
        """tls.connect() to where "server" listens, in a scenario with TLS."""
        where = {"host": "127.0.0.1", "port": {"$": "port", "who": "server"}, "servername": "localhost"}
        return self.create("connect", {**where, **options})


class ServerActor(Actor):
    """A server, by name."""

    events = _SERVER_EVENTS

    def make(self, **options: Any) -> Step:
        return ["make", self._name, "server", options]

    def serve(self, *more: Any, **options: Any) -> Step:
        """listen() where the scenario's transport says."""
        return ["serve", self._name, options, list(more)]

    def file(self, where: dict[str, Any]) -> Step:
        """Log the mode of the file at a path, or nothing."""
        return ["file", self._name, where]

    def put(self, where: dict[str, Any]) -> Step:
        """Put an ordinary file at a path, in the place of what is there."""
        return ["put", self._name, where]


client, client2 = Actor("client"), Actor("client2")
peer, peer2 = Actor("peer"), Actor("peer2")
it = Actor("it")
server, server2 = ServerActor("server"), ServerActor("server2")


# Steps that belong to nobody.


def show(step: Step) -> Step:
    """Log what a call returns, as "<method> =" and the value."""
    assert step[0] == "call"
    return [*step[:4], True]


def wait(milliseconds: int, *steps: Step) -> Step:
    """Take steps later, outside every callback of a socket, and after TURNS turns of the loop without an end.

    So whatever is ready has been dealt with by then, however slow the machine is.
    """
    return ["wait", milliseconds, list(steps)]


def idle(milliseconds: int, *steps: Step) -> Step:
    """Take steps later, if something else keeps the process alive until then."""
    return ["idle", milliseconds, list(steps)]


def spaced(first: Step, *others: Step) -> list[Step]:
    """Take steps one by one, with a pause between them in which what each has sent arrives."""
    return [first, wait(10, *spaced(*others))] if others else [first]


def when(entries: list[str], *steps: Step) -> Step:
    """As wait(), once every one of these entries ("client close") has come from now on."""
    return ["when", entries, list(steps)]


def throw(text: str) -> Step:
    """Raise an exception."""
    return ["throw", text]


def module(function: str, *arguments: Any) -> Step:
    """Call a function of the module, and log what it returns, for "module"."""
    return ["module", function, list(arguments)]


def finish(settle: int = SETTLE) -> Step:
    """The scenario ends here, when that many milliseconds have passed."""
    return ["finish", settle]


# Arguments that JSON cannot say.


def cb(label: str, *steps: Step, side: str = "") -> dict[str, Any]:
    """A callback that logs the label and its arguments, for whom it is given to, and takes steps."""
    return {"$": "callback", "label": label, "steps": list(steps), "side": side}


def ms(milliseconds: float) -> dict[str, Any]:
    """A time."""
    return {"$": "time", "value": milliseconds}


def data(text: str) -> dict[str, Any]:
    """Bytes, written as latin1."""
    return {"$": "bytes", "text": text, "times": 1}


def fill(text: str, times: int) -> dict[str, Any]:
    """Many bytes, written as latin1."""
    return {"$": "bytes", "text": text, "times": times}


def the(actor: Actor) -> dict[str, Any]:
    """The object itself."""
    return {"$": "object", "who": actor._name}


def port_of(actor: ServerActor) -> dict[str, Any]:
    """The port a server listens on."""
    return {"$": "port", "who": actor._name}


def path(name: str = "socket", prefix: str = "") -> dict[str, Any]:
    """A path in a directory of the scenario's own."""
    return {"$": "path", "name": name, "prefix": prefix}


def descriptor(kind: str) -> dict[str, Any]:
    """An open descriptor: "tcp bound", "tcp listening", "unix bound", "udp bound", "file"; or one that is "closed".

    A bound Unix socket is at path("given").
    """
    return {"$": "descriptor", "kind": kind}


def pem(name: str) -> dict[str, Any]:
    """A certificate with its key: of the "authority", what it has signed for localhost as "server", "client" and
    "expired", or the "other", which has signed itself.
    """
    return {"$": "pem", "name": name}


def silent_port() -> dict[str, Any]:
    """A free port of 127.0.0.1; a connection to it at 127.0.0.2 or 127.0.0.3 gets no answer."""
    return {"$": "silent"}


def error(text: str = "boom") -> dict[str, Any]:
    """An exception."""
    return {"$": "error", "text": text}


def number(text: str) -> dict[str, Any]:
    """NaN, Infinity or -Infinity."""
    return {"$": "number", "text": text}


def options(**given: Any) -> dict[str, Any]:
    """An options object in Node, keyword arguments in Python (a plain dict is one argument in both)."""
    return {"$": "options", "value": given}


def lookup(
    *answer: Any, fails: str = "", how: str = "sync", steps: list[Step] | None = None
) -> dict[str, Any]:
    """A `lookup` function that logs its arguments, takes steps and answers: with arguments, or an error.

    `how` is "sync", "tick", "wait" (from a timer) or "never".
    """
    return {"$": "lookup", "answer": list(answer), "fails": fails, "how": how, "steps": steps or []}


def onread(size: int, *steps: Step, go_on: bool = True) -> dict[str, Any]:
    """The option `onread`, with a buffer of that size; the callback logs what is read and takes steps."""
    return {"$": "onread", "size": size, "steps": list(steps), "goOn": go_on}


BOTH = ("tcp", "unix")


@dataclass(frozen=True)
class Scenario:
    """One program, and where uvnet differs from Node on purpose: the decision and what uvnet does instead.

    `differs` maps whose trace differs to the whole trace of uvnet.  `without` names actors whose traces depend on
    the kernel, and `together` groups of actors whose common order does not.  `differs_from` are the lines of Node
    that do something else than uvnet: the newer one, where Node has gone another way; the older one, where it has
    come to do the same.

    With `tls` servers, what create() makes and the functions of the module are those of Node's `tls`; `accept` begins at
    'secureConnection'.
    With `ends` the scenario ends when nothing keeps its process alive any more, and not before.
    """

    name: str
    rule: str
    steps: list[Step]
    until: list[str] = field(default_factory=list)
    accept: list[Step] = field(default_factory=lambda: [it.watch()])
    server: dict[str, Any] | None = field(default_factory=dict)
    transports: tuple[str, ...] = BOTH
    together: tuple[tuple[str, ...], ...] = ()
    without: tuple[str, ...] = ()
    ends: bool = False
    tls: bool = False
    decision: str = ""
    differs: dict[str, Any] = field(default_factory=dict)
    differs_from: tuple[int, ...] = LINES


@dataclass(frozen=True)
class Case:
    """A scenario over one transport."""

    scenario: Scenario
    transport: str

    @property
    def name(self) -> str:
        return f"{self.scenario.name} [{self.transport}]"

    def as_json(self) -> dict[str, Any]:
        """What the players need."""
        scenario = self.scenario
        return {
            "name": self.name,
            "transport": self.transport,
            "server": scenario.server,
            "accept": scenario.accept,
            "steps": scenario.steps,
            "until": scenario.until,
            "ends": scenario.ends,
            "tls": scenario.tls,
        }


def cases(*groups: list[Scenario]) -> list[Case]:
    """Every scenario over each of its transports."""
    found = [
        Case(scenario, kind)
        for group in groups
        for scenario in group
        for kind in scenario.transports
    ]
    names = [case.name for case in found]
    twice = {name for name in names if names.count(name) > 1}
    assert not twice, f"scenarios of one name: {sorted(twice)}"
    return found
