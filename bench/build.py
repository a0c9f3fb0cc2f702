"""Compiles the C programs below `bench/reference/` on the spot."""

from __future__ import annotations

import functools
import os
import shlex
import shutil
import subprocess
from pathlib import Path

BENCH = Path(__file__).resolve().parent
REFERENCE = BENCH / "reference"
BUILD = BENCH / "build"

FLAGS = ("-O2", "-std=gnu11", "-Wall", "-Wextra")

LOAD = ("load.c", "load_opening.c", "load_traffic.c", "load_http.c")

PROGRAMS = {
    "load": (*LOAD, "load_plain.c"),
    "load_tls": (*LOAD, "load_tls.c"),
    "echo_server": ("echo_server.c",),
    "sink_server": ("sink_server.c",),
    "fan_out_server": ("fan_out_server.c",),
    "reply_server": ("reply_server.c",),
    "file_server": ("file_server.c",),
    "file_sink": ("file_sink.c",),
    "proxy": ("proxy.c",),
    "echo_libuv": ("echo_libuv.c",),
    "proxy_libuv": ("proxy_libuv.c",),
}
LIBRARIES = {
    "echo_libuv": ("-luv",),
    "proxy_libuv": ("-luv",),
    "load_tls": ("-lssl", "-lcrypto"),
}
# Where headers that not every machine has come from.
PACKAGES = {"uv.h": "libuv1-dev", "openssl/ssl.h": "libssl-dev"}


class BuildError(Exception):
    """There is no C compiler, or it refused a program."""


def compiler() -> list[str]:
    return shlex.split(os.environ.get("CC", "cc"))


def compiler_version() -> str:
    command = compiler()
    if shutil.which(command[0]) is None:
        return "none"
    answer = subprocess.run([*command, "--version"], capture_output=True, text=True, check=False)
    return answer.stdout.partition("\n")[0].strip() or "unknown"


def _is_current(program: Path) -> bool:
    if not program.exists():
        return False
    built = program.stat().st_mtime
    return all(source.stat().st_mtime < built for source in REFERENCE.iterdir())


@functools.cache
def header_problem(header: str) -> str | None:
    """Why nothing can be compiled against a header, or None."""
    try:
        answer = subprocess.run(
            [*compiler(), "-E", "-include", header, "-x", "c", os.devnull],
            capture_output=True,
            check=False,
        )
    except OSError:
        return "no C compiler"
    if answer.returncode == 0:
        return None
    return f"no {header} to compile against (Debian: {PACKAGES[header]})"


def build(name: str) -> Path:
    """The path of the compiled program, compiled again when any source is newer."""
    program = BUILD / name
    if _is_current(program):
        return program
    BUILD.mkdir(exist_ok=True)
    sources = [str(REFERENCE / source) for source in PROGRAMS[name]]
    # Another process may run the program, or build it too: it sees the old one or a whole new one.
    unfinished = program.with_name(f"{name}.{os.getpid()}")
    command = [*compiler(), *FLAGS, "-o", str(unfinished), *sources, *LIBRARIES.get(name, ())]
    try:
        answer = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError as error:
        raise BuildError(f"no C compiler: {error}") from error
    if answer.returncode != 0:
        raise BuildError(f"{shlex.join(command)} failed:\n{answer.stderr}")
    unfinished.replace(program)
    return program
