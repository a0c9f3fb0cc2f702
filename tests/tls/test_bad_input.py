"""What cannot be is said at the call: which option, which file, and what is wrong with it.  Nothing falls back."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from certificates import Certificates
from harness import Player
from secure_scene import listening

import uvnet
import uvnet.tls

Make = Callable[[Certificates, Path], dict[str, Any]]


def own(certificates: Certificates, _directory: Path) -> dict[str, Any]:
    return {"cert": certificates.path("server")}


def _junk(_certificates: Certificates, directory: Path) -> dict[str, Any]:
    path = directory / "junk.pem"
    path.write_text("junk")
    return {"cert": path}


def _broken(certificates: Certificates, directory: Path) -> dict[str, Any]:
    path = directory / "broken.pem"
    text = certificates.path("server").read_text()
    path.write_text(text.replace("-----BEGIN CERTIFICATE-----\nMI", "-----BEGIN CERTIFICATE-----\nAA", 1))
    return {"cert": path}


def _without_key(certificates: Certificates, directory: Path) -> dict[str, Any]:
    path = directory / "alone.pem"
    path.write_text(certificates.path("server").read_text().partition("-----BEGIN PRIVATE")[0])
    return {"cert": path}


def _broken_key(certificates: Certificates, directory: Path) -> dict[str, Any]:
    path = directory / "broken.key"
    path.write_text("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n")
    return {"cert": certificates.path("server"), "key": path}


# What is given, the code, and what the message says.
SERVERS: dict[str, tuple[Make, type[Exception], str, str]] = {
    "nothing": (lambda c, d: {}, ValueError, "ERR_INVALID_ARG_VALUE", "options.cert.*certificate"),
    "no such file": (lambda c, d: {"cert": d / "nothing.pem"}, FileNotFoundError, "", "nothing.pem"),
    "junk": (_junk, ValueError, "ERR_OSSL_PEM_NO_START_LINE", "junk.pem.*no PEM"),
    "broken": (_broken, ValueError, "ERR_OSSL_ASN1_ERROR", "broken.pem.*cannot be read"),
    "no key": (_without_key, ValueError, "ERR_OSSL_PEM_NO_START_LINE", "alone.pem.*no private key.*options.key"),
    "a broken key": (_broken_key, ValueError, "ERR_OSSL_UNSUPPORTED", "broken.key.*cannot be read"),
    "a key of another": (
        lambda c, d: {"cert": c.path("server"), "key": c.path("other")},
        ValueError, "ERR_OSSL_X509_KEY_VALUES_MISMATCH", "other.pem.*is not of.*server.pem",
    ),
    "a key alone": (lambda c, d: {"key": c.path("server")}, ValueError, "ERR_INVALID_ARG_VALUE", "options.cert"),
    "a key as certificate": (
        lambda c, d: {"cert": c.path("server").read_text().split("-----END CERTIFICATE-----\n")[1]},
        ValueError, "ERR_OSSL_PEM_NO_START_LINE", "no certificate",
    ),
    "text that is no PEM": (lambda c, d: {"cert": "a\nb"}, ValueError, "ERR_INVALID_ARG_VALUE", "neither PEM"),
    "a number": (lambda c, d: {"cert": 3}, TypeError, "ERR_INVALID_ARG_TYPE", "options.cert"),
    "a directory": (lambda c, d: {"cert": d}, IsADirectoryError, "", "directory"),
    "ca of junk": (
        lambda c, d: {**own(c, d), "ca": "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"},
        ValueError, "ERR_", "options.ca",
    ),
    "ciphers": (lambda c, d: {**own(c, d), "ciphers": "NOPE"}, ValueError, "ERR_INVALID_ARG_VALUE", "NOPE"),
    "ciphers of a type": (lambda c, d: {**own(c, d), "ciphers": 1}, TypeError, "ERR_INVALID_ARG_TYPE", "ciphers"),
    "a version": (lambda c, d: {**own(c, d), "min_version": "TLSv9"}, ValueError, "ERR_INVALID_ARG_VALUE", "TLSv1.3"),
    "versions turned round": (
        lambda c, d: {**own(c, d), "min_version": "TLSv1.3", "max_version": "TLSv1.2"},
        ValueError, "ERR_INVALID_ARG_VALUE", "max_version",
    ),
    "a protocol": (
        lambda c, d: {**own(c, d), "alpn_protocols": [""]}, ValueError, "ERR_INVALID_ARG_VALUE", "1 to 255",
    ),
    "protocols in one": (
        lambda c, d: {**own(c, d), "alpn_protocols": "h2"}, TypeError, "ERR_INVALID_ARG_TYPE", "alpn_protocols",
    ),
    "a time": (lambda c, d: {**own(c, d), "handshake_timeout": 0}, ValueError, "ERR_OUT_OF_RANGE", "handshake"),
    "a callback": (
        lambda c, d: {**own(c, d), "sni_callback": 3}, TypeError, "ERR_INVALID_ARG_TYPE", "sni_callback",
    ),
    "a client's context": (
        lambda c, d: {"context": c.client()}, ValueError, "ERR_INVALID_ARG_VALUE", "PROTOCOL_TLS_SERVER",
    ),
    "a context without a certificate": (
        lambda c, d: {"context": ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)},
        ValueError, "ERR_INVALID_ARG_VALUE", "options.context.*certificate",
    ),
    "no context": (lambda c, d: {"context": "context"}, TypeError, "ERR_INVALID_ARG_TYPE", "SSLContext"),
    "a context and an option": (
        lambda c, d: {"context": c.server(), "ca": c.authority}, ValueError, "ERR_INVALID_ARG_VALUE", "options.ca",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", SERVERS)
def test_servers(play: Player, certificates: Certificates, tmp_path: Path, name: str) -> None:
    make, kind, code, text = SERVERS[name]

    async def scenario() -> None:
        options = make(certificates, tmp_path)
        with pytest.raises(kind, match=text) as caught:
            uvnet.tls.create_server(options)
        assert getattr(caught.value, "code", "").startswith(code)
        with pytest.raises(kind, match=text):
            uvnet.create_proxy(1, tls=options)  # type: ignore[arg-type]

    play(scenario)


def test_encrypted_keys(play: Player, certificates: Certificates, tmp_path: Path) -> None:
    from certificates import _openssl

    key = tmp_path / "encrypted.key"
    _openssl("pkey", "-in", certificates.path("server"), "-aes256", "-passout", "pass:secret", "-out", key)
    given: dict[str, Any] = {"cert": certificates.path("server"), "key": key, "server_side": True}
    with pytest.raises(ValueError, match=r"encrypted\.key.*is encrypted.*passphrase"):
        uvnet.tls.create_secure_context(given)
    with pytest.raises(ValueError, match=r"encrypted\.key.*cannot be decrypted"):
        uvnet.tls.create_secure_context(given, passphrase="another")
    with pytest.raises(TypeError, match="passphrase"):
        uvnet.tls.create_secure_context(given, passphrase=3)  # type: ignore[arg-type]
    uvnet.tls.create_secure_context(given, passphrase="secret")
    uvnet.tls.create_secure_context(given, passphrase=b"secret", key=key.read_bytes())


def test_clients(play: Player, certificates: Certificates) -> None:
    async def scenario() -> None:
        trusting = {"context": certificates.client()}
        for options, kind, text in (
            ({"context": certificates.server()}, ValueError, "PROTOCOL_TLS_CLIENT"),
            ({"servername": 3}, TypeError, "servername"),
            ({"servername": "." + "x" * 300}, ValueError, "servername"),
            ({"servername": "a\0b", **trusting}, ValueError, "servername"),
            ({"request_cert": True}, ValueError, "request_cert"),
            ({"session": b"session"}, TypeError, "get_session"),
            ({"sni_callback": print}, TypeError, "unknown options"),
            ({"is_server": True}, TypeError, "unknown options"),
            ({"fd": 3}, TypeError, "unknown options"),
            ({"socket": 3}, TypeError, "socket"),
            ({"port": 70000, **trusting}, ValueError, "Port"),
            ({"timeout": -1}, ValueError, "timeout"),
        ):
            with pytest.raises(kind, match=text):
                uvnet.tls.connect({"port": 1, "host": "localhost", **options})  # type: ignore[typeddict-item]
        with pytest.raises(TypeError, match="tls"):
            await uvnet.open_connection(1, tls="yes")  # type: ignore[call-overload]
        with pytest.raises(ValueError, match="is_server"):
            uvnet.tls.TLSSocket(is_server=True, cert=certificates.path("server"))
        with pytest.raises(RuntimeError, match="__init__"):
            uvnet.tls.TLSSocket().__init__()  # type: ignore[misc]
        assert uvnet.active_handles() == []

    play(scenario)


def test_what_ssl_cannot(play: Player) -> None:
    async def scenario() -> None:
        socket = uvnet.tls.TLSSocket()
        for call in (
            lambda: socket.renegotiate(),
            lambda: socket.get_certificate(),
            lambda: socket.export_keying_material(16, "label"),
        ):
            with pytest.raises(RuntimeError, match="ssl") as caught:
                call()
            assert caught.value.code == "ERR_FEATURE_UNAVAILABLE_ON_PLATFORM"  # type: ignore[attr-defined]

    play(scenario)


def test_changes_of_a_server_that_cannot_be_change_nothing(play: Player, certificates: Certificates) -> None:
    async def scenario() -> None:
        async with listening(certificates, lambda socket: socket.end("still here")) as server:
            for call in (
                lambda: server.set_secure_context(certificates.client()),
                lambda: server.set_secure_context(cert="nothing.pem"),
                lambda: server.set_secure_context(),
                lambda: server.set_secure_context(certificates.server(), cert="nothing.pem"),
                lambda: server.set_secure_context(server_side=True),
                lambda: server.add_context("", certificates.server()),
                lambda: server.add_context(3, certificates.server()),  # type: ignore[arg-type]
                lambda: server.add_context("name"),
            ):
                with pytest.raises((TypeError, ValueError, OSError)):
                    call()
            client = await uvnet.open_connection(server.port, "localhost", tls=certificates.client())
            async with client:
                assert await client.read_exactly(10) == b"still here"

    play(scenario)


def test_a_context_that_chooses_by_itself(play: Player, certificates: Certificates) -> None:
    async def scenario() -> None:
        asked: list[Any] = []
        context = certificates.server()
        context.sni_callback = lambda tls, name, own: asked.append(name)
        async with listening(certificates, lambda socket: socket.end(), context=context) as server:
            with pytest.raises(ValueError, match="sni_callback"):
                server.add_context("name", certificates.server())
            (await uvnet.open_connection(server.port, "localhost", tls=certificates.client())).destroy()
            assert asked == ["localhost"]
        with pytest.raises(ValueError, match="sni_callback"):
            uvnet.tls.create_server(context=context, sni_callback=lambda name: None)

    play(scenario)
