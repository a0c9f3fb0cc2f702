"""Options: what is refused at the call, and changes nothing.  Sections 1, 2, 5 and 6."""

from __future__ import annotations

from typing import Any

import pytest
from certificates import Certificates
from harness import Player
from quic_pair import ALPN, gone

from uvnet import create_quic_socket
from uvnet.quic import Histogram, create_quic_context

SOCKET: list[tuple[dict[str, Any], type[Exception], str]] = [
    ({"endpoint": 7}, TypeError, "mapping"),
    ({"endpoint": {"port": 70000}}, ValueError, "port"),
    ({"endpoint": {"type": "upd6"}}, ValueError, "type"),
    ({"endpoint": {"address": 7}}, TypeError, "address"),
    ({"endpoint": {"reuse_addr": 1}}, TypeError, "reuse_addr"),
    ({"lookup": "x"}, TypeError, "lookup"),
    ({"max_connections": 0}, ValueError, "max_connections"),
    ({"max_connections_per_host": "1"}, TypeError, "max_connections_per_host"),
    ({"max_stateless_resets_per_host": 0}, ValueError, "max_stateless_resets_per_host"),
    ({"retry_token_timeout": 61}, ValueError, "retry_token_timeout"),
    ({"validate_address": 1}, TypeError, "validate_address"),
    ({"stateless_reset_secret": b"short"}, ValueError, "exactly 16 bytes"),
    ({"stateless_reset_secret": 7}, TypeError, "bytes-like"),
    ({"disable_stateless_reset": None}, TypeError, "disable_stateless_reset"),
    ({"qlog": "x"}, TypeError, "qlog"),
    ({"validate_address_lru": True}, TypeError, "unknown"),
    ({"client": {"prot": 1}}, TypeError, "unknown"),
    ({"server": 1}, TypeError, "mapping"),
]
BOTH: list[tuple[dict[str, Any], type[Exception], str]] = [
    ({"alpn": ""}, ValueError, "alpn"),
    ({"alpn": 7}, TypeError, "alpn"),
    ({"high_water_mark": -1}, ValueError, "high_water_mark"),
    ({"default_encoding": "klingon"}, ValueError, "default_encoding"),
    ({"active_connection_id_limit": 1}, ValueError, "active_connection_id_limit"),
    ({"max_data": -1}, ValueError, "max_data"),
    ({"max_data": "1"}, TypeError, "max_data"),
    ({"max_streams_uni": 2**61}, ValueError, "max_streams_uni"),
    ({"idle_timeout": -1}, ValueError, "idle_timeout"),
    ({"max_ack_delay": 17}, ValueError, "max_ack_delay"),
    ({"max_udp_payload_size": 1199}, ValueError, "max_udp_payload_size"),
    ({"congestion_algorithm": "bbr"}, ValueError, "congestion_algorithm"),
    ({"ciphers": "AES128-SHA"}, ValueError, "ciphers"),
    ({"groups": "P-42"}, ValueError, "groups"),
    ({"ecdh_curve": 7}, TypeError, "ecdh_curve"),
    ({"h3": {"max_pushes": -1}}, ValueError, "max_pushes"),
    ({"h3": {"other": 1}}, TypeError, "unknown"),
    ({"cert": "-----BEGIN nonsense"}, ValueError, "cert"),
    ({"cert": 7}, TypeError, "cert"),
    ({"cert": "/none/such"}, OSError, "such"),
    ({"key": b"-----BEGIN nonsense"}, ValueError, "key"),
    ({"pfx": b"\x30nonsense"}, ValueError, "pfx"),
    ({"crl": b"\x30nonsense"}, ValueError, "crl"),
    ({"passphrase": 7}, TypeError, "passphrase"),
    ({"context": 7}, TypeError, "context"),
    *(
        ({name: 1}, ValueError, "not supported")
        for name in (
            "ocsp_handler", "dhparam", "client_cert_engine", "secure_options", "honor_cipher_order",
            "session_id_context",
        )
    ),
]  # fmt: skip
CONNECT: list[tuple[dict[str, Any], type[Exception], str]] = [
    ({"address": 7}, TypeError, "address"),
    ({"port": -1}, ValueError, "port"),
    ({"type": "udp6-only"}, ValueError, "type"),
    ({"servername": "127.0.0.1"}, ValueError, "cannot be an IP address"),
    ({"servername": 7}, TypeError, "servername"),
    ({"dcid": "xx"}, ValueError, "hexadecimal"),
    ({"dcid": b"short"}, ValueError, "8 to 20"),
    ({"auto_start": 1}, TypeError, "auto_start"),
    ({"early_data": True}, TypeError, "unknown"),
]
LISTEN: list[tuple[dict[str, Any], type[Exception], str]] = [
    ({"early_data": 1}, TypeError, "early_data"),
    ({"request_cert": "yes"}, TypeError, "request_cert"),
    ({"reject_unauthorized": 0}, TypeError, "reject_unauthorized"),
    ({"client_hello_handler": 7}, TypeError, "client_hello_handler"),
    ({"preferred_address": {"port": "x"}}, ValueError, "port"),
    ({"port": 1}, TypeError, "unknown"),
    ({}, ValueError, "cert"),
]


def test_options_of_a_socket(play: Player) -> None:
    async def scenario() -> None:
        for options, kind, text in SOCKET:
            with pytest.raises(kind, match=text):
                create_quic_socket(options)
            with pytest.raises(kind, match=text):
                create_quic_socket(**options)

    play(scenario)


def test_options_of_calls(play: Player) -> None:
    async def scenario() -> None:
        socket = create_quic_socket()
        for options, kind, text in [*BOTH, *CONNECT]:
            with pytest.raises(kind, match=text):
                socket.connect({"alpn": ALPN, **options})
        with pytest.raises(TypeError, match="alpn"):
            socket.connect(port=1)
        for options, kind, text in [*BOTH, *LISTEN]:
            with pytest.raises(kind, match=text):
                socket.listen(options)
        assert not socket.pending and not socket.bound
        await gone(socket)

    play(scenario)


def test_how_certificates_are_given(certificates: Certificates) -> None:
    """Section 5: PEM, DER and paths, one or several; keys with a passphrase; PKCS#12."""
    from cryptography.hazmat.primitives.serialization import (
        BestAvailableEncryption,
        Encoding,
        PrivateFormat,
        load_pem_private_key,
        pkcs12,
    )

    path = certificates.path("server")
    text = path.read_text()
    whole = create_quic_context(cert=path, key=path)
    assert create_quic_context(cert=text, key=text.encode()).chain == whole.chain
    assert create_quic_context(cert=[text, certificates.authority], key=[text]).chain[0] == whole.chain[0]
    (der,) = whole.chain
    key = load_pem_private_key(text[text.index("-----BEGIN PRIVATE") :].encode(), None)
    plain = key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, _no_encryption())
    assert create_quic_context(cert=der, key=plain).chain == [der]
    locked = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"secret"))
    assert create_quic_context(cert=der, key=locked, passphrase="secret").chain == [der]
    assert create_quic_context(cert=der, key={"pem": locked, "passphrase": b"secret"}).chain == [der]
    for passphrase in (None, "wrong"):
        with pytest.raises(ValueError, match="key"):
            create_quic_context(cert=der, key=locked, passphrase=passphrase)
    pfx = pkcs12.serialize_key_and_certificates(
        b"x", key, whole.certificates[0], None, BestAvailableEncryption(b"secret")
    )
    assert create_quic_context(pfx={"buf": pfx, "passphrase": "secret"}).chain == [der]
    assert create_quic_context(pfx=pfx, passphrase="secret").chain == [der]
    other = certificates.path("other").read_text()
    for options in ({"cert": der}, {"key": text}, {"cert": other, "key": text}):
        with pytest.raises(ValueError, match=r"options\.(key|cert)"):
            create_quic_context(options)
    context = create_quic_context(ca=[certificates.authority], ciphers="TLS_AES_128_GCM_SHA256", groups="P-256")
    assert (context.ciphers, context.groups, context.chain) == (["TLS_AES_128_GCM_SHA256"], ["P-256"], [])


def _no_encryption() -> Any:
    from cryptography.hazmat.primitives.serialization import NoEncryption

    return NoEncryption()


def test_a_histogram() -> None:
    """4.3: right to an eighth, whatever the values are."""
    found = Histogram()
    assert found.percentile(50) == 0 and found.count == 0 and str(found.mean) == "nan" == str(found.stddev)
    for value in range(1, 1001):
        found.record(value)
    found.record(2**64)
    assert (found.min, found.max, found.mean, found.exceeds, found.count) == (1, 1000, 500.5, 1, 1000)
    assert 288 < found.stddev < 289
    for percent in (10, 50, 90, 99):
        assert 10 * percent <= found.percentile(percent) <= 10 * percent * 9 / 8
    assert found.percentile(100) == 1000 == found.percentiles[100]
    for bad, kind in ((0, ValueError), (101, ValueError), ("x", TypeError)):
        with pytest.raises(kind):
            found.percentile(bad)  # type: ignore[arg-type]
    found.reset()
    assert found.count == 0 and found.max == 0
