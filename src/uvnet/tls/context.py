"""Node's options of TLS as an ssl.SSLContext, made once for all connections that are to use it.

Node: "tls.createSecureContext()".
"""

from __future__ import annotations

import ssl
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from uvnet.arguments.checks import merge_options, reject_unknown
from uvnet.arguments.keywords import SecureContextKeywords
from uvnet.errors.codes import invalid_type, invalid_value
from uvnet.errors.tls import refused_by_ssl
from uvnet.tls.pem import load_authorities, load_certificate

if TYPE_CHECKING:
    from typing_extensions import Unpack

__all__ = ["CONTEXT_OPTIONS", "check_context", "context_of", "create_secure_context"]

CONTEXT_OPTIONS = frozenset(SecureContextKeywords.__annotations__) - {"server_side"}
_VERSIONS = {
    "TLSv1": ssl.TLSVersion.TLSv1,
    "TLSv1.1": ssl.TLSVersion.TLSv1_1,
    "TLSv1.2": ssl.TLSVersion.TLSv1_2,
    "TLSv1.3": ssl.TLSVersion.TLSv1_3,
}


def create_secure_context(
    options: SecureContextKeywords | None = None, **keywords: Unpack[SecureContextKeywords]
) -> ssl.SSLContext:
    """An ssl.SSLContext by Node's options, for `context` of connect(), create_server() and their like.

    cert: the certificate with those that sign it, as PEM (str or bytes) or the path of a file;
    key: its private key, likewise; not needed where it is in `cert`; passphrase: of an encrypted key, str or bytes;
    ca: certificates to trust in place of the system's, PEM or a path, or a list of those;
    ciphers: of TLS 1.2 and below, as OpenSSL writes them; min_version, max_version: "TLSv1.2", "TLSv1.3", or
    ssl.TLSVersion; alpn_protocols: protocols (str or bytes), the one that is wanted most first;
    server_side: True for a server's (default False);
    reject_unauthorized: False for a client that connects to anybody, unverified, and for a server that takes clients
    without a certificate too (default True); request_cert: True for a server that asks clients for one.
    Raises OSError for a file that cannot be read, TypeError or ValueError for what cannot be used, which names it.
    Node: "tls.createSecureContext([options])".
    """
    given = merge_options(options, keywords)
    reject_unknown(given, CONTEXT_OPTIONS | {"server_side"}, "create_secure_context()")
    return make_context(given, bool(given.get("server_side", False)))


def context_of(options: Mapping[str, Any], server_side: bool) -> ssl.SSLContext:
    """The context of a call's options: what `context` is, or one that is made of the others."""
    given = {name for name in CONTEXT_OPTIONS if options.get(name) is not None}
    context = options.get("context")
    if context is None:
        return make_context(options, server_side) if given or server_side else _default_client_context()
    if given:
        raise invalid_value(
            f"options.{min(given)}", "...", "is for a context that is made here; what options.context does is set on it"
        )
    return check_context(context, server_side)


def check_context(context: Any, server_side: bool) -> ssl.SSLContext:
    """A context that can be used on this side; raises TypeError or ValueError."""
    if not isinstance(context, ssl.SSLContext):
        raise invalid_type("options.context", "an ssl.SSLContext", context)
    wrong = ssl.PROTOCOL_TLS_CLIENT if server_side else ssl.PROTOCOL_TLS_SERVER
    if context.protocol == wrong:
        here = "server" if server_side else "client"
        raise invalid_value("options.context", context, f"must be a {here}'s: made with PROTOCOL_TLS_{here.upper()}")
    if server_side and context.sni_callback is None and not _has_certificate(context):
        raise no_certificate("options.context")
    return context


def no_certificate(name: str) -> Exception:
    return invalid_value(name, None, "must have a certificate: a server without one can talk to nobody")


def make_context(options: Mapping[str, Any], server_side: bool) -> ssl.SSLContext:
    """A context by options that have been looked at for their names alone."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER if server_side else ssl.PROTOCOL_TLS_CLIENT)
    lowest, highest = (_version(options, name) for name in ("min_version", "max_version"))
    try:
        if highest is not None:
            context.maximum_version = highest
        if lowest is not None:
            context.minimum_version = lowest
    except ValueError as error:
        raise refused_by_ssl("options.min_version", f"{lowest!r} to {highest!r}", error) from None
    if lowest is not None and highest is not None and lowest > highest:
        raise invalid_value("options.min_version", options["min_version"], "must not be above options.max_version")
    _set_ciphers(context, options.get("ciphers"))
    _set_protocols(context, options.get("alpn_protocols"))
    if options.get("cert") is not None or options.get("key") is not None:
        load_certificate(context, options.get("cert"), options.get("key"), options.get("passphrase"))
    elif server_side:
        raise no_certificate("options.cert")
    ca = options.get("ca")
    if ca is not None:
        load_authorities(context, ca)
    rejects = options.get("reject_unauthorized") is not False
    if not server_side and not rejects:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    elif server_side and options.get("request_cert"):
        context.verify_mode = ssl.CERT_REQUIRED if rejects else ssl.CERT_OPTIONAL
    if ca is None and context.verify_mode != ssl.CERT_NONE:
        context.load_default_certs(ssl.Purpose.CLIENT_AUTH if server_side else ssl.Purpose.SERVER_AUTH)
    return context


_defaults: list[ssl.SSLContext] = []


def _default_client_context() -> ssl.SSLContext:
    """The one for who has no wishes: to read the system's authorities takes long."""
    if not _defaults:
        _defaults.append(make_context({}, False))
    return _defaults[0]


def _version(options: Mapping[str, Any], name: str) -> ssl.TLSVersion | None:
    given = options.get(name)
    if given is None or isinstance(given, ssl.TLSVersion):
        return given
    if not isinstance(given, str):
        raise invalid_type(f"options.{name}", "of type str or an ssl.TLSVersion", given)
    if given not in _VERSIONS:
        raise invalid_value(f"options.{name}", given, f"must be one of: {', '.join(_VERSIONS)}")
    return _VERSIONS[given]


def _set_ciphers(context: ssl.SSLContext, given: Any) -> None:
    if given is None:
        return
    if not isinstance(given, str):
        raise invalid_type("options.ciphers", "of type str", given)
    try:
        context.set_ciphers(given)
    except (ssl.SSLError, ValueError):
        raise invalid_value("options.ciphers", given, "has no cipher that OpenSSL knows") from None


def _set_protocols(context: ssl.SSLContext, given: Any) -> None:
    if given is None:
        return
    if isinstance(given, str | bytes) or not isinstance(given, Iterable):
        raise invalid_type("options.alpn_protocols", "an iterable of str or bytes", given)
    names = []
    for one in given:
        if not isinstance(one, str | bytes):
            raise invalid_type("options.alpn_protocols", "an iterable of str or bytes", one)
        name = one.decode("latin1") if isinstance(one, bytes) else one
        if not name.isascii() or not 0 < len(name) < 256:
            raise invalid_value("options.alpn_protocols", one, "must be 1 to 255 ASCII characters")
        names.append(name)
    if sum(len(name) + 1 for name in names) > 0xFFFF:
        raise invalid_value("options.alpn_protocols", "...", "must not be more than 65,535 bytes")
    context.set_alpn_protocols(names)


def _has_certificate(context: ssl.SSLContext) -> bool:
    """Whether a server's context has one: nothing but a handshake says so."""
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client.check_hostname = False
    client.verify_mode = ssl.CERT_NONE
    client.set_ciphers("ALL:@SECLEVEL=0")
    client.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    hello = client.wrap_bio(to_client, to_server)
    try:
        hello.do_handshake()
    except ssl.SSLWantReadError:
        pass
    try:
        context.wrap_bio(to_server, to_client, server_side=True).do_handshake()
    except ssl.SSLWantReadError:
        return True
    except ssl.SSLError as error:
        return error.reason != "NO_SHARED_CIPHER"
    return True
