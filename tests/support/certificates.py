"""Certificates for tests of TLS, made by the `openssl` command, and contexts that use them."""

from __future__ import annotations

import shutil
import ssl
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

__all__ = ["OPENSSL", "Certificates"]

OPENSSL = shutil.which("openssl")
_KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
_VALID = [("-days", 2)]
# What OpenSSL has for it from 3.4 on, and what it took before.
_EXPIRED = [("-not_before", "20200101000000Z", "-not_after", "20200102000000Z"), ("-days", -1)]


def _openssl(*arguments: object, ways: Sequence[tuple[object, ...]] = ((),)) -> None:
    """Run it, in the first of several ways that it knows."""
    assert OPENSSL is not None
    for way in ways:
        command = [OPENSSL, *map(str, arguments + way)]
        made = subprocess.run(command, capture_output=True, text=True, timeout=60)
        if made.returncode == 0:
            return
    pytest.skip(f"openssl {arguments[0]} cannot make certificates: {made.stderr}")


class Certificates:
    """An authority, and what it has signed for localhost: `server`, `client`, `expired`; `other` is of nobody."""

    def __init__(self, directory: Path) -> None:
        if OPENSSL is None:
            pytest.skip("openssl, which makes the certificates, is not installed")
        self.directory = directory
        self.authority = directory / "authority.pem"
        self._self_signed("authority", "authority")
        self._self_signed("other", "localhost")
        for name, ways in (("server", _VALID), ("client", _VALID), ("expired", _EXPIRED)):
            self._signed(name, ways)

    def path(self, name: str) -> Path:
        """The file with the certificate and its key."""
        return self.directory / f"{name}.pem"

    def server(self, version: ssl.TLSVersion | None = None, name: str = "server") -> ssl.SSLContext:
        """A server's context, for one version of TLS if that is said."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.path(name))
        return _only(context, version)

    def client(self, version: ssl.TLSVersion | None = None) -> ssl.SSLContext:
        """A client's context that trusts the authority alone."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.load_verify_locations(self.authority)
        return _only(context, version)

    def _self_signed(self, name: str, subject: str) -> None:
        path = self.path(name)
        key = self.directory / f"{name}.key"
        _openssl("req", "-x509", *_KEY, "-keyout", key, "-out", path, "-subj", f"/CN={subject}", "-days", 2)
        path.write_bytes(path.read_bytes() + key.read_bytes())

    def _signed(self, name: str, ways: Sequence[tuple[object, ...]]) -> None:
        key, request, path = (self.directory / f"{name}{suffix}" for suffix in (".key", ".csr", ".pem"))
        names = self.directory / "names"
        names.write_text("subjectAltName=DNS:localhost,IP:127.0.0.1\n")
        _openssl("req", *_KEY, "-keyout", key, "-out", request, "-subj", f"/CN=localhost/O={name}")
        _openssl("x509", "-req", "-in", request, "-CA", self.authority, "-CAkey", self.directory / "authority.key",
                 "-CAcreateserial", "-extfile", names, "-out", path, ways=ways)  # fmt: skip
        path.write_bytes(path.read_bytes() + key.read_bytes())


def _only(context: ssl.SSLContext, version: ssl.TLSVersion | None) -> ssl.SSLContext:
    if version is not None:
        context.minimum_version = context.maximum_version = version
    return context
