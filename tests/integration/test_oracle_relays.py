"""pipe() without relays does what Node does as well: the scenarios of pipes once more, all of them through Python."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from oracle import piping
from oracle.language import Case, cases
from oracle.node import MISSING, play_all
from oracle.play import play
from oracle.traces import compare
from relay_scene import relays_off

pytestmark = pytest.mark.skipif(bool(MISSING), reason=MISSING)

CASES = cases(piping.SCENARIOS)


@pytest.fixture(scope="module")
def on_node(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    return play_all(CASES, tmp_path_factory.mktemp("node"))


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_pipes_without_relays_do_what_node_does(case: Case, on_node: dict[str, Any], tmp_path: Path) -> None:
    with relays_off():
        problems = compare(case, on_node[case.name], play(case, tmp_path))
    assert not problems, "\n".join([f"rule {case.scenario.rule}", *problems])
