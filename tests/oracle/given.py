"""The arguments of steps, made from data: for play.py, as value() in play.js makes them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import uvnet
from oracle.language import Step
from oracle.translation import snake

__all__ = ["Arguments", "Env"]

Env = dict[str, str]


class Arguments:
    """What Play makes arguments with, from what it keeps."""

    loop: asyncio.AbstractEventLoop
    directory: Path
    objects: dict[str, Any]
    log: Callable[..., None]
    take: Callable[[list[Step], Env], None]

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
