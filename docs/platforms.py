"""The table of what was run on which platform: `python docs/platforms.py` writes docs/platforms.md from docs/platforms/.

Every file there is one run, as JSON.  A run is added by one command, on the machine where it was or on another one:

    python docs/platforms.py add --python .venv/bin/python --run suite --junit report.xml
    python docs/platforms.py add --run suite --summary "4810 passed, 21 skipped in 171.50s" --platform linux-aarch64-glibc \\
        --interpreter 3.14.2 --uvloop 0.23.0 --node 24.11.1 --commit af7562a --note emulated
    python docs/platforms.py add --python .venv/bin/python --run smoke
    python docs/platforms.py add --python .venv/bin/python --run build

What is not said is asked of the interpreter of --python (its version, its uvloop, its platform), of `node` and of git.
A later run of the same kind in the same place takes the place of the earlier one.  --summary is the last line of pytest;
--junit what `pytest --junitxml=report.xml` writes.  A smoke test or a build that failed is added with --failed.
Needs Python's own library and nothing else.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from xml.etree import ElementTree

DOCS = Path(__file__).resolve().parent
RESULTS = DOCS / "platforms"
PAGE = DOCS / "platforms.md"

# Columns, in their order: what uvloop has wheels for, and where there is no uvloop.
PLATFORMS = {
    "linux-x86_64-glibc": "Linux x86_64",
    "linux-aarch64-glibc": "Linux aarch64",
    "linux-x86_64-musl": "Linux x86_64, musl",
    "linux-aarch64-musl": "Linux aarch64, musl",
    "macos-x86_64": "macOS x86_64",
    "macos-arm64": "macOS arm64",
}
# Rows, in their order; others come in where there are results.
INTERPRETERS = ["3.10", "3.11", "3.12", "3.13", "3.14", "3.14t", "3.15", "3.15t"]
# Kinds of runs, from that which says most to that which says least.
KINDS = {
    "suite": "suite",
    "part": "part of the suite",
    "smoke": "smoke test",
    "build": "build only",
}
NOT_TRIED = "not tried"
PROBE = """
import json, platform, sys, sysconfig
try:
    from importlib.metadata import version
    uvloop = version("uvloop")
except Exception:
    uvloop = ""
libc = "" if sys.platform == "darwin" else "-musl" if "musl" in (sysconfig.get_config_var("SOABI") or "") else "-glibc"
print(json.dumps({
    "platform": {"darwin": "macos"}.get(sys.platform, sys.platform) + "-" + platform.machine() + libc,
    "interpreter": platform.python_version() + ("t" if sysconfig.get_config_var("Py_GIL_DISABLED") else ""),
    "uvloop": uvloop,
}))
"""
HEAD = """# What was run where

This page is written by `docs/platforms.py` from the results in `docs/platforms/`, and says what somebody has run and seen,
not what should work. *Suite* is the whole of the tests, *part of the suite* what the remarks below name, *smoke test*
an echo over TCP and a Unix socket with the installed wheel, *build only* that the compiler had no objection. A **t** behind a
version of CPython means the build without a GIL. `python docs/platforms.py --help` says how to add a run of your own.

"""
FOOT = """
The workflow is to build wheels for macOS, and to smoke-test them where it has; that becomes a result here only once it has
happened. *Not tried* on macOS therefore means just that: nobody has reported a run. Windows is not in the table: there is
no uvloop for it, and uvnet does not build there.
"""


@dataclass(frozen=True)
class Result:
    """One run: what was run, where, and what came of it."""

    platform: str
    interpreter: str
    run: str
    uvloop: str
    node: str
    commit: str
    passed: int
    failed: int
    skipped: int
    note: str = ""

    def __post_init__(self) -> None:
        if self.platform not in PLATFORMS:
            raise ValueError(f"{self.platform!r} is none of {', '.join(PLATFORMS)}")
        if self.run not in KINDS:
            raise ValueError(f"{self.run!r} is none of {', '.join(KINDS)}")
        if not re.fullmatch(r"3\.\d+\.\d+((a|b|rc)\d+)?t?", self.interpreter):
            raise ValueError(f"{self.interpreter!r} is no version of CPython such as 3.14.2, 3.15.0a2 or 3.14.2t")
        if not re.fullmatch(r"[0-9a-f]{7,40}", self.commit):
            raise ValueError(f"{self.commit!r} is no commit")
        if "|" in self.note or "\n" in self.note:
            raise ValueError("a note is one line without |, since it stands in a table")
        if self.passed + self.failed < 1:
            raise ValueError("nothing has passed, and nothing has failed: nothing was run")

    @property
    def minor(self) -> str:
        """The version of CPython without the last number: 3.14, or 3.14t."""
        return ".".join(self.interpreter.split(".")[:2]) + ("t" if self.interpreter.endswith("t") else "")

    @property
    def file(self) -> str:
        return f"{self.platform}-{self.minor}-{self.run}.json"

    @property
    def outcome(self) -> str:
        if self.run == "build":
            return "builds" if not self.failed else "**does not build**"
        if self.run == "smoke":
            return "passes" if not self.failed else "**fails**"
        failed = f"**{self.failed} failed**, " if self.failed else ""
        return f"{failed}{self.passed} passed, {self.skipped} skipped"


def read(directory: Path) -> list[Result]:
    results = []
    for path in sorted(directory.glob("*.json")):
        result = Result(**json.loads(path.read_text()))
        if path.name != result.file:
            raise ValueError(f"{path.name} should be called {result.file}")
        results.append(result)
    return results


def write(directory: Path, result: Result) -> Path:
    directory.mkdir(exist_ok=True)
    path = directory / result.file
    path.write_text(json.dumps(asdict(result), indent=2) + "\n")
    return path


def by_version(minor: str) -> tuple[int, bool]:
    return int(minor.rstrip("t").split(".")[1]), minor.endswith("t")


def row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |\n"


def cell(results: Sequence[Result]) -> str:
    """What says most of what was run in one place, and what failed of it."""
    if not results:
        return NOT_TRIED
    best = min(results, key=lambda result: list(KINDS).index(result.run))
    return KINDS[best.run] + (f", **{best.failed} failed**" if best.failed else "")


def page(results: Sequence[Result]) -> str:
    minors = sorted({*INTERPRETERS, *(result.minor for result in results)}, key=by_version)
    text = HEAD + row(["CPython", *PLATFORMS.values()]) + row(["---"] * (len(PLATFORMS) + 1))
    for minor in minors:
        places = [[r for r in results if (r.platform, r.minor) == (name, minor)] for name in PLATFORMS]
        text += row([minor, *(cell(place) for place in places)])
    text += FOOT + "\n## The runs\n\n"
    if not results:
        return text + "None yet.\n"
    text += row(["Platform", "CPython", "What", "Outcome", "uvloop", "Node", "Commit", "Remark"]) + row(["---"] * 8)
    order = {name: place for place, name in enumerate(PLATFORMS)}
    kinds = list(KINDS)
    for result in sorted(results, key=lambda r: (order[r.platform], by_version(r.minor), kinds.index(r.run))):
        facts = [result.uvloop or "none", result.node or "none", f"`{result.commit[:7]}`", result.note]
        text += row([PLATFORMS[result.platform], result.interpreter, KINDS[result.run], result.outcome, *facts])
    return text


def counts_of_summary(summary: str) -> dict[str, int]:
    """Counted by the last line of pytest, such as "1 failed, 742 passed, 3 skipped in 100.00s"."""
    found = {word: int(number) for number, word in re.findall(r"(\d+) (passed|failed|skipped|xfailed|errors?)\b", summary)}
    errors = found.get("error", 0) + found.get("errors", 0)
    return {
        "passed": found.get("passed", 0) + found.get("xfailed", 0),
        "failed": found.get("failed", 0) + errors,
        "skipped": found.get("skipped", 0),
    }


def counts_of_junit(path: Path) -> dict[str, int]:
    counts = {"passed": 0, "failed": 0, "skipped": 0}
    for case in ElementTree.parse(path).iter("testcase"):
        skipped = case.find("skipped")
        if case.find("failure") is not None or case.find("error") is not None:
            counts["failed"] += 1
        elif skipped is not None and skipped.get("type") != "pytest.xfail":
            counts["skipped"] += 1
        else:
            counts["passed"] += 1
    return counts


def answer_of(*command: str) -> str:
    """What a program prints, and "" where there is no such program."""
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return ""


def arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_subparsers(dest="command").add_parser("add", help="adds a run, and writes the page")
    add.add_argument("--run", required=True, choices=KINDS, help="what was run")
    add.add_argument("--python", default=sys.executable, help="the interpreter that ran it")
    add.add_argument("--platform", choices=PLATFORMS)
    add.add_argument("--interpreter", help="version of CPython, with a t behind it where it has no GIL")
    for name in ("uvloop", "node", "commit"):
        add.add_argument(f"--{name}")
    add.add_argument("--note", default="", help='what a reader must know besides, such as "emulated"')
    outcome = add.add_mutually_exclusive_group()
    outcome.add_argument("--summary", help="the last line of pytest")
    outcome.add_argument("--junit", type=Path, help="what pytest --junitxml wrote")
    outcome.add_argument("--failed", action="store_true", help="for a smoke test or a build")
    return parser


def result_of(given: argparse.Namespace) -> Result:
    if given.run in ("suite", "part"):
        if given.summary is None and given.junit is None:
            raise ValueError(f"--run {given.run} needs --summary or --junit")
        counts = counts_of_junit(given.junit) if given.junit else counts_of_summary(given.summary)
    else:
        if given.summary is not None or given.junit is not None:
            raise ValueError(f"--run {given.run} has no use for --summary and --junit")
        counts = {"passed": int(not given.failed), "failed": int(given.failed), "skipped": 0}
    found = json.loads(answer_of(given.python, "-c", PROBE) or "{}")
    if not found:
        print(f"{given.python} does not answer", file=sys.stderr)
    found["node"] = answer_of("node", "--version").removeprefix("v")
    found["commit"] = answer_of("git", "-C", str(DOCS), "rev-parse", "--short=7", "HEAD")
    said = {field.name: getattr(given, field.name, None) for field in fields(Result) if field.name not in counts}
    return Result(**{name: found.get(name, "") if value is None else value for name, value in said.items()}, **counts)


def main(words: Sequence[str]) -> int:
    parser = arguments()
    given = parser.parse_args(words)
    try:
        if given.command == "add":
            print(f"wrote {write(RESULTS, result_of(given)).relative_to(DOCS.parent)}")
        PAGE.write_text(page(read(RESULTS)))
    except (ValueError, TypeError) as error:
        parser.error(str(error))
    print(f"wrote {PAGE.relative_to(DOCS.parent)}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
