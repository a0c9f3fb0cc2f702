"""Stubs and the program that uses every public name are complete.  What they say is for type checkers (`make types`)."""

from __future__ import annotations

import ast
import importlib
import inspect
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from places import TESTS

import uvnet
import uvnet.tls
from uvnet._extension import MODULES

TYPING = TESTS / "typing"
PACKAGE = Path(uvnet.__file__).parent
PROGRAM = (TYPING / "use_everything.py").read_text()
PUBLIC = {
    f"{module.__name__}.{name}": getattr(module, name) for module in (uvnet, uvnet.tls) for name in module.__all__
}
CLASSES = {name: found for name, found in PUBLIC.items() if inspect.isclass(found)}


@pytest.mark.parametrize("name", PUBLIC)
def test_every_public_name_is_used(name: str) -> None:
    assert re.search(rf"\b{re.escape(name)}\b", PROGRAM), f"use {name} in use_everything.py"


@pytest.mark.parametrize("kind", CLASSES.values(), ids=CLASSES)
def test_every_public_attribute_is_used(kind: type) -> None:
    ours = [base for base in kind.__mro__ if base.__module__.startswith("uvnet")]
    names = {name for base in ours for name in vars(base) if not name.startswith("_")}
    missing = {name for name in names if not re.search(rf"\.{name}\b", PROGRAM)}
    assert missing == set(), "use them in use_everything.py"


def test_every_option_is_used() -> None:
    keywords = importlib.import_module("uvnet.arguments.keywords")
    for name in keywords.__all__:
        assert re.search(rf"\b{name}\b", PROGRAM), f"use {name} in use_everything.py"
        for option in getattr(keywords, name).__annotations__:
            assert re.search(rf'"{option}"|\b{option}=', PROGRAM), f"use {name}: {option}"


def test_a_stub_beside_every_module_that_python_imports() -> None:
    """stubtest compares what stubs say; this finds the module that somebody imports and that has none."""
    stubless = set()
    for name in MODULES:
        if not PACKAGE.parent.joinpath(*name.split(".")).with_suffix(".pyi").exists():
            stubless.add(name)
    imported = set()
    for path in PACKAGE.rglob("*.py"):
        for package, names in re.findall(r"^from (uvnet[\w.]*) import ([\w, ]+)", path.read_text(), re.M):
            imported |= {package, *(f"{package}.{name}" for name in re.findall(r"\w+", names))}
    assert "uvnet._loop.alive" in imported
    assert "uvnet._loop.handle" in stubless
    assert imported & stubless == set()


def test_typed_marker_is_installed() -> None:
    assert (PACKAGE / "py.typed").is_file()


# === Docstrings in stubs, for editors ===


def _stubbed() -> Iterator[tuple[str, object, ast.AST]]:
    """What installed stubs define: its name, what it is at run time, and the first of its definitions."""
    for path in sorted(PACKAGE.rglob("*.pyi")):
        module = importlib.import_module(".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts))
        stub = ast.parse(path.read_text())
        yield module.__name__, module, stub
        yield from _members(module, stub.body)


def _members(holder: Any, body: list[ast.stmt]) -> Iterator[tuple[str, object, ast.AST]]:
    seen = set()
    for node in body:
        if isinstance(node, ast.ClassDef | ast.FunctionDef) and node.name not in seen and hasattr(holder, node.name):
            seen.add(node.name)
            found = getattr(holder, node.name)
            yield f"{holder.__name__}.{node.name}", found, node
            if isinstance(node, ast.ClassDef):
                yield from _members(found, node.body)


def test_stubs_have_the_docstrings_of_the_modules() -> None:
    count = 0
    for name, found, node in _stubbed():
        assert isinstance(node, ast.ClassDef | ast.FunctionDef | ast.Module)
        text = ast.get_docstring(node)
        count += text is not None
        if text is None and re.search(r"\.__\w+__$", name):
            continue  # Python has something to say of those itself
        of_its_own = vars(found).get("__doc__") if inspect.isclass(found) else found.__doc__
        assert (text or "") == inspect.cleandoc(of_its_own or ""), name
    assert count > 200


@pytest.mark.parametrize("kind", CLASSES.values(), ids=CLASSES)
def test_every_public_member_shows_something(kind: type) -> None:
    """In the first stub of its bases that has it."""
    if issubclass(kind, tuple | int | dict | Exception):
        return  # written in Python
    documented = {name.rpartition(".")[2] for name, _, node in _stubbed() if _has_docstring(node)}
    names = {name for name in dir(kind) if not name.startswith("_") and callable(getattr(kind, name))}
    assert names - documented == set()


def _has_docstring(node: ast.AST) -> bool:
    return isinstance(node, ast.FunctionDef) and ast.get_docstring(node) is not None
