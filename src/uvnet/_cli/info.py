"""python -m uvnet info: what a bug report needs: versions, limits, and what this system offers."""

from __future__ import annotations

import argparse
import asyncio
import os
import platform
import resource
import socket
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import uvloop

import uvnet
from uvnet._cli.program import add_parser
from uvnet._uv.table import libuv_version

__all__ = ["add_info"]


def add_info(subcommands: Any) -> None:
    add_parser(
        subcommands,
        "info",
        "versions, limits and what is available here",
        "Print the versions in use, the limits of this process and system, and what is available.",
        _start,
        takes_addresses=False,
    )


def _start(_arguments: argparse.Namespace) -> int:
    for title, rows in (
        ("Versions", _versions()),
        ("Limits", _limits()),
        ("Available", _available()),
    ):
        print(title)
        for name, value in rows:
            print(f"  {name:22} {value}")
    return 0


def _versions() -> Iterator[tuple[str, str]]:
    yield "uvnet", f"{uvnet.__version__} in {Path(uvnet.__file__).parent}"
    yield "uvloop", uvloop.__version__  # type: ignore[attr-defined]
    yield "libuv", f"{libuv_version()}, inside uvloop"
    yield "event loop", uvnet.run(_name_of_loop())
    yield "Python", f"{platform.python_implementation()} {platform.python_version()}"
    yield "system", f"{platform.system()} {platform.release()} {platform.machine()}"


async def _name_of_loop() -> str:
    kind = type(asyncio.get_running_loop())
    return f"{kind.__module__}.{kind.__qualname__}"


def _limits() -> Iterator[tuple[str, str]]:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    yield "open files", f"{_limit(soft)}, may be raised to {_limit(hard)} (RLIMIT_NOFILE)"
    yield "CPUs", f"{_usable_cpus()} of {os.cpu_count()}"
    for name, path in (
        ("listen backlog", "net/core/somaxconn"),
        ("local ports", "net/ipv4/ip_local_port_range"),
        ("receive buffer", "net/ipv4/tcp_rmem"),
        ("send buffer", "net/ipv4/tcp_wmem"),
    ):
        found = _kernel_setting(path)
        if found is not None:
            yield name, f"{found} ({path})"


def _limit(value: int) -> str:
    return "no limit" if value == resource.RLIM_INFINITY else str(value)


def _usable_cpus() -> int:
    if sys.platform == "linux":
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _kernel_setting(path: str) -> str | None:
    try:
        return " ".join(Path("/proc/sys", path).read_text().split())
    except OSError:
        return None


def _available() -> Iterator[tuple[str, str]]:
    yield "IPv6", _yes(_can_bind(socket.AF_INET6, ("::1", 0)))
    yield "dual stack", _yes(socket.has_dualstack_ipv6())
    yield "abstract Unix sockets", _yes(_can_bind(socket.AF_UNIX, f"\0uvnet-info-{os.getpid()}"))
    yield "reuse_port", _yes(hasattr(socket, "SO_REUSEPORT"))
    yield "splice", _yes(sys.platform == "linux")
    yield "GIL", "on" if getattr(sys, "_is_gil_enabled", lambda: True)() else "off"


def _can_bind(family: int, address: Any) -> bool:
    try:
        with socket.socket(family) as probe:
            probe.bind(address)
    except OSError:
        return False
    return True


def _yes(value: bool) -> str:
    return "yes" if value else "no"
