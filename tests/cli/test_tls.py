"""`--tls` of the subcommands: echo, cat and proxy with TLS, what -v says of it, and what is refused."""

from __future__ import annotations

import subprocess
from pathlib import Path

from certificates import Certificates
from programs import COMMAND, run, started


def test_echo_and_cat(certificates: Certificates) -> None:
    server = certificates.path("server")
    with started(*COMMAND, "echo", "127.0.0.1:0", "--tls", "--cert", str(server)) as echo:
        where = echo.line().split()[-1].replace("127.0.0.1", "localhost")
        trusting = ("--tls", "--ca", str(certificates.authority))
        code, output, errors = run(*COMMAND, "cat", "-v", *trusting, where, given=b"hello")
        assert (code, output) == (0, b"hello")
        assert "uvnet: TLSv1.3, TLS_" in errors and "CN=localhost, O=server, signed by CN=authority, verified" in errors
        assert "DNS:localhost" in errors and "SHA-256 " in errors
        code, output, errors = run(*COMMAND, "cat", "--tls", where, given=b"secret")
        assert (code, output) == (1, b"") and "certificate verify failed" in errors
        code, output, errors = run(*COMMAND, "cat", *trusting, "--servername", "example.org", where, given=b"secret")
        assert (code, output) == (1, b"") and "example.org" in errors
        code, output, errors = run(*COMMAND, "cat", "-v", "--tls", "--insecure", where, given=b"hello")
        assert (code, output) == (0, b"hello") and "not verified" in errors


def test_proxy(certificates: Certificates) -> None:
    cert = str(certificates.path("server"))
    ca = str(certificates.authority)
    with (
        started(*COMMAND, "echo", "127.0.0.1:0", "--tls", "--cert", cert) as echo,
        started(
            *COMMAND, "proxy", "127.0.0.1:0", echo.line().split()[-1].replace("127.0.0.1", "localhost"),
            "--upstream-tls", "--ca", ca, "--tls", "--cert", cert,
        ) as proxy,
    ):  # fmt: skip
        where = proxy.line().split()[-1].replace("127.0.0.1", "localhost")
        assert run(*COMMAND, "cat", "--tls", "--ca", ca, where, given=b"hello") == (0, b"hello", "")


def test_cat_as_a_server(certificates: Certificates) -> None:
    cert = str(certificates.path("server"))
    listening = (*COMMAND, "cat", "-v", "-l", "--tls", "--cert", cert, "127.0.0.1:0")
    with started(*listening, stdin=subprocess.DEVNULL) as cat:
        where = cat.error_line().split()[-1].replace("127.0.0.1", "localhost")
        code, _, _ = run(*COMMAND, "cat", "--tls", "--ca", str(certificates.authority), where, given=b"hello")
        assert code == 0


def test_what_is_refused(certificates: Certificates, tmp_path: Path) -> None:
    code, _, errors = run(*COMMAND, "echo", "0", "--tls")
    assert code == 1 and "certificate" in errors
    missing = tmp_path / "missing.pem"
    code, _, errors = run(*COMMAND, "echo", "0", "--tls", "--cert", str(missing))
    assert code == 1 and str(missing) in errors
