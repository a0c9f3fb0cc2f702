"""A certificate for trying things out, by the package `cryptography` where that is installed."""

from __future__ import annotations

import datetime
import importlib
import ipaddress
from typing import Any, NamedTuple

from uvnet.errors.codes import invalid_type, invalid_value

__all__ = ["SelfSigned", "self_signed"]


# Whoever does not call this needs none of them.
_MODULES = (
    "cryptography.x509",
    "cryptography.hazmat.primitives.hashes",
    "cryptography.hazmat.primitives.serialization",
    "cryptography.hazmat.primitives.asymmetric.ec",
)


class SelfSigned(NamedTuple):
    """A certificate that has signed itself, and its key, as PEM: options of create_server(), and as `ca` of connect()."""

    cert: bytes
    key: bytes


def self_signed(*names: str, days: float = 30) -> SelfSigned:
    """A new certificate for these names and addresses ("localhost", "127.0.0.1" and "::1" where none is given).

    It is good for so many days, for a server and as the `ca` of its clients.  For trying things out: nobody else trusts
    it.  Needs the package `cryptography`; raises ModuleNotFoundError where it is not installed, TypeError or ValueError for
    bad arguments.  This is not in Node.
    """
    for name in names:
        if not isinstance(name, str):
            raise invalid_type("name", "of type str", name)
        if not name or not name.isascii():
            raise invalid_value("name", name, "must be a host name in ASCII, or an address")
    if isinstance(days, bool) or not isinstance(days, int | float):
        raise invalid_type("days", "of type int or float", days)
    if not 0 < days <= 36500:
        raise invalid_value("days", days, "must be more than 0, and at most 36500")
    try:
        x509, hashes, serialization, ec = map(importlib.import_module, _MODULES)
    except ModuleNotFoundError as error:
        error.msg = (
            "self_signed() needs the package cryptography; the documentation of uvnet.tls has a line of openssl "
            "that makes such a certificate too"
        )
        raise
    wanted = names or ("localhost", "127.0.0.1", "::1")
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, wanted[0][:64])])
    now = datetime.datetime.now(datetime.timezone.utc)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(days=days))
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(
            x509.SubjectAlternativeName([_general_name(x509, name) for name in wanted]),
            critical=False,
        )
        .sign(key, hashes.SHA256())
    )
    return SelfSigned(
        certificate.public_bytes(serialization.Encoding.PEM),
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        ),
    )


def _general_name(x509: Any, name: str) -> Any:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)
