"""Each allocation of an operation fails once: no crash, no leak, no byte lost in silence.  See isolated/shortage.py."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest
from certificates import Certificates
from places import ISOLATED

import uvnet

PACKAGE_PARENT = Path(uvnet.__file__).parent.parent

OPERATIONS = {
    "accept": "both", "accept-limited": "both", "connect-tcp": "both", "connect-unix": "both", "look-up": "both",
    "adopt-socket": "both", "receive-file": "both", "adopt-descriptor": "both", "take-over": "python", "listen-tcp": "both", "listen-unix": "both",
    "listen-given": "both", "listen-server": "both", "read": "python", "read-much": "python", "iterate": "both",
    "write": "c", "write-many": "c", "write-callbacks": "both", "write-much": "both",
    "write-without-spares": "both", "write-refused": "python", "close": "python", "close-server": "python",
    "relay-made": "both", "relay-running": "c", "relay-left": "python", "splice-left": "both", "proxy": "both",
    "tls-handshake": "both", "tls-echo": "both",
}  # fmt: skip
OF_TRANSPORTS = {
    "accept": "both", "accept-buffered": "both", "accept-unix": "both", "accept-tls": "both",
    "accept-tls-buffered": "both", "listen": "both", "connect": "python", "connect-tls": "python", "echo": "none",
    "echo-buffered": "both", "echo-tls": "python", "echo-tls-buffered": "both", "write": "none",
    "write-tls": "python", "write-many": "both", "write-many-tls": "both", "write-much": "both",
    "write-much-tls": "both", "write-eof": "c", "exchange": "none", "exchange-tls": "python", "names": "python",
    "close": "python", "close-tls": "python", "abort": "python", "abort-tls": "python", "sendfile": "both",
    "sendfile-tls": "both", "start-tls": "python", "peer-ends": "python", "peer-ends-tls": "python",
    "peer-breaks": "python", "peer-breaks-tls": "python",
}  # fmt: skip
OF_CHANNELS = ("make", "frame", "frames", "descriptors", "end", "message", "socket", "deal")
OF_DATAGRAMS = ("make", "pass_on", "refused", "end")
# How much is on its way at that moment is a matter of time, and what Python keeps for another use one of its version.
AT_TIMES = {
    ("relay-left", "c"), ("splice-left", "c"), ("relay-running", "c"), ("close-server", "python"), ("read-much", "python"),
}  # fmt: skip


@pytest.fixture(scope="module")
def allocators(tmp_path_factory: pytest.TempPathFactory) -> Path:
    compiler = shutil.which("cc")
    if compiler is None or sys.platform != "linux":
        pytest.skip("needs a C compiler and LD_PRELOAD")
    library = tmp_path_factory.mktemp("allocators") / "failing_allocators.so"
    include = sysconfig.get_path("include")
    source = ISOLATED / "failing_allocators.c"
    subprocess.run(
        [compiler, "-shared", "-fPIC", "-O1", f"-I{include}", "-o", library, source, "-ldl"], check=True, timeout=60
    )
    return library


# Its own crash, in PyFunction_NewWithQualName(): of a closure, of a generator expression.
CRASHES = sys.version_info[:2] == (3, 13)
ALLOCATORS = [
    pytest.param(
        "python", marks=pytest.mark.skipif(CRASHES, reason="CPython 3.13 crashes where a function object gets no memory")
    ),
    "c",
]


def fail_each_once(
    script: str, needs: str | None, operation: str, allocator: str, allocators: Path, **environment: str
) -> None:
    """`needs`: which allocators the operation asks, where that is always the same."""
    environment = {
        **os.environ,
        "FAILING_ALLOCATORS": str(allocators),
        "PYTHONPATH": str(PACKAGE_PARENT),
        **environment,
    }
    if allocator == "c":
        environment["LD_PRELOAD"] = str(allocators)
    done = subprocess.run(
        [sys.executable, "-X", "faulthandler", str(ISOLATED / script), operation, allocator],
        capture_output=True, text=True, timeout=100, stdin=subprocess.DEVNULL, env=environment,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    if needs is not None:
        assert done.stdout == f"allocations: {'some' if needs in ('both', allocator) else 'none'}\n"


@pytest.mark.skipif("libasan" in os.environ.get("LD_PRELOAD", ""), reason="AddressSanitizer has malloc() itself")
@pytest.mark.parametrize("allocator", ALLOCATORS)
@pytest.mark.parametrize("operation", OPERATIONS)
def test_every_allocation_fails_once(
    allocators: Path, certificates: Certificates, tmp_path: Path, operation: str, allocator: str
) -> None:
    needs = None if (operation, allocator) in AT_TIMES or operation.startswith("tls-") else OPERATIONS[operation]
    fail_each_once(
        "short_of_memory.py", needs, operation, allocator, allocators,
        DIRECTORY=str(tmp_path), CERTIFICATES=str(certificates.directory),
    )  # fmt: skip


@pytest.mark.skipif("libasan" in os.environ.get("LD_PRELOAD", ""), reason="AddressSanitizer has malloc() itself")
@pytest.mark.parametrize("allocator", ALLOCATORS)
@pytest.mark.parametrize("operation", OF_TRANSPORTS)
def test_every_allocation_of_transports_fails_once(
    allocators: Path, certificates: Certificates, operation: str, allocator: str
) -> None:
    # How often Python itself asks is a matter of its version, and how much is on its way one of time.
    known = allocator == "c" and not operation.startswith(("sendfile", "write-much"))
    needs = OF_TRANSPORTS[operation] if known else None
    fail_each_once(
        "short_of_memory_transports.py", needs, operation, allocator, allocators,
        CERTIFICATES=str(certificates.directory),
    )  # fmt: skip


@pytest.mark.skipif("libasan" in os.environ.get("LD_PRELOAD", ""), reason="AddressSanitizer has malloc() itself")
@pytest.mark.parametrize("allocator", ALLOCATORS)
@pytest.mark.parametrize("operation", OF_CHANNELS)
def test_every_allocation_of_channels_fails_once(allocators: Path, operation: str, allocator: str) -> None:
    fail_each_once("short_of_memory_channels.py", "both", operation, allocator, allocators)


@pytest.mark.skipif("libasan" in os.environ.get("LD_PRELOAD", ""), reason="AddressSanitizer has malloc() itself")
@pytest.mark.parametrize("allocator", ALLOCATORS)
@pytest.mark.parametrize("operation", OF_DATAGRAMS)
def test_every_allocation_of_datagrams_fails_once(allocators: Path, operation: str, allocator: str) -> None:
    fail_each_once("short_of_memory_datagrams.py", None, operation, allocator, allocators)
