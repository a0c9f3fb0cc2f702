"""The network of a benchmark: loopback, and where it can be had, TCP that does not pace.

Under bbr Linux hands out what a connection sends packet by packet, by a timer. On loopback that measures the
timers of the machine, in a virtual one a trap into the hypervisor each: a proxy in bulk was seen to cost twice as
much in one run as in the next.
"""

from __future__ import annotations

import ctypes
import functools
import os
import socket
import struct
from fcntl import ioctl
from pathlib import Path

PACING = ("bbr",)
# The kernel's own default, and what every kernel has.
STEADY = ("cubic", "reno")

CONGESTION_CONTROL = Path("/proc/sys/net/ipv4/tcp_congestion_control")
NEW_NETWORK, NEW_USER = 0x40000000, 0x10000000
GET_FLAGS, SET_FLAGS, FLAG_UP = 0x8913, 0x8914, 1


def _congestion_control() -> str:
    try:
        return CONGESTION_CONTROL.read_text().strip()
    except OSError:
        return "unknown"


def _start_loopback() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        request = struct.pack("16sh14x", b"lo", 0)
        (flags,) = struct.unpack_from("h", ioctl(any_socket, GET_FLAGS, request), 16)
        ioctl(any_socket, SET_FLAGS, struct.pack("16sh14x", b"lo", flags | FLAG_UP))


def _choose_steady() -> None:
    for name in STEADY:
        try:
            CONGESTION_CONTROL.write_text(name)
        except OSError:
            continue
        return
    raise OSError("the congestion control cannot be chosen")


def _enter_own_network() -> None:
    """Moves this process, and those it starts, to a network that has loopback alone."""
    library = ctypes.CDLL(None, use_errno=True)
    user, group = os.getuid(), os.getgid()
    is_root = user == 0
    if library.unshare(NEW_NETWORK if is_root else NEW_NETWORK | NEW_USER) != 0:
        raise OSError(ctypes.get_errno(), "unshare")
    if not is_root:
        Path("/proc/self/setgroups").write_text("deny")
        Path("/proc/self/uid_map").write_text(f"{user} {user} 1")
        Path("/proc/self/gid_map").write_text(f"{group} {group} 1")
    _start_loopback()
    _choose_steady()


def _can_have_own_network() -> bool:
    """Whether a child can move: half a move could not be undone."""
    child = os.fork()
    if child == 0:
        status = 1
        try:
            _enter_own_network()
            status = 0
        finally:
            os._exit(status)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


@functools.cache
def settle_network() -> str:
    """Moves to a network where TCP does not pace, if this one does; says for the report what there is now."""
    here = _congestion_control()
    if not here.startswith(PACING):
        return here
    if not _can_have_own_network():
        return f"{here}, which paces by timers; no network namespace could be had"
    _enter_own_network()
    return f"{_congestion_control()}, in a network namespace"
