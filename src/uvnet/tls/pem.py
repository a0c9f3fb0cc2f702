"""Keys and certificates as they are given: PEM as text or bytes, or the path of a file.

OpenSSL reads keys from files alone, so what is given as text gets a name for as long as that takes.
Node: "tls.createSecureContext()".
"""

from __future__ import annotations

import contextlib
import os
import ssl
import tempfile
from collections.abc import Generator
from pathlib import Path
from typing import Any

from uvnet.errors.codes import NetValueError, invalid_type, invalid_value
from uvnet.errors.tls import refused_by_ssl

__all__ = ["load_authorities", "load_certificate"]

_MOST = 16_777_216  # bytes of a file; what has more is none of keys


class _Pem:
    """One option: what it says, and how to call it in an error."""

    def __init__(self, given: Any, name: str) -> None:
        if isinstance(given, str | bytes | bytearray | memoryview):
            data = given.encode() if isinstance(given, str) else bytes(given)
            if b"-----BEGIN " in data:
                self.data, self.path, self.what = data, None, f"the PEM text given as {name}"
                return
            if b"\n" in data or not data or len(data) > 4096:
                raise invalid_value(f"options.{name}", "...", "is neither PEM nor the path of a file")
            given = os.fsdecode(data)
        if not isinstance(given, os.PathLike | str):
            raise invalid_type(f"options.{name}", "PEM as str or bytes, or a path", given)
        self.path = os.fspath(given)
        try:
            with Path(os.fsdecode(self.path)).open("rb") as file:
                self.data = file.read(_MOST)
        except ValueError as error:
            raise invalid_value(f"options.{name}", given, f"is no path: {error}") from None
        self.what = f"the file {str(self.path)!r}"
        if b"-----BEGIN " not in self.data:
            raise self.refused(name, "has no PEM in it", "ERR_OSSL_PEM_NO_START_LINE")

    def refused(self, name: str, reason: str, code: str) -> NetValueError:
        return NetValueError(code, f"The property 'options.{name}' cannot be used: {self.what} {reason}")


def load_certificate(context: ssl.SSLContext, cert: Any, key: Any, passphrase: Any) -> None:
    """Give the context a certificate with those that sign it, and its key, which may be in the same PEM.

    Raises OSError for a file that cannot be read, TypeError or ValueError for what is wrong with one.
    """
    if cert is None:
        raise invalid_value("options.key", "...", "needs the certificate that it is of: options.cert")
    if passphrase is not None and not isinstance(passphrase, str | bytes | bytearray):
        raise invalid_type("options.passphrase", "of type str or bytes", passphrase)
    certificates = _Pem(cert, "cert")
    if b"CERTIFICATE-----" not in certificates.data:
        raise certificates.refused("cert", "has no certificate", "ERR_OSSL_PEM_NO_START_LINE")
    keys = certificates if key is None else _Pem(key, "key")
    name = "cert" if key is None else "key"
    if b"PRIVATE KEY-----" not in keys.data:
        advice = "has no private key" + (", and options.key is not given" if key is None else "")
        raise keys.refused(name, advice, "ERR_OSSL_PEM_NO_START_LINE")
    asked = False

    def ask() -> Any:
        # Without it OpenSSL would ask the terminal.
        nonlocal asked
        asked = True
        return b"" if passphrase is None else passphrase

    try:
        with _named(certificates.data) as cert_path, _named(keys.data) as key_path:
            context.load_cert_chain(cert_path, key_path, password=ask)
    except ssl.SSLError as error:
        if error.reason == "KEY_VALUES_MISMATCH":
            raise refused_by_ssl(f"options.{name}", f"{keys.what} is not of {certificates.what}", error) from None
        if asked:
            advice = "is encrypted: give options.passphrase" if passphrase is None else \
                "cannot be decrypted: options.passphrase is another's"
            raise keys.refused(name, advice, "ERR_OSSL_BAD_DECRYPT") from None
        if error.reason is not None:
            raise refused_by_ssl("options.cert", certificates.what, error) from None
        if not _can_be_read(certificates.data):
            raise certificates.refused("cert", "has a certificate that cannot be read", "ERR_OSSL_ASN1_ERROR") from None
        raise keys.refused(name, "has a private key that cannot be read", "ERR_OSSL_UNSUPPORTED") from None


def load_authorities(context: ssl.SSLContext, given: Any) -> None:
    """Have the context trust these certificates; raises as load_certificate() does."""
    for one in given if isinstance(given, list | tuple) else (given,):
        authorities = _Pem(one, "ca")
        if b"CERTIFICATE-----" not in authorities.data:
            raise authorities.refused("ca", "has no certificate", "ERR_OSSL_PEM_NO_START_LINE")
        try:
            context.load_verify_locations(cadata=authorities.data.decode("ascii"))
        except UnicodeDecodeError:
            raise authorities.refused("ca", "is no PEM: it has other characters", "ERR_OSSL_PEM_BAD_BASE64_DECODE") \
                from None
        except ssl.SSLError as error:
            raise refused_by_ssl("options.ca", authorities.what, error) from None


def _can_be_read(certificates: bytes) -> bool:
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cadata=certificates.decode("latin1"))
    except (ssl.SSLError, UnicodeEncodeError):
        return False
    return True


@contextlib.contextmanager
def _named(data: bytes) -> Generator[str]:
    """A name by which OpenSSL can read this; in memory alone where the system can."""
    if hasattr(os, "memfd_create") and Path("/proc/self/fd").is_dir():
        descriptor = os.memfd_create("uvnet")
        with open(descriptor, "w+b") as file:
            file.write(data)
            file.flush()
            yield f"/proc/self/fd/{descriptor}"
        return
    with tempfile.NamedTemporaryFile() as file:
        file.write(data)
        file.flush()
        yield file.name
