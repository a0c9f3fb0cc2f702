"""Docstrings of compiled modules for editors, which look for them in stubs: setup.py writes them in when it builds.

So they stand in one place, the .pyx, where the reference and help() have them from.
"""

from __future__ import annotations

import ast
import inspect
import re
import textwrap
from collections.abc import Callable, Iterator, Mapping
from functools import partial

__all__ = ["docstrings_of", "with_docstrings"]

_Definition = ast.ClassDef | ast.FunctionDef
_BEGINNING = re.compile(r"^(?P<indent> *)(?:cdef class|class|cpdef \w+|def) (?P<name>\w+)", re.MULTILINE)
_SIGNATURE_PART = re.compile(r"[()\[\]{}]|:[ \t]*(?:#[^\n]*)?\n")
_DOCSTRING = re.compile(r'(?:\s*#.*\n)*\s*("""[\s\S]*?""")')
# Written by hand where Cython is told not to.
_SIGNATURE = re.compile(r"\A\w+\([^\n]*\)\n--\n\n")


def docstrings_of(source: str) -> dict[str, str]:
    """The docstrings in the text of a .pyx: of "" for the module, of "Class", "Class.method", "function"."""
    found = {}
    if (docstring := _DOCSTRING.match(source)) is not None:
        found[""] = ast.literal_eval(docstring[1])
    owners: list[tuple[int, str]] = []
    for definition in _BEGINNING.finditer(source):
        indent, name = len(definition["indent"]), definition["name"]
        while owners and owners[-1][0] >= indent:
            owners.pop()
        owners.append((indent, name))
        # The body begins after a colon at the end of a line, outside of parentheses.
        end = _end_of_signature(source, definition.end())
        if (docstring := _DOCSTRING.match(source, end)) is not None:
            text = _SIGNATURE.sub("", ast.literal_eval(docstring[1]))
            found.setdefault(".".join(name for _, name in owners), text)
    return found


def _end_of_signature(source: str, start: int) -> int:
    depth = 0
    for found in _SIGNATURE_PART.finditer(source, start):
        if found[0] in "([{":
            depth += 1
        elif found[0] in ")]}":
            depth -= 1
        elif depth == 0:
            return found.end()
    return len(source)


def with_docstrings(stubs: Mapping[str, tuple[str, str]]) -> dict[str, str]:
    """The texts of stubs with docstrings, by module; given for each are the texts of its .pyi and its .pyx.

    Of overloads the first one gets it.  What a class of a stub says anew about a method has the docstring of the
    class that the method is from.
    """
    docstrings = {module: docstrings_of(source) for module, (_, source) in stubs.items()}
    classes = {
        (module, node.name): [base.id for base in node.bases if isinstance(base, ast.Name)]
        for module, (stub, _) in stubs.items()
        for node in ast.parse(stub).body
        if isinstance(node, ast.ClassDef)
    }
    imported = {module: _imported(stub) for module, (stub, _) in stubs.items()}

    def find(module: str, name: str) -> str | None:
        owner, dot, member = name.partition(".")
        if name in docstrings[module] or not dot:
            return docstrings[module].get(name)
        bases = [imported[module].get(base, (module, base)) for base in classes[module, owner]]
        inherited = (find(place, f"{base}.{member}") for place, base in bases if (place, base) in classes)
        return next(filter(None, inherited), None)

    return {module: _rewritten(stub, partial(find, module)) for module, (stub, _) in stubs.items()}


def _imported(stub: str) -> dict[str, tuple[str, str]]:
    """What names of a stub are imported from where: the file of a stub, and the name there."""
    return {
        alias.asname or alias.name: (f"{node.module.replace('.', '/')}.pyi", alias.name)
        for node in ast.parse(stub).body
        if isinstance(node, ast.ImportFrom) and node.module is not None
        for alias in node.names
    }


def _rewritten(stub: str, find: Callable[[str], str | None]) -> str:
    lines = stub.splitlines()
    wanted = [
        (node, text)
        for name, node in _definitions(ast.parse(stub).body, "")
        if (text := find(name)) is not None
    ]
    # From the end on, so that what comes before stays where it is.
    for node, text in sorted(wanted, key=lambda pair: pair[0].lineno, reverse=True):
        _insert(lines, node, text)
    text = find("")
    if text is not None:
        lines[:0] = [*_quoted(text, 0), ""]
    return "\n".join(lines) + "\n"


def _definitions(body: list[ast.stmt], owner: str) -> Iterator[tuple[str, _Definition]]:
    seen = set()
    for node in body:
        if isinstance(node, _Definition):
            name = f"{owner}.{node.name}" if owner else node.name
            if name not in seen:
                seen.add(name)
                yield name, node
            if isinstance(node, ast.ClassDef):
                yield from _definitions(node.body, name)


def _insert(lines: list[str], node: _Definition, text: str) -> None:
    first = node.body[0]
    quoted = _quoted(text, node.col_offset + 4)
    if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant) and first.value.value is ...:
        # "...: ..." on one line.
        line = lines[first.lineno - 1]
        lines[first.lineno - 1] = line[: first.col_offset].rstrip()
        rest = line[first.col_offset + 3 :].strip()
        if rest:
            # A comment for a type checker belongs to the line.
            lines[first.lineno - 1] += f"  {rest}"
        lines[first.lineno : first.lineno] = quoted
        return
    at = min([first.lineno, *(decorator.lineno for decorator in getattr(first, "decorator_list", ()))]) - 1
    while not lines[at - 1].endswith(":"):
        at -= 1
    lines[at:at] = quoted


def _quoted(text: str, indent: int) -> list[str]:
    text = inspect.cleandoc(text).replace("\\", "\\\\").replace('"""', '\\"\\"\\"')
    if text.endswith('"'):
        text = text[:-1] + '\\"'
    opening = '""" ' if text.startswith('"') else '"""'
    return textwrap.indent(f'{opening}{text}"""', " " * indent, lambda line: bool(line.strip())).splitlines()
