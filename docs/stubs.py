"""A Sphinx extension: the types of compiled modules, which stand in their stubs alone.

Methods get the signature of the stub, and a field "Other forms" for further overloads; properties and attributes a
field "Type".
"""

from __future__ import annotations

import ast
import copy
import functools
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import uvnet

PACKAGE = Path(uvnet.__file__).parent


@functools.cache
def _statements(module: str) -> tuple[ast.stmt, ...]:
    """Those of a module's stub; none where it has no stub."""
    place = PACKAGE.joinpath(*module.split(".")[1:])
    stub = place / "__init__.pyi" if place.is_dir() else place.with_suffix(".pyi")
    return tuple(ast.parse(stub.read_text()).body) if stub.exists() else ()


@functools.cache
def _home(kind: type) -> str:
    """The module that has the stub of a class, which calls itself by its public name."""
    for name, module in sys.modules.items():
        if name.startswith("uvnet.") and getattr(module, kind.__name__, None) is kind:
            if any(isinstance(each, ast.ClassDef) and each.name == kind.__name__ for each in _statements(name)):
                return name
    return kind.__module__


class _Spelled(ast.NodeTransformer):
    """Annotations without names that only the stub knows."""

    def __init__(self, module: str, owner: str) -> None:
        self.owner = owner
        self.aliases = {
            target.id: statement.value
            for statement in _statements(module)
            if isinstance(statement, ast.Assign)
            for target in statement.targets
            if isinstance(target, ast.Name) and not isinstance(statement.value, ast.Call)
        }

    def visit_Name(self, node: ast.Name) -> Any:
        if node.id == "Self":
            return ast.Name(self.owner)
        if (alias := self.aliases.get(node.id)) is not None:
            # It may be made of others.
            return self.visit(copy.deepcopy(alias))
        return ast.Name(node.id.lstrip("_"))


def _definitions(name: str) -> Iterator[tuple[ast.stmt, _Spelled]]:
    """What stubs say about uvnet.CLASS.MEMBER or uvnet.MODULE.CLASS.MEMBER: the class first that has it."""
    *place, owner, member = name.split(".")[1:]
    for base in getattr(functools.reduce(getattr, place, uvnet), owner).__mro__:
        if not base.__module__.startswith("uvnet"):
            continue
        found = [
            statement
            for kind in _statements(_home(base))
            if isinstance(kind, ast.ClassDef) and kind.name == base.__name__
            for statement in kind.body
            if member == getattr(statement, "name", ast.unparse(getattr(statement, "target", ast.Pass())))
        ]
        if found:
            spelled = _Spelled(_home(base), owner)
            yield from ((copy.deepcopy(statement), spelled) for statement in found)
            return


def _is(decorator: str, definition: ast.FunctionDef) -> bool:
    return decorator in map(ast.unparse, definition.decorator_list)


def type_of(name: str) -> str | None:
    """The type of a property or attribute uvnet.CLASS.NAME, as the stub says it."""
    for definition, spelled in _definitions(name):
        if isinstance(definition, ast.AnnAssign):
            return ast.unparse(spelled.visit(definition.annotation))
        if isinstance(definition, ast.FunctionDef) and _is("property", definition):
            assert definition.returns is not None
            return ast.unparse(spelled.visit(definition.returns))
    return None


def signatures_of(name: str) -> list[str]:
    """The signatures of a method uvnet.CLASS.NAME, as the stub says them: "(count: int) -> str"."""
    signatures = []
    for definition, spelled in _definitions(name):
        if not isinstance(definition, ast.FunctionDef) or _is("property", definition):
            continue
        arguments = spelled.visit(definition.args)
        if not _is("staticmethod", definition):
            # self or cls, which is positional-only where others are.
            (arguments.posonlyargs or arguments.args).pop(0)
        returned = "" if definition.returns is None else f" -> {ast.unparse(spelled.visit(definition.returns))}"
        signatures.append(f"({ast.unparse(arguments)}){returned}")
    return signatures


def _sign(app: Any, what: str, name: str, *_rest: Any) -> tuple[str, str] | None:
    if what != "method" or not (signatures := signatures_of(name)):
        return None
    arguments, _, returned = signatures[0].rpartition(" -> ")
    return arguments, returned


def _describe(app: Any, what: str, name: str, object_: Any, options: Any, lines: list[str]) -> None:
    if what in ("attribute", "property") and (found := type_of(name)):
        lines += [f":Type: ``{found}``", ""]
    elif what == "method" and (others := signatures_of(name)[1:]):
        lines += [":Other forms:", *(f"   * ``{other}``" for other in others), ""]


def setup(app: Any) -> dict[str, Any]:
    app.connect("autodoc-process-signature", _sign)
    # After what makes reStructuredText of the docstring.
    app.connect("autodoc-process-docstring", _describe, priority=900)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
