"""Run the tests that reach a mutant's lines on it: a pytest plugin that forks once for each mutant.

Nothing is imported or collected anew: the child puts the changed code into the functions that are there.  A mutant
outside functions (a constant of a module, a default of an argument) needs a new import, and so a pytest of its own.
"""

from __future__ import annotations

import gc
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from ast import unparse
from collections import defaultdict
from pathlib import Path
from types import CodeType, FunctionType
from typing import Any

import pytest
from mutants import Mutant

import uvnet

PACKAGE = Path(uvnet.__file__).parent
PROCESSES = 2
BROKEN = 99  # the exit status of a child that could not try its mutant


class Hunt:
    """All mutants of one module; `verdicts` says for each what became of it."""

    def __init__(self, module: str, mutants: list[Mutant], arguments: list[str], programs: bool, most: float) -> None:
        self.module = module
        self.file = str(PACKAGE / (module.replace(".", "/") + ".py"))
        self.mutants = mutants
        self.arguments = arguments
        self.programs = programs
        self.most = most
        self.verdicts: dict[int, str] = {}
        self.seconds: dict[str, float] = {}
        self.reached: dict[int, set[str]] = {}
        self.sound = True
        self.in_child = False

    # -- hooks ------------------------------------------------------------------------------------

    def pytest_runtestloop(self, session: Any) -> bool:
        self.session = session
        self.functions = functions_of(self.file)
        self._measure()
        if self.sound:
            self._run_all()
        return True

    def pytest_runtest_logreport(self, report: Any) -> None:
        if not self.in_child or report.failed:
            if self.in_child and not self.measuring:
                os._exit(1)
            print("FAILED UNCHANGED", report.nodeid, report.longreprtext, file=sys.stderr)
            self.sound = False

    # -- which tests matter -----------------------------------------------------------------------

    def _measure(self) -> None:
        """Run every test once, unchanged, in a child: how long it takes and which lines it reaches."""
        reading, writing = os.pipe()
        child = os.fork()
        if child == 0:
            os.close(reading)
            self.in_child = self.measuring = True
            found = {}
            for item in self.session.items:
                lines: set[int] = set()
                sys.settrace(self._tracer(lines))
                begun = time.monotonic()
                self._run(item)
                sys.settrace(None)
                found[item.nodeid] = time.monotonic() - begun, sorted(lines)
            with os.fdopen(writing, "w") as sink:
                json.dump([found, self.sound], sink)
            os._exit(0)
        os.close(writing)
        self.measuring = False
        with os.fdopen(reading) as source:
            found, self.sound = json.load(source)
        os.waitpid(child, 0)
        reached = defaultdict(set)
        for name, (seconds, lines) in found.items():
            self.seconds[name] = seconds
            for line in lines:
                reached[line].add(name)
        self.reached = reached

    def _tracer(self, lines: set[int]) -> Any:
        def local(frame: Any, event: str, _argument: Any) -> Any:
            if event == "line":
                lines.add(frame.f_lineno)
            return local

        return lambda frame, _event, _argument: local if frame.f_code.co_filename == self.file else None

    def _chosen(self, mutant: Mutant) -> list[Any]:
        """The tests for a mutant, the quickest first."""
        names = set().union(*(self.reached.get(line, ()) for line in mutant.lines))
        if self.programs:
            names = set(self.seconds)
        items = sorted(
            (item for item in self.session.items if item.nodeid in names),
            key=lambda item: (not self._reaches(item, mutant), self.seconds[item.nodeid]),
        )
        spent, chosen = 0.0, []
        for item in items:
            spent += self.seconds[item.nodeid]
            if chosen and spent > self.most:
                break
            chosen.append(item)
        return chosen

    def _reaches(self, item: Any, mutant: Mutant) -> bool:
        return any(item.nodeid in self.reached.get(line, ()) for line in mutant.lines)

    # -- running ----------------------------------------------------------------------------------

    def _run(self, item: Any) -> None:
        item.ihook.pytest_runtest_protocol(item=item, nextitem=None)

    def _run_all(self) -> None:
        waiting = list(enumerate(self.mutants))
        running: dict[int, tuple[int, float, str]] = {}
        while waiting or running:
            while waiting and len(running) < PROCESSES:
                number, mutant = waiting.pop(0)
                items = self._chosen(mutant) if mutant.function else self.session.items
                if not items:
                    self._judge(number, "not reached")
                    continue
                limit = 20 + 4 * sum(self.seconds[item.nodeid] for item in items)
                directory = tempfile.mkdtemp(prefix="uvm")
                child = os.fork()
                if child == 0:
                    self._be_child(mutant, items, directory)
                running[child] = number, time.monotonic() + limit, directory
            child, status = os.waitpid(-1, os.WNOHANG)
            if child in running:
                number, _, directory = running.pop(child)
                self._judge(number, {0: "survived", BROKEN: "not made"}.get(os.waitstatus_to_exitcode(status), "caught"))
                shutil.rmtree(directory, ignore_errors=True)
            for child, (_, end, _) in running.items():
                if time.monotonic() > end:
                    os.killpg(child, signal.SIGKILL)
            time.sleep(0.01)

    def _judge(self, number: int, verdict: str) -> None:
        self.verdicts[number] = verdict
        if verdict != "caught":
            each = self.mutants[number]
            place = f"{self.module}.py:{each.line} {each.function}"
            print(f"{place}: {verdict}: {each.before}  ->  {each.after}", flush=True)

    def _be_child(self, mutant: Mutant, items: list[Any], directory: str) -> None:
        os.setpgid(0, 0)
        self.in_child = True
        nowhere = os.open(os.devnull, os.O_RDWR)
        for descriptor in (0, 1, 2):
            os.dup2(nowhere, descriptor)
        os.environ["PYTEST_DEBUG_TEMPROOT"] = directory
        if self.programs or not mutant.function:
            overlay(self.module, mutant, Path(directory) / "package")
            os.environ["PYTHONPATH"] = f"{directory}/package"
            # Tests tell programs where the package is; some have looked when they were imported.
            uvnet.__file__ = f"{directory}/package/uvnet/__init__.py"
            for each in list(sys.modules.values()):
                if "PACKAGE_PARENT" in vars(each):
                    each.PACKAGE_PARENT = Path(directory) / "package"  # type: ignore[attr-defined]
            os.environ["PYTHONDONTWRITEBYTECODE"] = "1"
        if not mutant.function:
            os._exit(subprocess.call([sys.executable, "-m", "pytest", "-x", "-q", *self.arguments]))
        try:
            self._put_in(compile(mutant.tree, self.file, "exec", dont_inherit=True))
        except BaseException:
            os._exit(BROKEN)
        try:
            for item in items:
                item.add_marker(pytest.mark.timeout(5 + 8 * self.seconds[item.nodeid]))
                self._run(item)
            os._exit(0)
        finally:
            # Something that ends pytest itself, such as Ctrl-C.
            os._exit(1)

    def _put_in(self, code: CodeType) -> None:
        """Give every function of the module the code it has in the mutant."""
        changed = {}

        def collect(code: CodeType) -> None:
            for constant in code.co_consts:
                if isinstance(constant, CodeType):
                    changed[constant.co_qualname, constant.co_firstlineno] = constant
                    collect(constant)

        collect(code)
        for function in self.functions:
            key = function.__code__.co_qualname, function.__code__.co_firstlineno
            function.__code__ = changed[key]


def functions_of(file: str) -> list[FunctionType]:
    """Those that a module and its classes have; the functions inside them come with their code."""
    gc.unfreeze()
    found = [
        each
        for each in gc.get_objects()
        if isinstance(each, FunctionType) and each.__code__.co_filename == file
    ]
    gc.freeze()
    return [each for each in found if "<locals>" not in each.__code__.co_qualname]


def overlay(module: str, mutant: Mutant, place: Path) -> None:
    """A package whose files are links to the installed ones, but for that module."""
    changed = PACKAGE / (module.replace(".", "/") + ".py")

    def link(source: Path, target: Path) -> None:
        target.mkdir(parents=True)
        for each in source.iterdir():
            if each == changed:
                (target / each.name).write_text(unparse(mutant.tree))
            elif each.is_dir() and each.name != "__pycache__" and each in changed.parents:
                link(each, target / each.name)
            else:
                (target / each.name).symlink_to(each)

    link(PACKAGE, place / "uvnet")
