"""What the numbers were taken on: machine, versions, and how much others disturbed it."""

from __future__ import annotations

import ctypes
import os
import platform
import resource
import subprocess
from pathlib import Path

from bench.build import compiler_version
from bench.peers import module_version, node


def _output(command: list[str]) -> str:
    try:
        answer = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return answer.stdout.strip()


def _processor() -> str:
    try:
        text = Path("/proc/cpuinfo").read_text()
    except OSError:
        text = ""
    for line in text.splitlines():
        name, _, value = line.partition(":")
        if name.strip() == "model name":
            return value.strip()
    brand = _output(["sysctl", "-n", "machdep.cpu.brand_string"]) if not text else ""
    return brand or platform.processor() or platform.machine()


def _is_virtual() -> bool:
    try:
        return " hypervisor" in Path("/proc/cpuinfo").read_text()
    except OSError:
        return False


def _uvloop_libuv_version() -> str:
    try:
        import uvloop.loop

        library = ctypes.CDLL(uvloop.loop.__file__)
        library.uv_version_string.restype = ctypes.c_char_p
        return str(library.uv_version_string().decode())
    except (ImportError, OSError, AttributeError):
        return "unknown"


def machine() -> dict[str, str | int]:
    return {
        "processor": _processor(),
        "cores": os.cpu_count() or 0,
        "virtual": "virtual machine" if _is_virtual() else "no hypervisor seen",
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
    }


def versions() -> dict[str, str]:
    implementation = platform.python_implementation()
    found = {"python": f"{implementation} {platform.python_version()}"}
    for module in ("uvnet", "uvloop", "aiofastnet", "pyee", "uvicorn", "httptools"):
        found[module] = module_version(module)[0] or "absent"
    found["libuv in uvloop"] = _uvloop_libuv_version()
    found["node"] = "absent"
    if node():
        found["node"] = _output([node(), "-p", "process.version.slice(1)"])
        found["libuv in node"] = _output([node(), "-p", "process.versions.uv"])
    haproxy = _output(["haproxy", "-v"]).partition("\n")[0].split()
    found["haproxy"] = haproxy[2] if len(haproxy) > 2 else "absent"
    found["compiler"] = compiler_version()
    return found


class Disturbance:
    """How much time the hypervisor took away, and the load average, over a whole benchmark."""

    def __init__(self) -> None:
        self._begin = self._read()
        self._load_average = os.getloadavg()[0]

    @staticmethod
    def _read() -> tuple[int, int] | None:
        try:
            fields = Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:]
        except OSError:
            return None
        ticks = [int(field) for field in fields[:8]]
        return sum(ticks), ticks[7]

    def summary(self) -> dict[str, float]:
        found = {
            "load_average_before": round(self._load_average, 2),
            "load_average_after": round(os.getloadavg()[0], 2),
        }
        end = self._read()
        if self._begin is not None and end is not None and end[0] > self._begin[0]:
            share = (end[1] - self._begin[1]) / (end[0] - self._begin[0])
            found["stolen_by_the_hypervisor"] = round(share, 4)
        return found


def raise_descriptor_limit(wanted: int) -> None:
    """Thousands of connections pass the usual soft limit; child processes inherit the new one."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    ceiling = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    if soft != resource.RLIM_INFINITY and soft < ceiling:
        resource.setrlimit(resource.RLIMIT_NOFILE, (ceiling, hard))
