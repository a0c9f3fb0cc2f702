"""A Sphinx extension: docstrings are plain text for help(), and become reStructuredText here.

Options that stand one below the other become a list, "Raises ...", "Node: ..." and "asyncio: ..." fields of their
own, and names become literals.  Everything else that reStructuredText would take for markup is escaped.
"""

from __future__ import annotations

import re
from typing import Any

# The names of one or more options at the beginning of a line, with what they are in parentheses.
_NAME = r"[a-z_]+(?: \([^)]*\))?"
_OPTION = re.compile(rf"({_NAME}(?:(?:, | or ){_NAME})*): (?=\S)")
_FIELD = re.compile(r"(?<=[.;)] )(?=(?:Raises |Node: |asyncio: |This is not in Node))")
_TITLES = {"Raises": "Errors", "Node:": "Node", "asyncio:": "In asyncio"}
_LITERAL = re.compile(
    r"`[^`]+`"
    r"|'[a-zA-Z]+'(?=[\s.,;:)]|$)"
    r"|[\w.]*\w\((?:[\w.]*\w)?\)"
    r"|\b\w+(?:_\w+)+\b"
)
_MARKUP = re.compile(r"[\\*`|_]")


def _escaped(text: str) -> str:
    return _MARKUP.sub(lambda found: "\\" + found[0], text)


def inline(text: str) -> str:
    """One piece of running text, with names as literals."""
    parts, end = [], 0
    for found in _LITERAL.finditer(text):
        parts.append(_escaped(text[end : found.start()]))
        before, after = text[: found.start()][-1:], text[found.end() :][:1]
        literal = f"``{found[0].strip('`')}``"
        # An inline literal needs space around it; an escaped one leaves nothing behind.
        parts.append(("\\ " if before.strip() else "") + literal + ("\\ " if after.strip() else ""))
        end = found.end()
    parts.append(_escaped(text[end:]))
    return "".join(parts)


def _fields(text: str) -> list[str]:
    """A paragraph as text and fields."""
    blocks = []
    for piece in _FIELD.split(" ".join(text.split())):
        word, _, rest = piece.strip().partition(" ")
        title = _TITLES.get(word)
        if piece.startswith("This is not in Node"):
            blocks.append(f":Node: none{inline(piece.removeprefix('This is not in Node').strip())}")
        else:
            blocks.append(inline(piece.strip()) if title is None else f":{title}: {inline(rest)}")
    return blocks


def _paragraph(lines: list[str]) -> list[str]:
    if sum(bool(_OPTION.match(line)) for line in lines) < 2:
        return _fields(" ".join(lines))
    items: list[str] = []
    rest: list[str] = []
    for line in lines:
        if _OPTION.match(line):
            items.append(line)
        elif not items:
            rest.append(line)
        else:
            items[-1] += f" {line}"
    blocks = _fields(" ".join(rest)) if rest else []
    for item in items:
        names, _, text = item.partition(": ")
        blocks.append(f"* ``{names}``: {inline(' '.join(text.split()))}")
    return blocks


def convert(lines: list[str]) -> list[str]:
    """The lines of a docstring as reStructuredText."""
    paragraphs: list[list[str]] = [[]]
    for line in lines:
        if line.strip():
            paragraphs[-1].append(line.strip())
        elif paragraphs[-1]:
            paragraphs.append([])
    blocks = [block for paragraph in paragraphs if paragraph for block in _paragraph(paragraph)]
    return [line for block in blocks for line in (block, "")]


def _process(app: Any, what: str, name: str, object_: Any, options: Any, lines: list[str]) -> None:
    lines[:] = convert(lines)


def setup(app: Any) -> dict[str, Any]:
    app.connect("autodoc-process-docstring", _process)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
