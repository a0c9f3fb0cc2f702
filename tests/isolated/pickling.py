"""Every extension type of uvnet, and a subclass of each, says by its name that it cannot be pickled or copied.

In a process of its own: objects are made without their __init__.
"""

from __future__ import annotations

import copy
import importlib
import pickle
from collections.abc import Callable, Iterator
from typing import Any

from modules import all_modules

import uvnet

HEAP_TYPE = 1 << 9  # classes written in Python
PICKLED = {"SocketAddress"}  # a value


def extension_types() -> Iterator[type]:
    for name in all_modules():
        # To import policies warns.
        if name.startswith(("uvnet.__main__", "uvnet._cli", "uvnet.transports.policy")):
            continue
        for value in vars(importlib.import_module(name)).values():
            # Public ones say the name of the package.
            ours = isinstance(value, type) and value.__module__ in (name, "uvnet")
            if ours and not value.__flags__ & HEAP_TYPE:
                yield value


def ways() -> Iterator[tuple[str, Callable[[Any], Any]]]:
    yield "copy", copy.copy
    yield "deepcopy", copy.deepcopy
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        yield f"protocol {protocol}", lambda value, protocol=protocol: pickle.dumps(value, protocol)


def check(kind: type) -> None:
    try:
        value = kind.__new__(kind)
    except Exception:
        # It cannot be made by Python at all.
        return
    for name, way in ways():
        try:
            way(value)
        except TypeError as error:
            assert repr(kind.__name__) in str(error) or f".{kind.__name__}'" in str(error), (kind, name, error)
        else:
            raise AssertionError(f"{kind} is pickled: {name}")


def subclass_of(kind: type) -> Iterator[type]:
    try:
        yield type(f"Own{kind.__name__}", (kind,), {})
    except TypeError:
        return  # a final one


if __name__ == "__main__":
    found = [kind for kind in extension_types() if kind.__name__ not in PICKLED]
    assert len(found) > 30, found
    for kind in found:
        print(kind, flush=True)
        check(kind)
        if kind.__name__ in uvnet.__all__:
            for own in subclass_of(kind):
                check(own)
    print("done")
