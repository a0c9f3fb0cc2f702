"""A wheel for every CPython of this machine: built from the source distribution, looked into, installed, used.

    python tests/wheels/check.py [version]...       for example 3.12; without, all that are found; "ends": the oldest
                                                    and the newest

Each wheel is installed into a clean environment, with its dependencies from the package index.  What was built
is left in dist/.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

import contents
from pythons import PROJECT, pythons

SMOKE = Path(__file__).with_name("smoke.py")
OUTPUT = PROJECT / "dist"


def run(*command: str | Path, cwd: Path | None = None) -> None:
    subprocess.run([str(part) for part in command], check=True, cwd=cwd)


def environment(python: str, place: Path) -> Path:
    """The interpreter of a new virtual environment."""
    run(python, "-m", "venv", place)
    interpreter = place / "bin" / "python"
    run(interpreter, "-m", "pip", "install", "--quiet", "--upgrade", "pip")
    return interpreter


def check(version: str, python: str, sdist: Path, directory: Path) -> None:
    print(f"--- CPython {version}", flush=True)
    interpreter = environment(python, directory / f"build-{version}")
    run(interpreter, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", OUTPUT, sdist)
    (wheel,) = OUTPUT.glob(f"uvnet-*-cp{''.join(version.split('.')[:2])}-*.whl")
    if contents.main([str(wheel)]):
        sys.exit(1)
    interpreter = environment(python, directory / f"clean-{version}")
    run(interpreter, "-m", "pip", "install", "--quiet", "--only-binary", "uvloop", wheel)
    # Isolated, and from a directory that holds nothing: only what is installed can be imported.
    empty = directory / "empty"
    empty.mkdir(exist_ok=True)
    run(interpreter, "-I", SMOKE, cwd=empty)


def main(wanted: list[str]) -> int:
    found = pythons()
    if wanted == ["ends"]:
        wanted = [next(iter(found)), next(reversed(found))] if found else []
    chosen = {
        version: path
        for version, path in found.items()
        if not wanted or any(f"{version}.".startswith(f"{start}.") for start in wanted)
    }
    if not chosen:
        print(f"no CPython to check with; found: {', '.join(found) or 'none'}")
        return 1
    for old in OUTPUT.glob("uvnet-*"):
        old.unlink()
    with tempfile.TemporaryDirectory(prefix="uvnet-wheels-") as name:
        directory = Path(name)
        interpreter = environment(sys.executable, directory / "build")
        run(interpreter, "-m", "pip", "install", "--quiet", "build")
        run(interpreter, "-m", "build", "--sdist", "--outdir", OUTPUT, PROJECT)
        (sdist,) = OUTPUT.glob("uvnet-*.tar.gz")
        for version, path in chosen.items():
            check(version, path, sdist, directory)
    print(f"wheels for CPython {', '.join(chosen)} install and work")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
