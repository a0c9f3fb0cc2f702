"""QuicContext: certificates, their keys, whom to trust, ciphers and groups, made once for many sessions.  Section 5.

Node: "tls.createSecureContext()", as far as there is TLS 1.3 in it.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    load_der_private_key,
    load_pem_private_key,
    pkcs12,
)

from uvnet.arguments.checks import merge_options, reject_unknown
from uvnet.errors.codes import invalid_type, invalid_value

__all__ = ["QuicContext", "context_of", "create_quic_context"]

_MOST = 16_777_216  # bytes of a file
_NAMES = frozenset(("ca", "cert", "ciphers", "crl", "ecdh_curve", "groups", "key", "passphrase", "pfx"))
CIPHERS = ("TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256")
# Names of OpenSSL's, and what else they are called.
GROUPS = {
    "P-256": "P-256", "prime256v1": "P-256", "secp256r1": "P-256", "P-384": "P-384", "secp384r1": "P-384",
    "P-521": "P-521", "secp521r1": "P-521", "X25519": "X25519", "X448": "X448",
}  # fmt: skip


class QuicContext:
    """What create_quic_context() makes; not made by users otherwise."""

    def __init__(self, options: Mapping[str, Any], server: bool) -> None:
        self.certificates: list[Any] = []
        self.key: Any = None
        self.authorities: list[Any] | None = None
        self.revoked: list[Any] = []
        self.ciphers = _ciphers(options.get("ciphers"))
        self.groups = _groups(options)
        passphrase = _passphrase(options.get("passphrase"))
        for given in _each(options.get("cert")):
            self.certificates += _certificates(given, "cert")
        for given in _each(options.get("key")):
            self.key = _key(given, passphrase)
        for given in _each(options.get("pfx")):
            self._take_pfx(given, passphrase)
        if options.get("ca") is not None:
            self.authorities = [one for given in _each(options["ca"]) for one in _certificates(given, "ca")]
        for given in _each(options.get("crl")):
            self.revoked.append(_revocations(given))
        if self.certificates and self.key is None:
            raise invalid_value("options.key", None, "must be given: a certificate is worth nothing without it")
        if self.key is not None and not self.certificates:
            raise invalid_value("options.cert", None, "must be given: a key is worth nothing without it")
        if self.key is not None and self.key.public_key() != self.certificates[0].public_key():
            raise invalid_value("options.key", "...", "is not the key of options.cert")
        if server and not self.certificates:
            raise invalid_value("options.cert", None, "must be given: a server without one can talk to nobody")

    @property
    def chain(self) -> list[bytes]:
        """The certificates as DER, one's own first."""
        return [each.public_bytes(Encoding.DER) for each in self.certificates]

    def _take_pfx(self, given: Any, passphrase: bytes | None) -> None:
        if isinstance(given, Mapping):
            passphrase = _passphrase(given.get("passphrase")) or passphrase
            given = given.get("buf")
        data = _bytes(given, "pfx")
        try:
            key, certificate, others = pkcs12.load_key_and_certificates(data, passphrase)
        except ValueError as error:
            raise invalid_value("options.pfx", "...", f"cannot be used: {error}") from None
        if certificate is None or key is None:
            raise invalid_value("options.pfx", "...", "has no certificate with its key")
        self.certificates = [certificate, *others]
        self.key = key


def create_quic_context(options: Mapping[str, Any] | None = None, **keywords: Any) -> QuicContext:
    """A QuicContext of certificates and the like, for the option `context` and for client_hello_handler.

    cert, key: PEM or DER as bytes, PEM as str, or a path; each one or a list, a key also {"pem", "passphrase"};
    pfx: PKCS#12 as bytes or a path, or {"buf", "passphrase"}; passphrase: of an encrypted key, str or bytes;
    ca: whom to trust in place of the default roots; crl: revoked certificates; ciphers, groups (or ecdh_curve):
    names with ":" between them.
    Raises OSError for a file that cannot be read, TypeError or ValueError for what cannot be used.
    Node: "tls.createSecureContext([options])".
    """
    given = merge_options(options, keywords)
    reject_unknown(given, _NAMES, "create_quic_context()")
    return QuicContext(given, False)


def context_of(options: Mapping[str, Any], server: bool) -> QuicContext:
    """The context of a call's options: what `context` is, or one that is made of the others."""
    context = options.get("context")
    if context is None:
        return QuicContext(options, server)
    if not isinstance(context, QuicContext):
        raise invalid_type("options.context", "a QuicContext, see create_quic_context()", context)
    if server and not context.certificates:
        raise invalid_value("options.context", context, "must have a certificate")
    return context


def _each(given: Any) -> list[Any]:
    if given is None:
        return []
    return list(given) if isinstance(given, list | tuple) else [given]


def _bytes(given: Any, name: str) -> bytes:
    """PEM or DER: what is given, or what is in the file that it is the path of."""
    if isinstance(given, bytes | bytearray | memoryview):
        data = bytes(given)
        if b"-----BEGIN " in data or data[:1] == b"\x30" or b"\n" in data or len(data) > 4096:
            return data
        given = os.fsdecode(data)
    if isinstance(given, str) and "-----BEGIN " in given:
        return given.encode()
    if not isinstance(given, str | os.PathLike):
        raise invalid_type(f"options.{name}", "PEM or DER as str or bytes, or a path", given)
    if not os.fspath(given) or "\n" in str(given):
        raise invalid_value(f"options.{name}", "...", "is neither PEM nor the path of a file")
    with Path(given).open("rb") as file:
        return file.read(_MOST)


def _certificates(given: Any, name: str) -> list[Any]:
    data = _bytes(given, name)
    try:
        if b"-----BEGIN " not in data:
            return [x509.load_der_x509_certificate(data)]
        return x509.load_pem_x509_certificates(data)
    except ValueError as error:
        raise invalid_value(f"options.{name}", "...", f"has no certificate that can be read: {error}") from None


def _revocations(given: Any) -> Any:
    data = _bytes(given, "crl")
    try:
        return x509.load_pem_x509_crl(data) if b"-----BEGIN " in data else x509.load_der_x509_crl(data)
    except ValueError as error:
        raise invalid_value("options.crl", "...", f"cannot be read: {error}") from None


def _key(given: Any, passphrase: bytes | None) -> Any:
    if isinstance(given, Mapping):
        passphrase = _passphrase(given.get("passphrase")) or passphrase
        given = given.get("pem")
    data = _bytes(given, "key")
    try:
        if b"-----BEGIN " not in data:
            return load_der_private_key(data, passphrase)
        # Certificates may stand in front of it.
        begin = data.rfind(b"-----BEGIN ", 0, max(data.find(b"PRIVATE KEY-----"), 0))
        return load_pem_private_key(data[max(begin, 0) :], passphrase if b"ENCRYPTED" in data else None)
    except TypeError as error:
        raise invalid_value("options.key", "...", f"is encrypted: give options.passphrase ({error})") from None
    except ValueError as error:
        raise invalid_value("options.key", "...", f"has no key that can be read: {error}") from None


def _passphrase(given: Any) -> bytes | None:
    if given is None:
        return None
    if isinstance(given, str):
        return given.encode()
    if not isinstance(given, bytes | bytearray):
        raise invalid_type("options.passphrase", "of type str or bytes", given)
    return bytes(given)


def _ciphers(given: Any) -> list[str]:
    if given is None:
        return list(CIPHERS)
    if not isinstance(given, str):
        raise invalid_type("options.ciphers", "of type str", given)
    names = [name for name in given.split(":") if name]
    if not names or any(name not in CIPHERS for name in names):
        raise invalid_value("options.ciphers", given, f"must be some of: {', '.join(CIPHERS)}")
    return names


def _groups(options: Mapping[str, Any]) -> list[str]:
    for name in ("groups", "ecdh_curve"):
        given = options.get(name)
        if given is None or (name == "ecdh_curve" and given == "auto"):
            continue
        if not isinstance(given, str):
            raise invalid_type(f"options.{name}", "of type str", given)
        names = [each for each in given.split(":") if each]
        if not names or any(each not in GROUPS for each in names):
            raise invalid_value(f"options.{name}", given, f"must be some of: {', '.join(GROUPS)}")
        return [GROUPS[each] for each in names]
    return ["X25519", "P-256", "P-384"]
