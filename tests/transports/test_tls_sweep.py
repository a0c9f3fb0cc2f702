"""Every method of a TLS transport, called from inside of every callback: no crash, and one end at most."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from typing import Any

import pytest
from certificates import Certificates
from tls_stage import Buffered, Recorder, Reports, in_thread, on_loop, open_pair

from uvnet._loop.counters import snapshot

CALLBACKS = ("made", "data", "eof", "pause", "resume", "lost")


def exchange(transport: Any) -> None:
    old = transport.get_protocol()
    if old is None:
        return
    new = (Recorder if isinstance(old, Buffered) else Buffered)()
    new.transport = transport
    # Whatever is awaited is awaited of the first.
    new.lost, new.made = old.lost, old.made
    new.actions = old.actions
    transport.set_protocol(new)


def lose_protocol(transport: Any) -> None:
    transport.set_protocol(asyncio.Protocol())
    transport.abort()


METHODS: dict[str, Callable[[Any], Any]] = {
    "abort": lambda transport: transport.abort(),
    "abort twice": lambda transport: (transport.abort(), transport.abort()),
    "close": lambda transport: transport.close(),
    "close, abort": lambda transport: (transport.close(), transport.abort()),
    "abort, close": lambda transport: (transport.abort(), transport.close()),
    "close twice": lambda transport: (transport.close(), transport.close()),
    "pause": lambda transport: (transport.pause_reading(), transport._loop.call_soon(transport.resume_reading)),
    "pause, resume": lambda transport: (transport.pause_reading(), transport.resume_reading()),
    "resume": lambda transport: transport.resume_reading(),
    "write": lambda transport: transport.write(b"more"),
    "write much": lambda transport: transport.write(bytes(1_000_000)),
    "write, close": lambda transport: (transport.write(b"more"), transport.close()),
    "write much, close": lambda transport: (transport.write(bytes(1_000_000)), transport.close()),
    "write, abort": lambda transport: (transport.write(b"more"), transport.abort()),
    "close, write": lambda transport: (transport.close(), transport.write(b"late")),
    "writelines": lambda transport: transport.writelines([b"a", b"", bytearray(70_000)]),
    "limits": lambda transport: transport.set_write_buffer_limits(high=0),
    "exchange": exchange,
    "exchange, write": lambda transport: (exchange(transport), transport.write(b"x")),
    "exchange, close": lambda transport: (exchange(transport), transport.close()),
    "lose": lose_protocol,
    "force": lambda transport: transport._force_close(OSError("by force")),
    "ask": lambda transport: (
        transport.is_closing(), transport.is_reading(), transport.get_write_buffer_size(),
        [transport.get_extra_info(name) for name in ("peercert", "socket", "peername", "cipher", "sslcontext")],
        repr(transport),
    ),
    "raise": lambda transport: 1 // 0,
}  # fmt: skip


@pytest.mark.parametrize("protocol", [Recorder, Buffered])
@pytest.mark.parametrize("side", ["server", "client"])
@pytest.mark.parametrize("callback", CALLBACKS)
@pytest.mark.parametrize("method", METHODS)
def test_any_method_in_any_callback(
    certificates: Certificates, method: str, callback: str, side: str, protocol: Any
) -> None:
    reports: Reports = []
    calls = 0

    def act(each: Any) -> None:
        nonlocal calls
        calls += 1
        if calls <= 20:
            METHODS[method](each.transport)

    async def scenario() -> Any:
        acting = {side: lambda: protocol(**{callback: act})}
        far = near = None
        with contextlib.suppress(OSError, ZeroDivisionError):
            far, near = await open_pair(certificates, None, **acting, ssl_shutdown_timeout=5)
        if near is None or far is None:
            return []
        here, there = (far, near) if side == "server" else (near, far)
        # Data to hear of, and so much to write that it is to pause.
        there.transport.write(bytes(100_000))
        there.transport.pause_reading()
        here.transport.write(bytes(1_000_000))
        for _ in range(10):
            await asyncio.sleep(0)
        there.transport.resume_reading()
        for _ in range(10):
            await asyncio.sleep(0)
        there.transport.close()
        await there.lost
        if method == "lose":
            here.transport.abort()
            return there.trace
        await here.lost
        return here.trace

    trace = on_loop(scenario, reports=reports)
    assert sum(isinstance(each, tuple) for each in trace) <= 1
    assert {type(report["exception"]) for report in reports} <= (
        {ZeroDivisionError} if method == "raise" else {RuntimeError} if "exchange" in method else set()
    ), reports
    assert snapshot() == {"handles": 0, "requests": 0, "pinned": 0}


def test_other_threads(certificates: Certificates) -> None:
    async def scenario() -> Any:
        far, near = await open_pair(certificates)
        transport = near.transport
        done = []

        def meddle() -> None:
            for name, arguments in (
                ("write", (b"x",)), ("writelines", ([b"x"],)), ("close", ()), ("abort", ()), ("pause_reading", ()),
                ("resume_reading", ()), ("set_protocol", (near,)), ("set_write_buffer_limits", ()),
            ):  # fmt: skip
                try:
                    getattr(transport, name)(*arguments)
                except RuntimeError:
                    continue
                done.append(name)

        await in_thread(meddle)
        far.transport.write(b"unharmed")
        await near.until(8)
        transport.close()
        await near.lost
        await far.lost
        return done, far.trace

    assert on_loop(scenario) == ([], ["made", "eof", ("lost", None)])
