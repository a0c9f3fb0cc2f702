"""docs/platforms.md: the table is what docs/platforms.py writes from the results, and that takes no result it cannot know."""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from places import DOCS


def _platforms() -> ModuleType:
    specification = importlib.util.spec_from_file_location("platforms", DOCS / "platforms.py")
    assert specification is not None and specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    sys.modules["platforms"] = module  # dataclasses look their module up
    specification.loader.exec_module(module)
    return module


platforms = _platforms()
FACTS: dict[str, Any] = {
    "platform": "linux-x86_64-glibc",
    "interpreter": "3.14.2",
    "run": "suite",
    "uvloop": "0.23.0",
    "node": "24.11.1",
    "commit": "af7562a",
    "passed": 100,
    "failed": 0,
    "skipped": 2,
}


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """docs/platforms.py, writing into a folder of its own."""
    monkeypatch.setattr(platforms, "DOCS", tmp_path / "docs")
    monkeypatch.setattr(platforms, "RESULTS", tmp_path / "docs" / "platforms")
    monkeypatch.setattr(platforms, "PAGE", tmp_path / "docs" / "platforms.md")
    (tmp_path / "docs").mkdir()
    return tmp_path / "docs"


def test_the_page_is_that_of_the_results() -> None:
    assert platforms.PAGE.read_text() == platforms.page(platforms.read(platforms.RESULTS)), (
        "`python docs/platforms.py` writes it anew"
    )


def test_what_nobody_has_run_is_not_tried() -> None:
    page = platforms.page([])
    for minor in platforms.INTERPRETERS:
        assert f"| {minor} |{' not tried |' * len(platforms.PLATFORMS)}" in page.splitlines()


def test_a_cell_has_what_says_most_and_what_failed() -> None:
    build = platforms.Result(**{**FACTS, "run": "build", "passed": 1, "skipped": 0})
    smoke = platforms.Result(**{**FACTS, "run": "smoke", "passed": 1, "skipped": 0})
    suite = platforms.Result(**{**FACTS, "failed": 3})
    assert platforms.cell([build]) == "build only"
    assert platforms.cell([build, smoke]) == "smoke test"
    assert platforms.cell([build, suite, smoke]) == "suite, **3 failed**"
    assert suite.outcome == "**3 failed**, 100 passed, 2 skipped"


def test_an_interpreter_without_a_gil_has_a_row_of_its_own() -> None:
    page = platforms.page([platforms.Result(**{**FACTS, "interpreter": "3.13.5t"})])
    rows = [line for line in page.splitlines() if line.startswith("| 3.13")]
    assert [row.split(" | ")[1] for row in rows] == ["not tried", "suite"]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("platform", "windows"),
        ("interpreter", "3.14"),
        ("run", "some"),
        ("commit", "main"),
        ("note", "a | b"),
        ("passed", 0),
    ],
)
def test_what_cannot_be_is_refused(name: str, value: object) -> None:
    with pytest.raises(ValueError):
        platforms.Result(**{**FACTS, name: value})


def test_a_file_has_the_name_of_what_it_says(tmp_path: Path) -> None:
    (tmp_path / "mine.json").write_text(json.dumps(FACTS))
    with pytest.raises(ValueError, match=r"should be called linux-x86_64-glibc-3\.14-suite\.json"):
        platforms.read(tmp_path)


@pytest.mark.parametrize(
    ("summary", "passed", "failed", "skipped"),
    [
        ("== 742 passed in 100.00s (0:01:40) ==", 742, 0, 0),
        ("2 failed, 10 passed, 3 skipped, 1 xfailed, 4 warnings, 1 error in 3.00s", 11, 3, 3),
        ("no tests ran in 0.01s", 0, 0, 0),
    ],
)
def test_counts_of_a_summary(summary: str, passed: int, failed: int, skipped: int) -> None:
    assert platforms.counts_of_summary(summary) == {"passed": passed, "failed": failed, "skipped": skipped}


def test_a_run_is_added_by_one_command(elsewhere: Path) -> None:
    report = elsewhere / "report.xml"
    report.write_text(
        '<testsuites><testsuite><testcase name="a"/><testcase name="b"><failure/></testcase>'
        '<testcase name="c"><skipped type="pytest.skip"/></testcase><testcase name="d"><error/></testcase>'
        '<testcase name="e"><skipped type="pytest.xfail"/></testcase></testsuite></testsuites>'
    )
    facts = ["--platform", "linux-aarch64-musl", "--commit", "af7562a", "--note", "emulated"]
    assert platforms.main(["add", "--run", "suite", "--junit", str(report), *facts]) == 0
    (result,) = platforms.read(elsewhere / "platforms")
    assert (result.passed, result.failed, result.skipped, result.note) == (2, 2, 1, "emulated")
    # What was not said is that of the interpreter.
    assert result.interpreter.startswith(".".join(map(str, sys.version_info[:3])))
    assert "emulated" in (elsewhere / "platforms.md").read_text()
    # A later run takes the place of the earlier one.
    assert platforms.main(["add", "--run", "suite", "--summary", "5 passed in 1s", *facts]) == 0
    (result,) = platforms.read(elsewhere / "platforms")
    assert (result.passed, result.failed) == (5, 0)


@pytest.mark.parametrize(
    "words",
    [
        ["--run", "suite"],
        ["--run", "smoke", "--summary", "1 passed in 1s"],
        ["--run", "suite", "--summary", "no tests ran in 1s"],
        ["--run", "smoke", "--python", "/nowhere/python"],
    ],
)
def test_a_run_that_says_too_little_is_refused(
    words: list[str], elsewhere: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        platforms.main(["add", "--commit", "af7562a", *words])
    assert not (elsewhere / "platforms").exists()


def test_an_interpreter_may_be_named_from_where_one_is(elsewhere: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(elsewhere)
    (elsewhere / "python").symlink_to(sys.executable)
    facts = ["--platform", "macos-arm64", "--commit", "af7562a", "--uvloop", "0.23.0"]
    assert platforms.main(["add", "--run", "build", "--python", "./python", *facts]) == 0
    assert [result.outcome for result in platforms.read(elsewhere / "platforms")] == ["builds"]
