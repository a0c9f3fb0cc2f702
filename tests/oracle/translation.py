"""uvnet's names and errors in Node's terms, as DESIGN.md section 2 translates them."""

from __future__ import annotations

import re
import ssl
from typing import Any

__all__ = ["camel", "plain_error", "snake"]

_ERROR_KEYS = (
    "code",
    "syscall",
    "address",
    "port",
    "hostname",
    "host",
    "local_address",
    "local_port",
)


_PLAIN = (
    "This socket has been ended by the other party",
    "socket hang up",
    "Client network socket disconnected before secure TLS connection was established",
)


_WHO_IS_THERE = re.compile(r"(?<=EADDRINUSE: address already in use )(.*) \((?:somebody|nobody|what|whether) [^()]*\)$")


def snake(name: str) -> str:
    """camelCase to snake_case, the way DESIGN.md section 2 names things."""
    name = name.replace("IPv", "Ipv").replace("ALPN", "alpn")
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()


def camel(name: str) -> str:
    """The other way round."""
    return re.sub(r"_([a-z])", lambda match: match[1].upper(), name)


def plain_error(error: BaseException) -> dict[str, Any]:
    """What an exception says, in the words of Node's error."""
    if hasattr(error, "errors"):
        # Rule 8.1.5: an OSError where Node has an AggregateError, which has nothing more.
        return {
            "code": getattr(error, "code", None),
            "errors": [plain_error(one) for one in error.errors],
        }
    found = {
        camel(key): getattr(error, key)
        for key in _ERROR_KEYS
        if getattr(error, key, None) is not None
    }
    number = getattr(error, "errno", None)
    if getattr(error, "strerror", "") in _PLAIN:
        # A plain Error in Node (rule 0.2.8), an OSError here.
        found.pop("syscall", None)
        number = None
    if isinstance(number, int) and found.get("syscall") != "getaddrinfo":
        found["errno"] = number
    if isinstance(error, ssl.SSLError) or str(found.get("code")).startswith("ERR_TLS_"):
        # OpenSSL's words differ from version to version.
        return {"code": found["code"].replace("_SSL/TLS_", "_SSLV3_")}
    if isinstance(error, OSError):
        # Who is at a path that is in use, Node does not say.
        found["message"] = _WHO_IS_THERE.sub(r"\1", error.strerror)
    elif not isinstance(error, TypeError | ValueError):
        found["message"] = str(error)
    return found
