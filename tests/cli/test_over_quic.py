"""`--quic` of echo and cat: a stream in the place of a connection, and what is refused."""

from __future__ import annotations

import pytest
from certificates import Certificates
from programs import COMMAND, run, started

pytest.importorskip("aioquic", reason="QUIC needs the extra aioquic, and that CPython 3.11")


def test_echo_and_cat(certificates: Certificates) -> None:
    cert, ca = str(certificates.path("server")), str(certificates.authority)
    with started(*COMMAND, "echo", "-v", "127.0.0.1:0", "--quic", "--cert", cert) as echo:
        line = echo.line()
        where = f"localhost:{line.rpartition(':')[2].strip()}"
        assert run(*COMMAND, "cat", "--quic", "--ca", ca, where, given=b"hello") == (0, b"hello", "")
        code, output, errors = run(*COMMAND, "cat", "-v", "--quic", "--insecure", where, given=b"x" * 300_000)
        assert (code, len(output)) == (0, 300_000) and "QUIC, TLS_AES_128_GCM_SHA256" in errors
        assert "300000 bytes" in errors
        code, output, errors = run(*COMMAND, "cat", "--quic", where, given=b"hello")
        assert (code, output) == (1, b"") and "certificate" in errors
        code, output, errors = run(*COMMAND, "cat", "--quic", "--insecure", "--alpn", "other", where, given=b"hello")
        assert (code, output) == (1, b"") and "Handshake failed" in errors


def test_what_cannot_be() -> None:
    code, _, errors = run(*COMMAND, "echo", "--quic", "0")
    assert code == 1 and "options.cert" in errors
    code, _, errors = run(*COMMAND, "cat", "--quic", "unix:/tmp/none")
    assert code == 1 and "no QUIC on Unix sockets" in errors
