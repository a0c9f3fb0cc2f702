"""Where the project is, and what of it the tests look at or run."""

from __future__ import annotations

from pathlib import Path

__all__ = ["DOCS", "EXAMPLES", "INCLUDE", "ISOLATED", "ROOT", "SUPPORT", "TESTS"]

SUPPORT = Path(__file__).resolve().parent
TESTS = SUPPORT.parent
ISOLATED = TESTS / "isolated"
ROOT = TESTS.parent
DOCS = ROOT / "docs"
EXAMPLES = ROOT / "examples"
INCLUDE = ROOT / "include"
