"""Certificates in Node's shape.  Node: "Certificate object"; section 4.2."""

from __future__ import annotations

import hashlib
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

__all__ = ["Certificate", "describe_chain"]

# "subject" and the others of tls.PeerCertificate, and ext_key_usage, pubkey.
Certificate = dict[str, Any]


def describe_chain(chain: list[bytes], detailed: bool) -> Certificate:
    """The first of some certificates (DER), `detailed` with its issuers; {} where there is none."""
    described: list[Certificate] = [_describe(der) for der in (chain if detailed else chain[:1])]
    if detailed:
        for one, issuer in zip(described, described[1:], strict=False):
            one["issuer_certificate"] = issuer
        if described and described[-1].get("subject") == described[-1].get("issuer"):
            # Node: a root is its own issuer.
            described[-1]["issuer_certificate"] = described[-1]
    return described[0] if described else {}


def _describe(der: bytes) -> Certificate:
    certificate = x509.load_der_x509_certificate(der)
    found: Certificate = {
        "subject": _name(certificate.subject),
        "issuer": _name(certificate.issuer),
        "valid_from": f"{certificate.not_valid_before_utc:%b %e %H:%M:%S %Y} GMT",
        "valid_to": f"{certificate.not_valid_after_utc:%b %e %H:%M:%S %Y} GMT",
        "serial_number": f"{certificate.serial_number:X}",
        "fingerprint": hashlib.sha1(der, usedforsecurity=False).digest().hex(":").upper(),
        "fingerprint256": hashlib.sha256(der).digest().hex(":").upper(),
        "fingerprint512": hashlib.sha512(der).digest().hex(":").upper(),
        "pubkey": certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo),
        "raw": der,
    }
    names = _extension(certificate, x509.SubjectAlternativeName)
    if names is not None:
        found["subject_alt_name"] = ", ".join(_general_name(name) for name in names)
    usage = _extension(certificate, x509.ExtendedKeyUsage)
    if usage is not None:
        found["ext_key_usage"] = [each.dotted_string for each in usage]
    return found


def _extension(certificate: Any, kind: Any) -> Any:
    try:
        return certificate.extensions.get_extension_for_class(kind).value
    except (x509.ExtensionNotFound, ValueError):
        return None


def _general_name(name: Any) -> str:
    if isinstance(name, x509.DNSName):
        return f"DNS:{name.value}"
    if isinstance(name, x509.IPAddress):
        return f"IP Address:{name.value}"
    if isinstance(name, x509.UniformResourceIdentifier):
        return f"URI:{name.value}"
    if isinstance(name, x509.RFC822Name):
        return f"email:{name.value}"
    return f"othername:{name.value}"


def _name(name: Any) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for attribute in name:
        key = attribute.rfc4514_attribute_name
        before = found.get(key)
        value = attribute.value
        found[key] = value if before is None else [*(before if isinstance(before, list) else [before]), value]
    return found
