"""Plays scenarios (see language.py) on uvnet.  play.js is the same program for Node; the two must agree."""

from __future__ import annotations

import asyncio
import contextlib
import math
import os
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import uvloop

import uvnet
import uvnet.tls
from oracle.given import Arguments, Env
from oracle.language import LIMIT, SETTLE, TURNS, Case, Step
from oracle.supplies import Supplies
from oracle.translation import camel, plain_error, snake

__all__ = ["Play", "play"]

def play(case: Case, directory: Path) -> dict[str, Any]:
    """Play one case on a loop of its own; returns its trace as play.js does."""
    supplies = Supplies(directory)
    try:
        one = Play(supplies.fill(case.as_json()), directory)
        played = one.play_to_the_end() if case.scenario.ends else uvloop.run(one.play())
        return {**played, "names": {**played["names"], **supplies.names}}
    finally:
        supplies.close()


class Play(Arguments):
    """One scenario being played."""

    def __init__(self, scenario: dict[str, Any], directory: Path) -> None:
        self.scenario = scenario
        self.directory = directory
        self.module: Any = uvnet.tls if scenario["tls"] else uvnet
        self.trace: list[Any] = []
        self.names: dict[str, str] = {}
        self.objects: dict[str, Any] = {}
        self.listeners: dict[str, Callable[..., None]] = {}
        self.accepted = 0
        self.open = True
        self.barriers: list[tuple[list[str], Callable[[], None]]] = []
        self.tasks: list[asyncio.Task[None]] = []
        self.timers: list[threading.Timer] = []  # those that keep nothing alive

    async def play(self) -> dict[str, Any]:
        self.done = asyncio.Event()
        self.begin()
        self.on_the_loop()
        try:
            await asyncio.wait_for(self.done.wait(), LIMIT)
        except TimeoutError:
            self.log("process", "time limit")
        self.open = False
        await self.clean_up()
        return self.played()

    def play_to_the_end(self) -> dict[str, Any]:
        """Until nothing keeps run() going."""
        uvnet.next_tick(self.on_the_loop)
        self.begin()
        self.after(LIMIT, self.too_long)
        try:
            uvnet.run()
        finally:
            for timer in self.timers:
                timer.cancel()
                timer.join()
        self.open = False
        return self.played()

    def after(self, seconds: float, action: Callable[..., None], *arguments: Any) -> None:
        """Call `action` then, on the loop, if that still runs."""

        def later() -> None:
            with contextlib.suppress(RuntimeError):  # the loop is closed
                self.loop.call_soon_threadsafe(action, *arguments)

        timer = threading.Timer(seconds, later)
        self.timers.append(timer)
        timer.start()

    def too_long(self) -> None:
        self.log("process", "time limit")
        self.loop.stop()

    def on_the_loop(self) -> None:
        self.loop = asyncio.get_running_loop()
        self.loop.set_exception_handler(self.uncaught)

    def played(self) -> dict[str, Any]:
        return {
            "name": self.scenario["name"],
            "trace": self.trace,
            "names": self.names,
            "missed": [left for left, _ in self.barriers],
            "directory": str(self.directory),
        }

    def begin(self) -> None:
        steps, until = self.scenario["steps"], self.scenario["until"]
        if until:
            self.barriers.append((list(until), lambda: self.do_finish({}, SETTLE)))
        if self.scenario["server"] is None:
            uvnet.next_tick(self.take, steps, {})
        else:
            self.do_make({}, "server", "server", self.scenario["server"])
            self.objects["server"].once("listening", lambda: self.take(steps, {}))
            self.do_serve({}, "server", {}, [])

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
        made = self.module.create_server if kind == "server" else uvnet.Socket
        self.attempt(who, "new", False, lambda: self.add(who, made(self.value(options, env, who))))

    def do_create(self, env: Env, who: str, function: str, arguments: list[Any]) -> None:
        def create() -> None:
            self.add(who, getattr(self.module, snake(function))(*self.value(arguments, env, who)))

        self.attempt(who, function, False, create)

    def add(self, who: str, thing: Any) -> None:
        self.objects[who] = thing
        if isinstance(thing, uvnet.Server):
            event = "secureConnection" if self.scenario["tls"] else "connection"
            thing.on(event, lambda socket: self.accept(who, event, socket))

    def accept(self, who: str, event: str, socket: uvnet.Socket) -> None:
        self.accepted += 1
        it = "peer" if self.accepted == 1 else f"peer{self.accepted}"
        self.objects[it] = socket
        self.log(who, event, socket)
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
            if event == "session":
                arguments = ()
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

    def do_file(self, env: Env, who: str, where: dict[str, Any]) -> None:
        try:
            mode = format(os.lstat(self.value(where, env)).st_mode & 0o7777, "o")
        except FileNotFoundError:
            mode = None
        self.log(who, "file =", mode)

    def do_put(self, env: Env, who: str, where: dict[str, Any]) -> None:
        file = Path(self.value(where, env))
        file.unlink(missing_ok=True)
        file.write_bytes(b"")

    def do_iterate(self, env: Env, who: str, steps: list[Step], leave: int) -> None:
        who = self.name(who, env)
        loop = f"{who} loop"

        async def iterate() -> None:
            chunks = 0
            try:
                async for chunk in self.objects[who]:
                    self.log(loop, "chunk", chunk)
                    self.take(steps, env)
                    chunks += 1
                    if chunks == leave:
                        break
                self.log(loop, "over")
            except Exception as error:
                self.log(loop, "raised", error)

        self.tasks.append(self.loop.create_task(iterate()))

    def do_idle(self, env: Env, milliseconds: float, steps: list[Step]) -> None:
        self.after(milliseconds / 1000, self.take, steps, env)

    def do_wait(self, env: Env, milliseconds: float, steps: list[Step]) -> None:
        self.later(milliseconds, lambda: self.take(steps, env))

    def do_when(self, env: Env, entries: list[str], steps: list[Step]) -> None:
        self.barriers.append((list(entries), lambda: self.take(steps, env)))

    def do_module(self, env: Env, function: str, arguments: list[Any]) -> None:
        self.attempt(
            "module",
            function,
            True,
            lambda: getattr(self.module, snake(function))(*self.value(arguments, env, "module")),
        )

    def do_throw(self, env: Env, text: str) -> None:
        raise RuntimeError(text)

    def do_finish(self, env: Env, settle: int) -> None:
        self.later(settle, self.done.set)
