"""The CPythons of this machine that uvnet supports and that can build it.

    python tests/wheels/pythons.py      prints "version path" of each, oldest first

Looks into pyenv's directory and PATH.  One per minor version: the newest release.
"""

from __future__ import annotations

import glob
import os
import re
import shutil
import subprocess
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]
PROBE = """
import ensurepip, os, sys, sysconfig
if (
    sys.implementation.name == "cpython"
    and sys.version_info[3] == "final"
    and not sysconfig.get_config_var("Py_GIL_DISABLED")
    and os.path.isfile(os.path.join(sysconfig.get_path("include"), "Python.h"))
):
    print("%d.%d.%d" % sys.version_info[:3])
"""


def candidates() -> list[str]:
    pyenv = os.environ.get("PYENV_ROOT", os.path.expanduser("~/.pyenv"))
    found = glob.glob(f"{pyenv}/versions/*/bin/python3")
    for minor in supported():
        path = shutil.which(f"python{minor}")
        if path is not None:
            found.append(path)
    return found


def supported() -> list[str]:
    """The minor versions that pyproject.toml names."""
    return re.findall(r'"Programming Language :: Python :: (3\.\d+)"', (PROJECT / "pyproject.toml").read_text())


def version_of(python: str) -> str:
    """The version of a CPython that can build uvnet, "" for anything else."""
    try:
        answer = subprocess.run([python, "-c", PROBE], capture_output=True, text=True, timeout=60)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return answer.stdout.strip() if answer.returncode == 0 else ""


def pythons() -> dict[str, str]:
    """Version to path, oldest first."""
    newest: dict[tuple[int, ...], tuple[tuple[int, ...], str]] = {}
    for path in candidates():
        version = tuple(int(part) for part in version_of(path).split(".") if part)
        minor = version[:2]
        if ".".join(map(str, minor)) in supported() and (minor not in newest or newest[minor][0] < version):
            newest[minor] = (version, path)
    return {".".join(map(str, version)): path for version, path in sorted(newest.values())}


if __name__ == "__main__":
    for version, path in pythons().items():
        print(version, path)
