"""Mutants of the plain-Python modules, and which of them the tests catch: `python tests/mutation streams.finishing socket.scope`.

Each mutant is the module with one comparison, `not`, `and`, constant, call, assignment or `return` changed.  What is
printed are those that every test passes on; see CONTRIBUTING.md.
"""

from __future__ import annotations

import argparse
import random
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from hunt import PACKAGE, Hunt
from mutants import Mutant, mutants_of
from table import EQUIVALENT, PROGRAMS, TESTS

TESTS_DIRECTORY = Path(__file__).parent.parent


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, prog="python tests/mutation")
    parser.add_argument("modules", nargs="*", metavar="module", help=", ".join(TESTS))
    parser.add_argument("--sample", type=int, metavar="N", help="N mutants of each module, chosen at random")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--lines", metavar="FIRST-LAST", help="only those of these lines")
    parser.add_argument("--most", type=float, default=10, help="seconds of tests for one mutant")
    options = parser.parse_args()
    modules = options.modules or list(TESTS)
    if len(modules) == 1:
        return hunt(modules[0], options)
    # What a module's tests import must not be there already.
    given = [each for each in sys.argv[1:] if each not in modules]
    return max(subprocess.call([sys.executable, str(Path(__file__).parent), module, *given]) for module in modules)


def hunt(module: str, options: argparse.Namespace) -> int:
    source = (PACKAGE / (module.replace(".", "/") + ".py")).read_text()
    mutants = list(mutants_of(source))
    total = len(mutants)
    known = EQUIVALENT.get(module, {})
    for stale in set(known) - set(map(_key, mutants)):
        print(f"{module}: no mutant is {stale} any more")
    if options.lines:
        first, _, last = options.lines.partition("-")
        mutants = [each for each in mutants if int(first) <= each.line <= int(last or first)]
    if options.sample and options.sample < len(mutants):
        chosen = random.Random(options.seed).sample(range(len(mutants)), options.sample)
        mutants = [mutants[number] for number in sorted(chosen)]
    tried = [each for each in mutants if _key(each) not in known]
    named = (name.split("/") for name in TESTS[module].split())
    files = [str(TESTS_DIRECTORY / room / f"test_{file}.py") for room, file in named]
    arguments = ["-p", "no:cacheprovider", "-p", "no:xdist", "-s", "-k", "not without_relays", *files]
    found = Hunt(module, tried, arguments, module in PROGRAMS, options.most)
    status = pytest.main(["-q", "--no-header", *arguments], plugins=[found])
    if status or not found.sound:
        print(f"{module}: the tests fail without a change")
        return 2
    counts = Counter(found.verdicts.values())
    told = ", ".join(f"{count} {verdict}" for verdict, count in sorted(counts.items()))
    print(f"{module}: {total} mutants, {len(tried)} run: {told}; {len(mutants) - len(tried)} known as equivalent", flush=True)
    return 1 if set(counts) - {"caught"} else 0


def _key(mutant: Mutant) -> tuple[str, str, str]:
    return f"{mutant.function}: {mutant.text}", mutant.before, mutant.after


if __name__ == "__main__":
    raise SystemExit(main())
