"""Where the suites of others are, how they get a loop, and what of them is not expected to pass, with the reason."""

from __future__ import annotations

import asyncio
import importlib
import sys
import unittest
from collections.abc import Callable
from pathlib import Path
from typing import Any

__all__ = ["SUITES", "Suite"]


class Suite:
    """One suite."""

    modules: tuple[str, ...] = ()
    expected: dict[str, str] = {}  # module.Class.test: why it fails, or hangs

    def __init__(self, place: Path | None) -> None:
        import uvloop

        from uvnet.transports import new_event_loop

        self.place = place
        self.factories: dict[str, Callable[[], Any]] = {"uvnet": new_event_loop, "uvloop": uvloop.new_event_loop}
        self.new_event_loop = self.factories["uvnet"]

    def use(self, loop: str) -> None:
        """Run on this loop from now on."""
        self.new_event_loop = self.factories[loop]

    def load(self, module: str) -> unittest.TestSuite:
        loaded = importlib.import_module(module)
        return unittest.defaultTestLoader.loadTestsFromModule(loaded)


class Uvloop(Suite):
    """uvloop's own, from its source distribution."""

    modules = tuple(
        f"tests.test_{name}"
        for name in ("tcp", "unix", "context", "sockets", "base", "aiohttp", "dealloc", "regr1")
    )
    expected = {
        "test_tcp.Test_UV_TCPSSL.test_flush_before_shutdown": "calls uvloop's own SSLProtocol",
        "test_tcp.Test_UV_TCPSSL.test_remote_shutdown_receives_trailing_data": "calls uvloop's own SSLProtocol",
        "test_tcp.Test_UV_TCPSSL.test_shutdown_timeout_handler_not_set": "wants what came before an end without "
        "close_notify to be lost where reading is paused; here it is delivered first",
        "test_base.TestBaseUV.test_call_later_rounding": "of uvloop's timers; a busy machine is late",
        "test_base.TestBaseAIO.test_call_later_rounding": "of asyncio's own loop; a busy machine is late",
    }

    def __init__(self, place: Path | None) -> None:
        super().__init__(place)
        if place is None:
            raise SystemExit("--at: the unpacked source distribution of uvloop")
        sys.path.insert(0, str(place))

    def use(self, loop: str) -> None:
        import uvloop

        super().use(loop)
        uvloop.new_event_loop = self.new_event_loop  # type: ignore[assignment]


class CPython(Suite):
    """CPython's test_asyncio, from the interpreter."""

    modules = tuple(
        f"test.test_asyncio.test_{name}"
        for name in ("buffered_proto", "sendfile", "server", "sslproto", "ssl", "streams", "events", "sock_lowlevel")
    )

    expected = {
        "test_sendfile.EPollEventLoopTests.test_sendfile_no_fallback_for_fallback_transport": "a mock of a transport "
        "of asyncio's own",
        "test_ssl.TestSSL.test_flush_before_shutdown": "calls asyncio's own SSLProtocol",
        "test_ssl.TestSSL.test_remote_shutdown_receives_trailing_data": "calls asyncio's own SSLProtocol",
        "test_ssl.TestSSL.test_shutdown_timeout_handler_not_set": "wants what came before an end without close_notify "
        "to be lost where reading is paused; here it is delivered first",
        "test_events.EPollEventLoopTests.test_add_signal_handler": "uvloop: signals sent by the test itself",
        "test_events.EPollEventLoopTests.test_bidirectional_pty": "uvloop: one pipe transport for both directions",
        "test_events.EPollEventLoopTests.test_create_datagram_endpoint": "uvloop: what a UDP transport is",
        "test_events.EPollEventLoopTests.test_create_datagram_endpoint_ipv6": "uvloop: what a UDP transport is",
        "test_events.EPollEventLoopTests.test_create_datagram_endpoint_sock": "uvloop: what a UDP transport is",
        "test_events.EPollEventLoopTests.test_create_server_multiple_hosts_ipv4": "mocks the sockets of asyncio's own loop",
        "test_events.EPollEventLoopTests.test_create_server_multiple_hosts_ipv6": "mocks the sockets of asyncio's own loop",
        "test_events.EPollEventLoopTests.test_prompt_cancellation": "calls a private method of asyncio's own loop",
        "test_events.EPollEventLoopTests.test_run_until_complete_nesting": "uvloop: a warning about a coroutine",
        "test_events.EPollEventLoopTests.test_subprocess_shell_invalid_args": "uvloop: errors of subprocesses",
        "test_events.EPollEventLoopTests.test_timeout_rounding": "calls a private method of asyncio's own loop",
        "test_events.EPollEventLoopTests.test_unclosed_pipe_transport": "uvloop: what a pipe transport says of itself",
        "test_events.EPollEventLoopTests.test_writer_callback": "uvloop: remove_writer() returns nothing",
        "test_sock_lowlevel.EPollEventLoopTests.test_recvfrom": "uvloop: no sock_recvfrom()",
        "test_sock_lowlevel.EPollEventLoopTests.test_recvfrom_into": "uvloop: no sock_recvfrom_into()",
        "test_sock_lowlevel.EPollEventLoopTests.test_sendto_blocking": "uvloop: no sock_sendto()",
        "test_sock_lowlevel.EPollEventLoopTests.test_sock_client_racing": "uvloop: two that wait for one socket",
    }

    def use(self, loop: str) -> None:
        super().use(loop)
        asyncio.new_event_loop = self.new_event_loop

    def load(self, module: str) -> unittest.TestSuite:
        """Of classes that are there for each kind of selector one, and none that is about asyncio's own loop."""
        found = unittest.TestSuite()
        for name, kind in sorted(vars(importlib.import_module(module)).items()):
            if not (isinstance(kind, type) and issubclass(kind, unittest.TestCase)) or kind.__module__ != module:
                continue
            if hasattr(kind, "create_event_loop"):
                if not name.startswith("EPoll"):
                    continue
                kind.create_event_loop = lambda _self: self.new_event_loop()  # type: ignore[attr-defined]
            elif module.endswith("_events"):
                continue
            if hasattr(kind, "new_loop"):
                kind.new_loop = lambda _self: self.new_event_loop()
            found.addTests(unittest.defaultTestLoader.loadTestsFromTestCase(kind))
        return found


SUITES: dict[str, type[Suite]] = {"uvloop": Uvloop, "cpython": CPython}
