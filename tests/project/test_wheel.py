"""The package as it was installed, so what the wheel held.  tests/wheels/check.py builds wheels."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from places import TESTS
from wheels.contents import problems, uses_of_libuv

import uvnet

INSTALLED = Path(uvnet.__file__).parent.parent
SMOKE = TESTS / "wheels" / "smoke.py"

needs_tool = pytest.mark.skipif(
    shutil.which("otool" if sys.platform == "darwin" else "readelf") is None,
    reason="no readelf (Debian package binutils)",
)


@needs_tool
def test_the_wheel_holds_what_it_should() -> None:
    assert list(problems(INSTALLED)) == []


@needs_tool
def test_problems_are_seen(tmp_path: Path) -> None:
    shutil.copytree(INSTALLED / "uvnet", tmp_path / "uvnet", ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / "uvnet" / "py.typed").unlink()
    (tmp_path / "uvnet" / "socket" / "socket.pyi").unlink()
    (tmp_path / "uvnet" / "socket" / "socket.c").touch()
    (extension,) = (tmp_path / "uvnet").glob("_extension.*.so")
    extension.write_bytes(extension.read_bytes().replace(b"uvnet.socket.socket\0", b"uvnet.socket.socked\0"))
    extension.rename(extension.with_name("other.so"))
    other = list(problems(tmp_path))
    (tmp_path / "uvnet" / "other.so").rename(extension)
    assert list(problems(tmp_path)) == [
        "uvnet/py.typed is missing",
        "uvnet/socket/socket.pyi is missing",
        "uvnet/socket/socket.c should not be there",
        "uvnet.socket.socket is not in the extension module",
    ]
    assert other[-2:] == [
        "uvnet/_extension is an extension module in one of source and wheel only",
        "uvnet/other is an extension module in one of source and wheel only",
    ]


@needs_tool
@pytest.mark.skipif(shutil.which("cc") is None, reason="no C compiler (Debian package gcc)")
def test_a_link_against_libuv_is_seen(tmp_path: Path) -> None:
    source = tmp_path / "linked.c"
    source.write_text("extern int uv_run(void *, int);\nint entry(void) { return uv_run(0, 0); }\n")
    options = ["-undefined", "dynamic_lookup"] if sys.platform == "darwin" else []
    library = tmp_path / "linked.so"
    subprocess.run(["cc", "-shared", "-fPIC", *options, "-o", library, source], check=True, timeout=60)
    assert any("uv_run" in found for found in uses_of_libuv(library))


def test_smoke_test_runs() -> None:
    command = [sys.executable, "-I", str(SMOKE)]
    answer = subprocess.run(command, capture_output=True, text=True, timeout=100)
    assert (answer.returncode, answer.stderr) == (0, "")
    assert "echoes over TCP and a Unix socket" in answer.stdout
