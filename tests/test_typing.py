"""Stubs and the program that uses every public name are complete.  What they say is for type checkers (`make types`)."""

from __future__ import annotations

import importlib
import inspect
import re
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path

import pytest

import uvnet

TYPING = Path(__file__).parent / "typing"
PACKAGE = Path(uvnet.__file__).parent
PROGRAM = (TYPING / "use_everything.py").read_text()
CLASSES = [getattr(uvnet, name) for name in uvnet.__all__ if inspect.isclass(getattr(uvnet, name))]


@pytest.mark.parametrize("name", uvnet.__all__)
def test_every_public_name_is_used(name: str) -> None:
    assert re.search(rf"\buvnet\.{name}\b", PROGRAM), f"use uvnet.{name} in use_everything.py"


@pytest.mark.parametrize("kind", CLASSES, ids=lambda kind: kind.__name__)
def test_every_public_attribute_is_used(kind: type) -> None:
    ours = [base for base in kind.__mro__ if base.__module__.startswith("uvnet")]
    names = {name for base in ours for name in vars(base) if not name.startswith("_")}
    missing = {name for name in names if not re.search(rf"\.{name}\b", PROGRAM)}
    assert missing == set(), "use them in use_everything.py"


def test_every_option_is_used() -> None:
    keywords = importlib.import_module("uvnet.keywords")
    for name in keywords.__all__:
        assert re.search(rf"\b{name}\b", PROGRAM), f"use {name} in use_everything.py"
        for option in getattr(keywords, name).__annotations__:
            assert re.search(rf'"{option}"|\b{option}=', PROGRAM), f"use {name}: {option}"


def test_a_stub_beside_every_module_that_python_imports() -> None:
    """stubtest compares what stubs say; this finds the module that somebody imports and that has none."""
    stubless = set()
    for path in PACKAGE.rglob(f"*{EXTENSION_SUFFIXES[0]}"):
        stub = path.with_name(path.name.split(".")[0] + ".pyi")
        if not stub.exists():
            stubless.add(".".join(stub.relative_to(PACKAGE.parent).with_suffix("").parts))
    imported = set()
    for path in PACKAGE.rglob("*.py"):
        for package, names in re.findall(r"^from (uvnet[\w.]*) import ([\w, ]+)", path.read_text(), re.M):
            imported |= {package, *(f"{package}.{name}" for name in re.findall(r"\w+", names))}
    assert "uvnet._core.alive" in imported
    assert "uvnet._core.handle" in stubless
    assert imported & stubless == set()


def test_typed_marker_is_installed() -> None:
    assert (PACKAGE / "py.typed").is_file()
