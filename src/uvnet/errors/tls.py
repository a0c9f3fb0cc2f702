"""What is wrong with TLS: Python's ssl.SSLError with Node's `code`, and the errors of uvnet's own.

Node: "TLS (SSL)", X509 certificate error codes, and "Errors", OpenSSL error codes.
"""

from __future__ import annotations

import errno
import ssl

from uvnet.errors.codes import NetRuntimeError, NetValueError

__all__ = [
    "NOT_VERIFIED",
    "closed_in_handshake",
    "handshake_too_long",
    "hang_up",
    "not_of_ssl",
    "refused_by_ssl",
    "with_code",
]

# What authorization_error is where nothing was verified, as was asked for.
NOT_VERIFIED = "CERT_NOT_VERIFIED"

# OpenSSL's X509_V_ERR_*: numbers that never change.
_VERIFY_CODES = {
    2: "UNABLE_TO_GET_ISSUER_CERT",
    3: "UNABLE_TO_GET_CRL",
    4: "UNABLE_TO_DECRYPT_CERT_SIGNATURE",
    5: "UNABLE_TO_DECRYPT_CRL_SIGNATURE",
    6: "UNABLE_TO_DECODE_ISSUER_PUBLIC_KEY",
    7: "CERT_SIGNATURE_FAILURE",
    8: "CRL_SIGNATURE_FAILURE",
    9: "CERT_NOT_YET_VALID",
    10: "CERT_HAS_EXPIRED",
    11: "CRL_NOT_YET_VALID",
    12: "CRL_HAS_EXPIRED",
    13: "ERROR_IN_CERT_NOT_BEFORE_FIELD",
    14: "ERROR_IN_CERT_NOT_AFTER_FIELD",
    15: "ERROR_IN_CRL_LAST_UPDATE_FIELD",
    16: "ERROR_IN_CRL_NEXT_UPDATE_FIELD",
    17: "OUT_OF_MEM",
    18: "DEPTH_ZERO_SELF_SIGNED_CERT",
    19: "SELF_SIGNED_CERT_IN_CHAIN",
    20: "UNABLE_TO_GET_ISSUER_CERT_LOCALLY",
    21: "UNABLE_TO_VERIFY_LEAF_SIGNATURE",
    22: "CERT_CHAIN_TOO_LONG",
    23: "CERT_REVOKED",
    24: "INVALID_CA",
    25: "PATH_LENGTH_EXCEEDED",
    26: "INVALID_PURPOSE",
    27: "CERT_UNTRUSTED",
    28: "CERT_REJECTED",
    62: "ERR_TLS_CERT_ALTNAME_INVALID",
    63: "ERR_TLS_CERT_ALTNAME_INVALID",
    64: "ERR_TLS_CERT_ALTNAME_INVALID",
}


def with_code(error: BaseException) -> BaseException:
    """The same error, with Node's `code` where it is one of TLS and has none yet."""
    if isinstance(error, ssl.SSLError) and not hasattr(error, "code"):
        error.code = _code_of(error)  # type: ignore[attr-defined]
    return error


def _code_of(error: ssl.SSLError) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return _VERIFY_CODES.get(error.verify_code, "CERT_REJECTED")
    reason = error.reason or "PROTOCOL_ERROR"
    library = error.library or "SSL"
    return f"ERR_SSL_{reason}" if library == "SSL" else f"ERR_OSSL_{library}_{reason}"


def _with(error: OSError, code: str) -> OSError:
    error.code = code  # type: ignore[attr-defined]
    return error


def hang_up() -> OSError:
    """ECONNRESET: a client of a server has gone before its handshake was over."""
    return _with(ConnectionResetError(errno.ECONNRESET, "socket hang up"), "ECONNRESET")


def closed_in_handshake(host: object = None, port: object = None) -> OSError:
    """ECONNRESET: the server has gone before the handshake was over."""
    text = "Client network socket disconnected before secure TLS connection was established"
    error = _with(ConnectionResetError(errno.ECONNRESET, text), "ECONNRESET")
    for name, value in (("host", host), ("port", port)):
        if value is not None:
            setattr(error, name, value)
    return error


def handshake_too_long(seconds: float) -> OSError:
    """ERR_TLS_HANDSHAKE_TIMEOUT."""
    return _with(
        TimeoutError(errno.ETIMEDOUT, f"TLS handshake timeout: it was not over within {seconds:g} seconds"),
        "ERR_TLS_HANDSHAKE_TIMEOUT",
    )


def refused_by_ssl(name: str, what: str, error: Exception) -> NetValueError:
    """An option that OpenSSL does not take: ERR_OSSL_... or ERR_SSL_..., with what it was and what is wrong with it."""
    if isinstance(error, ssl.SSLError):
        code = _code_of(error)
        reason = (error.reason or "").replace("_", " ").lower() or error.strerror or str(error)
    else:
        code, reason = "ERR_INVALID_ARG_VALUE", str(error)
    return NetValueError(code, f"The property '{name}' cannot be used: {what}: {reason}")


def not_of_ssl(what: str, instead: str) -> NetRuntimeError:
    """ERR_FEATURE_UNAVAILABLE_ON_PLATFORM: what Node's TLS can, and Python's `ssl` cannot."""
    return NetRuntimeError(
        "ERR_FEATURE_UNAVAILABLE_ON_PLATFORM",
        f"{what} is not possible: Python's ssl, which uvnet.tls is made of, has no such thing; {instead}",
    )
