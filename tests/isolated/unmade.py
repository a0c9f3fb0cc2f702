"""unmade.py MODULE CLASS: an object whose __init__ has not run, and one of a subclass, touched all over.

Exceptions are fine; what is tested is that the process lives.
"""

from __future__ import annotations

import gc
import importlib
import sys
from typing import Any

# Plausible arguments, by how many a method takes.
ARGUMENTS: tuple[tuple[Any, ...], ...] = (
    (), (b"chunk",), ("data", print), (1,), (None,), (print,), ("data",), (4, "127.0.0.1"), ("/nowhere", print),
    (1.0, print), (b"\n", 10), ({"port": 1},), ("data", b"x", 1), (True, 1, 2, 3),
)  # fmt: skip


def touch(thing: Any) -> int:
    """Read, set, call and delete every attribute; returns how many calls there were."""
    calls = 0
    for name in dir(type(thing)):
        if name in ("__class__", "__del__", "__init_subclass__", "__subclasshook__"):
            continue
        try:
            value = getattr(thing, name)
        except BaseException:
            continue
        if callable(value):
            for arguments in ARGUMENTS:
                calls += 1
                try:
                    result = value(*arguments)
                    if hasattr(result, "__next__") and name in ("__await__", "__iter__", "__aiter__"):
                        next(result)
                    if hasattr(result, "send"):
                        result.send(None)
                except BaseException:
                    pass
        if not name.startswith("__"):
            for given in (None, 1, "x", b"x", [], print):
                try:
                    setattr(thing, name, given)
                except BaseException:
                    pass
            try:
                delattr(thing, name)
            except BaseException:
                pass
    for operation in (repr, str, hash, len, iter, bool, list):
        try:
            operation(thing)
        except BaseException:
            pass
    return calls


def main(module: str, name: str) -> None:
    kind = getattr(importlib.import_module(module), name)
    calls = 0
    made = 0
    kinds = [kind]
    try:
        kinds.append(type("Sub", (kind,), {"__init__": lambda self: None}))
    except TypeError:
        # A final type.
        pass
    for each in kinds:
        for arguments in ((), (b"x",), ("x", print), (None,), ({},), (None, None, None)):
            try:
                thing = each.__new__(each, *arguments)
            except (TypeError, ValueError):
                continue
            made += 1
            calls += touch(thing)
            del thing
            gc.collect()
    print("made" if made else "cannot be made", "and touched" if calls else "")


main(*sys.argv[1:])
