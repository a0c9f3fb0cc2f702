"""Which modules setup.py has optimised more than others."""

from __future__ import annotations

import ast
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SOURCE = ROOT / "src" / "uvnet"


def test_they_are_there() -> None:
    """A module that is renamed takes its place among them along."""
    (often,) = (
        statement.value
        for statement in ast.parse((ROOT / "setup.py").read_text()).body
        if isinstance(statement, ast.Assign) and ast.unparse(statement.targets[0]) == "OFTEN"
    )
    names = eval(compile(ast.Expression(often), "setup.py", "eval"))
    compiled = {".".join(path.relative_to(SOURCE).with_suffix("").parts) for path in SOURCE.rglob("*.pyx")}
    assert names
    assert names <= compiled
