"""A handle whose sendmsg(2) fails, for udp/test_refusals.py: argv has what happens."""

from __future__ import annotations

import asyncio
import ctypes
import errno
import sys

import uvloop
from datagrams import End
from waiting import turns, until

SHIM = ctypes.CDLL(None)
code, times, cut_up, calls = (
    ctypes.c_int.in_dll(SHIM, f"failing_sendmsg_{name}") for name in ("errno", "times", "cut_up", "calls")
)


async def waits() -> None:
    """Until the socket takes more, as far as there is room, and in order."""
    one, other = End(), End()
    code.value, times.value = errno.EAGAIN, -1
    payloads = [b"%d" % number for number in range(1500)]
    one.handle.send(payloads[:700], other.name)
    one.handle.send([], other.name)
    one.handle.send(payloads[700:], other.name, "127.0.0.3")
    assert (one.handle.packets_waiting, one.handle.packets_dropped, one.handle.packets_sent) == (1024, 476, 0)
    await turns(3)
    assert one.handle.packets_waiting == 1024 and not one.errors
    times.value = 0
    await until(lambda: len(other.got) == 1024)
    assert other.data == payloads[:1024]
    assert {remote[0] for _, remote, _ in other.got[700:]} == {"127.0.0.3"}
    # Nothing is left to do.
    calls.value = 0
    await turns(5)
    assert calls.value == 0
    times.value = -1
    one.handle.send([bytes(60_000)] * 50, other.name)
    assert one.handle.packets_waiting == 2097152 // 60_000
    await one.close()
    assert one.handle.packets_dropped == 476 + 50 and one.handle.packets_waiting == 0
    await other.close()


async def cannot_be_cut_up() -> None:
    """Then they go one by one; and for good where it is the interface that cannot."""
    one, other = End(), End()
    cut_up.value = 1
    for number, refused in ((errno.EMSGSIZE, 3), (errno.EINVAL, 3), (errno.EIO, 1)):
        code.value, times.value = number, -1
        other.batches.clear()
        calls.value = 0
        for count in range(3):
            one.handle.send([b"%d" % count] * 10, other.name)
        await until(lambda: len(other.got) == 30)
        assert calls.value in (30 + refused, 30), calls.value
        assert other.data == [b"0"] * 10 + [b"1"] * 10 + [b"2"] * 10
    assert one.errors == [] and one.handle.packets_dropped == 0
    await one.close()
    await other.close()


async def is_full() -> None:
    """The queue of the interface: they are lost, and nobody is told."""
    one, other = End(), End()
    code.value, times.value = errno.ENOBUFS, 1
    one.handle.send([b"lost"] * 3, other.name)
    one.handle.send([b"arrives"], other.name)
    await until(lambda: other.got)
    assert other.data == [b"arrives"] and one.handle.packets_dropped == 3 and not one.errors
    # What another datagram has come to is the result of the next call.
    code.value, times.value = errno.ECONNREFUSED, 2
    one.handle.send([b"a", b"b"], other.name)
    await until(lambda: len(other.got) == 3)
    assert not one.errors
    code.value, times.value = errno.EPERM, -1
    one.handle.send([b"a", b"bb", b"c"], other.name)
    times.value = 0
    await until(lambda: one.errors)
    await turns(3)
    ((error, remote),) = one.errors
    assert isinstance(error, PermissionError) and remote == other.name
    assert one.handle.packets_dropped == 6
    await one.close()
    await other.close()


async def main() -> None:
    await asyncio.wait_for(globals()[sys.argv[1]](), 20)


uvloop.run(main())
print("done")
