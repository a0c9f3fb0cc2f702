"""Clusters, child processes and what is sent between them do what Node's do; see oracle/many.py."""

from __future__ import annotations

from pathlib import Path

import pytest
from oracle.many import CASES, Case, expected_of, play
from oracle.node import MISSING

pytestmark = pytest.mark.skipif(bool(MISSING), reason=MISSING)


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.family}: {case.name}")
def test_processes_do_what_nodes_do(case: Case, tmp_path: Path) -> None:
    on_node, here = play(case, tmp_path)
    assert here == expected_of(case, on_node), case.decision
