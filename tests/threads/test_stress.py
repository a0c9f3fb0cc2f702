"""Loops in several threads at once; longer by hand: see stress.py."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

_spec = importlib.util.spec_from_file_location("stress", Path(__file__).with_name("stress.py"))
assert _spec is not None and _spec.loader is not None
stress = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(stress)


@pytest.mark.parametrize("name", stress.SCENES)
def test_loops_of_several_threads_do_not_disturb_each_other(name: str) -> None:
    assert stress.SCENES[name](0.5) > 0
