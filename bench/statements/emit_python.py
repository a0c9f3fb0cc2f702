"""Times an event emitter of Python and prints nanoseconds per statement as one JSON object.

usage: emit_python.py uvnet|pyee|call SECONDS_PER_CASE

`call` is no emitter: it calls the listener directly, which is what no emitter can undercut.
"""

from __future__ import annotations

import importlib
import json
import sys
from collections.abc import Callable
from typing import Any

from timing import nanoseconds

CHUNK = b"x" * 1024


def listener(chunk: bytes) -> None:
    pass


def emitter_cases(emitter_class: Callable[[], Any]) -> dict[str, tuple[str, dict[str, Any]]]:
    """The statement of each case and the names it uses."""

    def with_listeners(event: str, count: int) -> dict[str, Any]:
        emitter = emitter_class()
        for _ in range(count):
            # A new function each time: pyee keeps one entry for a listener added twice.
            emitter.on(event, lambda chunk: None)
        return {"emit": emitter.emit, "chunk": CHUNK}

    changing = emitter_class()
    changing_names = {
        "emit": changing.emit,
        "on": changing.on,
        "once": changing.once,
        "remove": changing.remove_listener,
        "listener": listener,
        "chunk": CHUNK,
    }
    return {
        "one_listener": ("emit('data', chunk)", with_listeners("data", 1)),
        "one_listener_own_name": ("emit('tick', chunk)", with_listeners("tick", 1)),
        "three_listeners": ("emit('data', chunk)", with_listeners("data", 3)),
        "no_listener": ("emit('data', chunk)", with_listeners("data", 0)),
        "once_and_emit": ("once('data', listener); emit('data', chunk)", changing_names),
        "on_and_remove": ("on('data', listener); remove('data', listener)", changing_names),
    }


def direct_cases() -> dict[str, tuple[str, dict[str, Any]]]:
    names = {"listener": listener, "chunk": CHUNK}
    return {
        "one_listener": ("listener(chunk)", names),
        "three_listeners": ("listener(chunk); listener(chunk); listener(chunk)", names),
    }


def main() -> None:
    kind, seconds = sys.argv[1], float(sys.argv[2])
    if kind == "call":
        cases = direct_cases()
    else:
        cases = emitter_cases(importlib.import_module(kind).EventEmitter)
    print(json.dumps({name: nanoseconds(*case, seconds) for name, case in cases.items()}))


main()
