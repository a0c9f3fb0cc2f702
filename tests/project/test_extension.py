"""All extension modules are in one file, and modules as others are."""

from __future__ import annotations

import importlib
import importlib.util
import subprocess
import sys
from importlib.machinery import ModuleSpec
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from wheels.contents import modules

from uvnet._extension import MODULES

FIRST = """
import importlib, sys
assert importlib.import_module(sys.argv[1]) is sys.modules[sys.argv[1]]
"""


def test_all_modules_are_in_one() -> None:
    assert {*MODULES, "uvnet._extension"} == modules()


def test_they_are_modules_as_others() -> None:
    module = importlib.import_module("uvnet.socket.socket")
    spec = module.__spec__
    assert spec is not None
    assert spec.has_location and spec.origin == module.__file__ == importlib.import_module("uvnet._extension").__file__
    assert (module.__name__, module.__package__) == ("uvnet.socket.socket", "uvnet.socket")
    assert importlib.util.find_spec("uvnet.socket.socket") is not None
    assert importlib.import_module("uvnet.socket").socket is module  # type: ignore[attr-defined]
    with pytest.raises(ModuleNotFoundError, match=r"No module named 'uvnet\.socket\.nothing'"):
        importlib.import_module("uvnet.socket.nothing")


def test_any_may_be_the_first() -> None:
    """Whichever is imported first finds what it needs."""
    for name in ("uvnet._uv.table", "uvnet._stream.stream", "uvnet.streams.lines", "uvnet.quic.quic_stream"):
        subprocess.run([sys.executable, "-W", "error", "-c", FIRST, name], check=True, timeout=60)


def our_loader() -> Any:
    (loader,) = (each for each in sys.meta_path if type(each).__module__ == "uvnet._extension")
    return loader


@pytest.mark.parametrize("spec", [None, 1, SimpleNamespace(name="os"), ModuleSpec("uvnet.nothing", None)])
def test_what_is_not_there_cannot_be_made(spec: Any) -> None:
    loader = our_loader()
    assert loader.find_spec("uvnet.nothing") is None
    with pytest.raises((AttributeError, LookupError)):
        loader.create_module(spec)
    module: Any = ModuleType("uvnet.nothing")
    module.__spec__ = spec
    with pytest.raises((AttributeError, LookupError)):
        loader.exec_module(module)


def test_none_is_made_twice() -> None:
    again = ModuleType("uvnet._loop.loop")
    again.__spec__ = importlib.import_module("uvnet._loop.loop").__spec__
    with pytest.raises(RuntimeError, match="already been imported"):
        our_loader().exec_module(again)
