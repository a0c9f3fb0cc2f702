"""A peer: one program that plays the measured part, and what it needs to run."""

from __future__ import annotations

import functools
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.build import BENCH, build, header_problem


@dataclass(frozen=True)
class Peer:
    """`program` is a file below `bench/` and its arguments; its suffix says how it is run.

    `needs` are modules of Python, or `module:name` for something a module must offer, `tools` are
    programs that must be installed, and `headers` what C programs are compiled against.
    """

    name: str
    program: tuple[str, ...]
    needs: tuple[str, ...] = ()
    tools: tuple[str, ...] = ()
    headers: tuple[str, ...] = ()

    @property
    def is_python(self) -> bool:
        return Path(self.program[0]).suffix == ".py"

    def command(self, more: Sequence[str] = ()) -> list[str]:
        """How to run it, with more arguments after its own."""
        path = BENCH / self.program[0]
        arguments = [*self.program[1:], *more]
        if path.suffix == ".c":
            return [str(build(path.stem)), *arguments]
        interpreter = node() if path.suffix == ".js" else sys.executable
        return [interpreter, str(path), *arguments]

    def problem(self) -> str | None:
        """Why this peer cannot run here, or None."""
        if Path(self.program[0]).suffix == ".js" and not node():
            return "Node is not installed"
        for header in self.headers:
            if (problem := header_problem(header)) is not None:
                return problem
        for tool in self.tools:
            if shutil.which(tool) is None:
                return f"{tool} is not installed"
        for need in self.needs:
            _, problem = module_version(need)
            if problem is not None:
                return problem
        return None


@functools.cache
def node() -> str:
    return shutil.which("node") or ""


@functools.cache
def module_version(need: str) -> tuple[str | None, str | None]:
    """The version of a module, or of the one in `module:name`, and what is wrong with it; asked in a
    process of its own, so that a module that crashes on import cannot take the harness along."""
    module, _, name = need.partition(":")
    statement = f"from {module} import {name}" if name else f"import {module}"
    program = (
        f"{statement}\n"
        f"import {module}, importlib.metadata as m\n"
        f"try: print(m.version({module!r}))\n"
        f"except m.PackageNotFoundError: print(getattr({module}, '__version__', 'unknown'))"
    )
    answer = subprocess.run(
        [sys.executable, "-c", program],
        cwd=BENCH / "servers",
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    if answer.returncode == 0:
        return answer.stdout.strip(), None
    lines = answer.stderr.strip().splitlines() or [f"exit status {answer.returncode}"]
    return None, f"{statement} failed: {lines[-1]}"


def select(peers: tuple[Peer, ...], wanted: str) -> tuple[Peer, ...]:
    """The peers whose name contains one of the comma-separated words; all for an empty string."""
    words = [word.strip().lower() for word in wanted.split(",") if word.strip()]
    if not words:
        return peers
    return tuple(peer for peer in peers if any(word in peer.name.lower() for word in words))
