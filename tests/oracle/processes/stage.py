"""What the programs of uvnet share; stage.js is the same for Node."""

from __future__ import annotations

import asyncio
import errno
import json
import os
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import uvnet
from uvnet import cluster

__all__ = ["after", "all_of", "code", "message", "place", "plain", "play", "scenario", "trace", "turn", "watch"]

scenario, *_rest = sys.argv[1:]
_role = _rest[0] if _rest else ""
_who = _role or (f"worker {cluster.worker.id}" if cluster.worker is not None else "primary")
_directory = Path(os.environ["TRACES"])
_file = _directory / _who


def trace(*words: Any) -> None:
    """One line of the trace of this process."""
    with _file.open("a") as file:
        file.write(json.dumps(words) + "\n")


def code(error: BaseException) -> Any:
    """What Node has as error.code."""
    return errno.errorcode[error.errno] if isinstance(error, OSError) and error.errno else getattr(error, "code", None)


def message(error: BaseException) -> str:
    return error.strerror if isinstance(error, OSError) else str(error)


def plain(error: BaseException | None) -> Any:
    """An error, or None."""
    return None if error is None else [code(error), message(error)]


def watch(name: str, emitter: Any, **events: Callable[..., Iterable[Any]]) -> None:
    """Trace the events of an emitter: `events` are functions of the arguments, which give the words."""
    for event, words in events.items():
        emitter.on(event, lambda *given, event=event, words=words: trace(name, event, *words(*given)))


def all_of(words: Iterable[Any], callback: Callable[[], object]) -> Callable[[Any], None]:
    """Call back once all have been said."""
    missing = set(words)

    def said(word: Any) -> None:
        missing.discard(word)
        if not missing:
            callback()

    return said


def after(seconds: float, callback: Callable[[], object]) -> None:
    """Node: setTimeout()."""
    asyncio.get_running_loop().call_later(seconds, callback)


def turn(callback: Callable[[], object]) -> None:
    """Node: setImmediate()."""
    after(0, callback)


def place(name: str) -> str:
    return str(_directory / name)


def play(scenarios: dict[str, Any]) -> None:
    """Each scenario is a class of functions, the roles."""
    role = _role or ("worker" if cluster.is_worker else "primary")
    uvnet.next_tick(getattr(scenarios["".join(map(str.capitalize, scenario.split()))], role))
    uvnet.run()
