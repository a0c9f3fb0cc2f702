"""Plays scenarios (see language.py) on uvnet.  play.js is the same program for Node; the two must agree."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import uvloop

import uvnet
from oracle.language import LIMIT, SETTLE, TURNS, Case, Step
from oracle.translation import camel, plain_error, snake

__all__ = ["Play", "play"]

Env = dict[str, str]


def play(case: Case, directory: Path) -> dict[str, Any]:
    """Play one case on a loop of its own; returns its trace as play.js does."""
    return uvloop.run(Play(case.as_json(), directory).play())


class Play:
    """One scenario being played."""

    def __init__(self, scenario: dict[str, Any], directory: Path) -> None:
        self.scenario = scenario
        self.directory = directory
        self.trace: list[Any] = []
        self.names: dict[str, str] = {}
        self.objects: dict[str, Any] = {}
        self.listeners: dict[str, Callable[..., None]] = {}
        self.accepted = 0
        self.open = True
        self.barriers: list[tuple[list[str], Callable[[], None]]] = []

    async def play(self) -> dict[str, Any]:
        self.loop = asyncio.get_running_loop()
        self.loop.set_exception_handler(self.uncaught)
        self.done = asyncio.Event()
        steps, until = self.scenario["steps"], self.scenario["until"]
        if until:
            self.barriers.append((list(until), lambda: self.do_finish({}, SETTLE)))
        if self.scenario["server"] is None:
            uvnet.next_tick(self.take, steps, {})
        else:
            self.do_make({}, "server", "server", self.scenario["server"])
            self.objects["server"].once("listening", lambda: self.take(steps, {}))
            self.do_serve({}, "server", {}, [])
        try:
            await asyncio.wait_for(self.done.wait(), LIMIT)
        except TimeoutError:
            self.log("process", "time limit")
        self.open = False
        await self.clean_up()
        return {
            "name": self.scenario["name"],
            "trace": self.trace,
            "names": self.names,
            "missed": [left for left, _ in self.barriers],
            "directory": str(self.directory),
        }

    async def clean_up(self) -> None:
        for thing in self.objects.values():
            thing.on("error", lambda error: None)
            if isinstance(thing, uvnet.Socket):
                thing.destroy()
            else:
                thing.close()
        await asyncio.sleep(0)

    def uncaught(self, _loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        self.log("process", "uncaught", context.get("exception"))

    # The trace.

    def log(self, who: str, what: str, *values: Any) -> None:
        if not self.open:
            return
        self.learn_ports()
        self.trace.append([who, what, *(self.plain(value) for value in values)])
        self.noticed(f"{who} {what}")

    def learn_ports(self) -> None:
        for name, thing in self.objects.items():
            port = None
            if isinstance(thing, uvnet.Server):
                port = getattr(thing.address(), "port", None)
            elif not thing.connecting and not thing.destroyed:
                port = thing.local_port
            if port is not None:
                self.names.setdefault(str(port), name)

    def plain(self, value: Any) -> Any:
        if value is None or isinstance(value, bool | int | str):
            return value
        if isinstance(value, float):
            return value if math.isfinite(value) else {math.inf: "Infinity"}.get(value, str(value))
        if isinstance(value, bytes):
            return {"$bytes": value.decode("latin1")}
        if isinstance(value, BaseException):
            return {"$error": plain_error(value)}
        for name, thing in self.objects.items():
            if thing is value:
                return f"<{name}>"
        if isinstance(value, uvnet.Socket | uvnet.Server):
            return "<somebody>"
        if isinstance(value, uvnet.Address):
            value = value._asdict()
        if isinstance(value, Mapping):
            return {camel(key): self.plain(item) for key, item in value.items()}
        if isinstance(value, list | tuple):
            return [self.plain(item) for item in value]
        return "<function>" if callable(value) else repr(value)

    # Entries that are waited for.

    def noticed(self, entry: str) -> None:
        for barrier in list(self.barriers):
            left, action = barrier
            if entry not in left:
                continue
            left.remove(entry)
            if not left:
                self.barriers.remove(barrier)
                self.later(1, action)

    def later(self, milliseconds: float, action: Callable[[], None]) -> None:
        def turn(left: int) -> None:
            if left:
                self.loop.call_soon(turn, left - 1)
            else:
                action()

        self.loop.call_later(milliseconds / 1000, turn, TURNS)

    # Arguments.

    def value(self, given: Any, env: Env, who: str = "") -> Any:
        if isinstance(given, list):
            return [self.value(item, env, who) for item in given]
        if not isinstance(given, dict):
            return given
        kind = given.get("$")
        if kind is None:
            return {snake(key): self.value(item, env, who) for key, item in given.items()}
        if kind == "callback":
            return self.callback(given, env, who)
        if kind == "time":
            return given["value"] / 1000
        if kind == "bytes":
            return (given["text"] * given["times"]).encode("latin1")
        if kind == "object":
            return self.objects[self.name(given["who"], env)]
        if kind == "port":
            return self.objects[given["who"]].address().port
        if kind == "path":
            return given["prefix"] + str(self.directory / given["name"])
        if kind == "error":
            return RuntimeError(given["text"])
        if kind == "number":
            return float(given["text"].lower())
        if kind == "lookup":
            return self.lookup(given, env, who)
        if kind == "onread":
            return self.onread(given, env, who)
        raise LookupError(f"no such argument: {kind}")

    def callback(self, given: dict[str, Any], env: Env, who: str) -> Callable[..., None]:
        def called(*arguments: Any) -> None:
            # DESIGN.md section 2: what Node calls without an argument gets None.
            while arguments and arguments[-1] is None:
                arguments = arguments[:-1]
            self.log(given["side"] or who, given["label"], *arguments)
            self.take(given["steps"], env)

        return called

    def lookup(self, given: dict[str, Any], env: Env, who: str) -> Callable[..., None]:
        def look_up(host: str, query: dict[str, Any], callback: Callable[..., None]) -> None:
            self.log(who, "lookup()", host, query["family"] or 0, bool(query["all"]))
            self.take(given["steps"], env)

            def respond() -> None:
                if not given["fails"]:
                    callback(None, *given["answer"])
                    return
                error = OSError(0, f"getaddrinfo {given['fails']} {host}")
                error.code = given["fails"]  # type: ignore[attr-defined]
                error.syscall = "getaddrinfo"  # type: ignore[attr-defined]
                error.hostname = host  # type: ignore[attr-defined]
                callback(error)

            if given["how"] == "sync":
                respond()
            elif given["how"] == "tick":
                uvnet.next_tick(respond)
            elif given["how"] == "wait":
                self.loop.call_later(0.005, respond)

        return look_up

    def onread(self, given: dict[str, Any], env: Env, who: str) -> dict[str, Any]:
        def callback(count: int, buffer: bytearray) -> bool:
            self.log(who, "onread", count, bytes(buffer[:count]))
            self.take(given["steps"], env)
            return bool(given["goOn"])

        return {"buffer": bytearray(given["size"]), "callback": callback}

    def name(self, who: str, env: Env) -> str:
        return env["it"] if who == "it" else who

    # Steps.

    def take(self, steps: list[Step], env: Env) -> None:
        for word, *arguments in steps:
            if not self.open:
                return
            getattr(self, f"do_{word}")(env, *arguments)

    def attempt(self, who: str, what: str, show: bool, action: Callable[[], Any]) -> None:
        try:
            result = action()
        except Exception as error:
            self.log(who, f"{what}!", error)
            return
        if show:
            self.log(who, f"{what} =", result)

    def do_make(self, env: Env, who: str, kind: str, options: dict[str, Any]) -> None:
        made = uvnet.create_server if kind == "server" else uvnet.Socket
        self.attempt(who, "new", False, lambda: self.add(who, made(self.value(options, env, who))))

    def do_create(self, env: Env, who: str, function: str, arguments: list[Any]) -> None:
        def create() -> None:
            self.add(who, getattr(uvnet, snake(function))(*self.value(arguments, env, who)))

        self.attempt(who, function, False, create)

    def add(self, who: str, thing: Any) -> None:
        self.objects[who] = thing
        if isinstance(thing, uvnet.Server):
            thing.on("connection", lambda socket: self.accept(who, socket))

    def accept(self, who: str, socket: uvnet.Socket) -> None:
        self.accepted += 1
        it = "peer" if self.accepted == 1 else f"peer{self.accepted}"
        self.objects[it] = socket
        self.log(who, "connection", socket)
        self.take(self.scenario["accept"], {"it": it})

    def do_dial(
        self, env: Env, who: str, to: str, options: dict[str, Any], more: list[Any]
    ) -> None:
        address = None if to == "nobody" else self.objects[to].address()
        where: dict[str, Any]
        if address is None and self.scenario["transport"] == "tcp":
            where = {"port": 1, "host": "127.0.0.1"}
        elif isinstance(address, uvnet.Address):
            where = {"port": address.port, "host": "127.0.0.1"}
        else:
            where = {"path": address or str(self.directory / "nobody")}
        given = {**where, **self.value(options, env, who)}
        rest = self.value(more, env, who)
        self.attempt(who, "connect", False, lambda: self.objects[who].connect(given, *rest))

    def do_serve(self, env: Env, who: str, options: dict[str, Any], more: list[Any]) -> None:
        tcp = self.scenario["transport"] == "tcp"
        where = {"port": 0, "host": "127.0.0.1"} if tcp else {"path": str(self.directory / who)}
        given = {**where, **self.value(options, env, who)}
        rest = self.value(more, env, who)
        self.attempt(who, "listen", False, lambda: self.objects[who].listen(given, *rest))

    def do_call(self, env: Env, who: str, method: str, arguments: list[Any], show: bool) -> None:
        who = self.name(who, env)

        def call() -> Any:
            named = [
                given
                for given in arguments
                if isinstance(given, dict) and given.get("$") == "options"
            ]
            positional = [self.value(given, env, who) for given in arguments if given not in named]
            keywords = self.value(named[0]["value"], env, who) if named else {}
            return getattr(self.objects[who], snake(method))(*positional, **keywords)

        self.attempt(who, method, show, call)

    def do_get(self, env: Env, who: str, properties: list[str], label: str) -> None:
        who = self.name(who, env)
        thing = self.objects[who]
        found = {name: getattr(thing, snake(name)) for name in properties}
        if found.get("timeout") is not None:
            found["timeout"] = round(found["timeout"] * 1000)  # seconds here, milliseconds in Node
        self.log(who, label, {name: self.plain(value) for name, value in found.items()})

    def do_set(self, env: Env, who: str, name: str, value: Any) -> None:
        who = self.name(who, env)
        setattr(self.objects[who], snake(name), self.value(value, env, who))

    def do_watch(self, env: Env, who: str, events: list[str]) -> None:
        for event in events:
            self.do_on(env, who, event, [], event, "on")

    def do_on(
        self, env: Env, who: str, event: str, steps: list[Step], label: str, how: str
    ) -> None:
        who = self.name(who, env)

        def listener(*arguments: Any) -> None:
            if event == "drop":
                # Node gives no reason, and no argument where there are no addresses.
                addresses = {
                    key: value for key, value in arguments[0].items() if key != "reason"
                }
                arguments = (addresses,) if addresses else ()
            self.log(who, label, *arguments)
            self.take(steps, env)

        self.listeners[f"{who} {event} {label}"] = listener
        getattr(self.objects[who], snake(how))(event, listener)

    def do_off(self, env: Env, who: str, event: str, label: str) -> None:
        who = self.name(who, env)
        self.objects[who].remove_listener(event, self.listeners[f"{who} {event} {label}"])

    def do_tick(self, env: Env, who: str, label: str, steps: list[Step]) -> None:
        who = self.name(who, env)

        def ticked() -> None:
            self.log(who, label)
            self.take(steps, env)

        uvnet.next_tick(ticked)

    def do_mark(self, env: Env, who: str, label: str) -> None:
        self.log(self.name(who, env), label)

    def do_wait(self, env: Env, milliseconds: float, steps: list[Step]) -> None:
        self.later(milliseconds, lambda: self.take(steps, env))

    def do_when(self, env: Env, entries: list[str], steps: list[Step]) -> None:
        self.barriers.append((list(entries), lambda: self.take(steps, env)))

    def do_module(self, env: Env, function: str, arguments: list[Any]) -> None:
        self.attempt(
            "module",
            function,
            True,
            lambda: getattr(uvnet, snake(function))(*self.value(arguments, env, "module")),
        )

    def do_throw(self, env: Env, text: str) -> None:
        raise RuntimeError(text)

    def do_finish(self, env: Env, settle: int) -> None:
        self.later(settle, self.done.set)
