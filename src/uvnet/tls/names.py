"""Which context a server uses for the name that a client asks for (SNI, RFC 6066).

An ssl.SSLContext asks one function, whichever server's connection it is for; who is asked for stands on the
connection's ssl.SSLObject.  Node: "server.addContext()", option SNICallback.
"""

from __future__ import annotations

import re
import ssl
from collections.abc import Callable
from typing import Any

from uvnet.errors.codes import invalid_type

__all__ = ["Names", "asked_name", "choose_by", "may_choose"]


class Names:
    """The contexts of one server by name, and what to ask for those of others."""

    def __init__(self, callback: Callable[[str], ssl.SSLContext | None] | None) -> None:
        self.callback = callback
        self.added: list[tuple[re.Pattern[str], ssl.SSLContext]] = []

    def add(self, hostname: str, context: ssl.SSLContext) -> None:
        """Use it for a name, of which "*" stands for any part between dots; what is added last is looked at first."""
        pattern = r"[^.]*".join(map(re.escape, hostname.split("*")))
        self.added.insert(0, (re.compile(pattern, re.IGNORECASE), context))

    def find(self, hostname: str) -> ssl.SSLContext | None:
        """The context for a name; None: the server's own."""
        if self.callback is not None:
            context = self.callback(hostname)
            if context is not None and not isinstance(context, ssl.SSLContext):
                raise invalid_type("what sni_callback returns", "an ssl.SSLContext or None", context)
            if context is not None:
                return context
        return next((context for pattern, context in self.added if pattern.fullmatch(hostname)), None)


def _choose(tls: Any, hostname: str | None, _context: ssl.SSLContext) -> int | None:
    """What the ssl.SSLContext of a server calls for each ClientHello."""
    chooser = getattr(tls, "_uvnet_chooser", None)
    if chooser is None or hostname is None:
        return None
    tls._uvnet_asked = hostname
    names, failed = chooser
    try:
        context = names.find(hostname)
    except Exception as error:
        failed(error)
        return int(ssl.ALERT_DESCRIPTION_INTERNAL_ERROR)
    if context is not None:
        tls.context = context
    return None


def may_choose(context: ssl.SSLContext) -> bool:
    """Whether a server can choose by name: not where the context has a function of the program's own for that."""
    return context.sni_callback is None or context.sni_callback is _choose


def choose_by(names: Names, tls: Any, failed: Callable[[Exception], object]) -> None:
    """Let the names decide for this connection; failed(error) is told what the server's function raises."""
    context = tls.context
    if may_choose(context):
        context.sni_callback = _choose
        tls._uvnet_chooser = (names, failed)


def asked_name(tls: Any) -> str | None:
    """The name that a client has asked for, or None."""
    return getattr(tls, "_uvnet_asked", None)
