"""Test suites of others on uvnet's loop: `python tests/foreign/run.py uvloop test_tcp`.

They are run from where pip or the interpreter has them; nothing of them is kept here.  Each test runs in a process
of its own, with a limit: one that hangs says so, and no other suffers.  These suites have tests that lose a race now
and then, and most of what they ask of a loop is uvloop's: a test is held against uvnet when it fails twice on uvnet's
loop and passes on uvloop's, on this machine.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import select
import signal
import sys
import time
import unittest
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from suites import SUITES, Suite

SECONDS = 20  # for one test
BAD = ("failed", "hung", "died")


def tests_of(suite: unittest.TestSuite | unittest.TestCase) -> Iterator[unittest.TestCase]:
    if isinstance(suite, unittest.TestCase):
        yield suite
    else:
        for each in suite:
            yield from tests_of(each)


def run_one(suite: Suite, test: unittest.TestCase, loop: str) -> tuple[str, str]:
    """What becomes of a test on a loop in a forked child, and what it said."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reader)
        os.setsid()
        output = io.StringIO()
        null = os.open(os.devnull, os.O_RDWR)
        for descriptor in range(3):
            os.dup2(null, descriptor)
        suite.use(loop)
        result = unittest.TextTestRunner(stream=output, verbosity=0).run(unittest.TestSuite([test]))
        verdict = "skipped" if result.skipped else "passed" if result.wasSuccessful() else "failed"
        with os.fdopen(writer, "w") as pipe:
            json.dump([verdict, output.getvalue()], pipe)
        os._exit(0)
    os.close(writer)
    text = b""
    deadline = time.monotonic() + SECONDS
    try:
        while (left := deadline - time.monotonic()) > 0:
            if select.select([reader], [], [], left)[0]:
                chunk = os.read(reader, 65536)
                if not chunk:
                    break
                text += chunk
        else:
            return "hung", ""
        if not text:
            return "died", ""
        verdict, said = json.loads(text)
        return verdict, said
    finally:
        os.close(reader)
        try:
            os.killpg(child, signal.SIGKILL)
        except ProcessLookupError:
            pass
        os.waitpid(child, 0)


def excuse(suite: Suite, test: unittest.TestCase, loop: str, verdict: str) -> str | None:
    """Why a test that did not pass is not held against a loop; a process that died has no other try."""
    if verdict != "died" and run_one(suite, test, loop)[0] not in BAD:
        return "passed when it was tried again"
    if loop == "uvnet" and run_one(suite, test, "uvloop")[0] in BAD:
        return "does not pass on uvloop's loop either"
    return None


def run(suite: Suite, names: list[str], loop: str, verbose: bool, unexpected: bool) -> int:
    """Run a suite; returns how many of its tests did not pass and have no reason for it."""
    counts: Counter[str] = Counter()
    surprises = 0
    for module in suite.modules:
        if names and not any(name.split(".")[0] == module.rpartition(".")[2] for name in names):
            continue
        for test in tests_of(suite.load(module)):
            name = ".".join(test.id().split(".")[-3:])
            if any("." in wanted and wanted not in name for wanted in names):
                continue
            reason = suite.expected.get(name)
            if reason is not None and not unexpected:
                counts["not run"] += 1
                continue
            verdict, said = run_one(suite, test, loop)
            if verdict in BAD:
                if reason is None:
                    reason = excuse(suite, test, loop, verdict)
                    surprises += reason is None
                counts[verdict if reason is None else f"{verdict} for a reason"] += 1
                print(f"{name}: {verdict}" + (f": {reason}" if reason else ""), flush=True)
                if verbose or name not in suite.expected:
                    print(said)
                continue
            counts[verdict] += 1
            if name in suite.expected:
                print(f"{name}: {verdict}, although: {reason}")
    print(", ".join(f"{count} {verdict}" for verdict, count in sorted(counts.items())))
    return surprises


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("suite", choices=SUITES)
    parser.add_argument("names", nargs="*", help="test_module or test_module.Class.test_name")
    parser.add_argument("-v", "--verbose", action="store_true", help="print what failing tests say")
    parser.add_argument("--all", action="store_true", help="those too that are not expected to pass")
    parser.add_argument("--loop", default="uvnet", choices=["uvnet", "uvloop"], help="whose loop they run on")
    parser.add_argument("--at", type=Path, help="where the suite is")
    options: Any = parser.parse_intermixed_args(arguments)
    suite = SUITES[options.suite](options.at)
    return 1 if run(suite, options.names, options.loop, options.verbose, options.all) else 0


if __name__ == "__main__":
    sys.exit(main())
