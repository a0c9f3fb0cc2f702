"""The certificate of the other end, in Node's shape.  Node: "Certificate object"."""

from __future__ import annotations

import hashlib
from typing import Any, TypedDict

__all__ = ["PeerCertificate", "peer_certificate"]


class _Known(TypedDict):
    fingerprint: str
    fingerprint256: str
    fingerprint512: str
    raw: bytes


class PeerCertificate(_Known, total=False):
    """What get_peer_certificate() returns.

    `subject` and `issuer`: what stands there, by short names (CN, O, ...), a list where there are several;
    `subject_alt_name`: "DNS:localhost, IP Address:127.0.0.1"; `valid_from`, `valid_to`: as in "Nov 30 17:00:00 2026
    GMT"; `serial_number`: hexadecimal; `fingerprint`, `fingerprint256`, `fingerprint512`: SHA-1, SHA-256 and SHA-512
    of `raw`, which is the certificate as DER; `issuer_certificate`: of who signed it.
    Node: "Certificate object".
    """

    subject: dict[str, str | list[str]]
    issuer: dict[str, str | list[str]]
    subject_alt_name: str
    valid_from: str
    valid_to: str
    serial_number: str
    issuer_certificate: PeerCertificate


# As Node and OpenSSL write them.
_SHORT = {
    "commonName": "CN",
    "countryName": "C",
    "localityName": "L",
    "stateOrProvinceName": "ST",
    "organizationName": "O",
    "organizationalUnitName": "OU",
    "domainComponent": "DC",
    "userId": "UID",
}


def peer_certificate(tls: Any, detailed: bool) -> PeerCertificate | None:
    """That of the other end of an ssl.SSLObject."""
    chain = _chain(tls)
    if not chain:
        return None
    described = [_describe(info, der) for info, der in chain]
    if detailed:
        for one, issuer in zip(described, described[1:], strict=False):
            one["issuer_certificate"] = issuer
    return described[0]


def _chain(tls: Any) -> list[tuple[dict[str, Any], bytes]]:
    """What the other end has sent, its own first: verified or not, which the public interface does not tell."""
    private: Any = getattr(tls, "_sslobj", None)
    if private is not None and hasattr(private, "get_unverified_chain"):
        der = 2  # _ssl.ENCODING_DER
        chain = private.get_unverified_chain() or ()
        return [(one.get_info(), one.public_bytes(der)) for one in chain if one is not None]
    der_bytes = tls.getpeercert(True)
    return [] if der_bytes is None else [(tls.getpeercert() or {}, der_bytes)]


def _describe(info: dict[str, Any], der: bytes) -> PeerCertificate:
    found: PeerCertificate = {
        "fingerprint": _fingerprint("sha1", der),
        "fingerprint256": _fingerprint("sha256", der),
        "fingerprint512": _fingerprint("sha512", der),
        "raw": der,
    }
    if "subject" in info:
        found["subject"] = _name(info["subject"])
    if "issuer" in info:
        found["issuer"] = _name(info["issuer"])
    if info.get("subjectAltName"):
        found["subject_alt_name"] = ", ".join(
            f"{kind}:{_quoted(value)}" for kind, value in info["subjectAltName"]
        )
    if "serialNumber" in info:
        found["serial_number"] = info["serialNumber"]
    if "notBefore" in info and "notAfter" in info:
        found["valid_from"] = info["notBefore"]
        found["valid_to"] = info["notAfter"]
    return found


def _quoted(value: Any) -> str:
    """A name that could be taken for several is quoted, as Node does."""
    text = str(value)
    return f'"{text}"' if any(mark in text for mark in ',"\\') else text


def _name(parts: Any) -> dict[str, str | list[str]]:
    found: dict[str, str | list[str]] = {}
    for part in parts:
        for key, value in part:
            short = str(_SHORT.get(key, key))
            before = found.get(short)
            if before is None:
                found[short] = value
            else:
                found[short] = [*(before if isinstance(before, list) else [before]), value]
    return found


def _fingerprint(algorithm: str, der: bytes) -> str:
    return hashlib.new(algorithm, der, usedforsecurity=False).digest().hex(":").upper()
