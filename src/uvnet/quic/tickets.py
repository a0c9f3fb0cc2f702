"""Session tickets: by which a client resumes and may send at once.  Sections 4.5 and 5.

A client keeps bytes of ours, which have all that TLS wants to know again; a server keeps its last so many, and takes each
once, so that nobody can play 0-RTT data back to it.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections import OrderedDict
from datetime import datetime, timezone
from typing import Any

from uvnet.errors.codes import quic_error
from uvnet.quic.engine import (
    TRANSPORT_PARAMETERS,
    SessionTicket,
    check_parameters,
    cipher_suite_of,
    new_session_ticket,
)

__all__ = ["TicketStore", "dump_ticket", "load_ticket"]

MOST = 4096  # tickets of a server that have not come back
_FORMAT = 1


class TicketStore:
    """The tickets that a server has given away."""

    def __init__(self) -> None:
        self._tickets: OrderedDict[bytes, SessionTicket] = OrderedDict()

    def add(self, ticket: SessionTicket) -> None:
        self._tickets[ticket.ticket] = ticket
        while len(self._tickets) > MOST:
            self._tickets.popitem(last=False)

    def take(self, label: bytes) -> SessionTicket | None:
        return self._tickets.pop(label, None)

    def __len__(self) -> int:
        return len(self._tickets)


def dump_ticket(ticket: SessionTicket) -> tuple[bytes, bytes]:
    """(ticket, transport parameters of the server) as bytes, for 'sessionTicket'."""
    parameters = b""
    others = []
    for kind, data in ticket.other_extensions:
        if kind == TRANSPORT_PARAMETERS:
            parameters = bytes(data)
        else:
            others.append((int(kind), _text(data)))
    fields = {
        "format": _FORMAT,
        "age_add": ticket.age_add,
        "cipher_suite": int(ticket.cipher_suite),
        "not_valid_after": ticket.not_valid_after.timestamp(),
        "not_valid_before": ticket.not_valid_before.timestamp(),
        "resumption_secret": _text(ticket.resumption_secret),
        "server_name": ticket.server_name,
        "ticket": _text(ticket.ticket),
        "max_early_data_size": ticket.max_early_data_size,
        "other_extensions": others,
    }
    return json.dumps(fields, separators=(",", ":")).encode(), parameters


def load_ticket(ticket: bytes | None, parameters: bytes | None, servername: str | None) -> SessionTicket | None:
    """What the bytes of a 'sessionTicket' say; None where none are given.

    Raises RuntimeError (ERR_QUIC_INVALID_TLS_SESSION_TICKET, ERR_QUIC_INVALID_REMOTE_TRANSPORT_PARAMS) for what is none,
    or is another server's.
    """
    if ticket is None:
        return None
    if parameters is not None:
        try:
            check_parameters(parameters)
        except ValueError as error:
            raise quic_error(
                "INVALID_REMOTE_TRANSPORT_PARAMS",
                f"The property 'options.remote_transport_params' cannot be used: {error}",
            ) from None
    try:
        fields: dict[str, Any] = json.loads(ticket)
        if fields["format"] != _FORMAT or fields["server_name"] != servername:
            raise ValueError("it is another server's")
        extensions = [(int(kind), _bytes(data)) for kind, data in fields["other_extensions"]]
        if parameters is not None:
            extensions.append((TRANSPORT_PARAMETERS, parameters))
        early = fields["max_early_data_size"]
        return new_session_ticket(
            age_add=int(fields["age_add"]),
            cipher_suite=cipher_suite_of(int(fields["cipher_suite"])),
            not_valid_after=datetime.fromtimestamp(fields["not_valid_after"], timezone.utc),
            not_valid_before=datetime.fromtimestamp(fields["not_valid_before"], timezone.utc),
            resumption_secret=_bytes(fields["resumption_secret"]),
            server_name=servername,
            ticket=_bytes(fields["ticket"]),
            # Without the parameters nothing may be sent early.
            max_early_data_size=None if early is None or parameters is None else int(early),
            other_extensions=extensions,
        )
    except (ValueError, TypeError, KeyError, OverflowError, OSError, RecursionError) as error:
        raise quic_error(
            "INVALID_TLS_SESSION_TICKET", f"The property 'options.session_ticket' cannot be used: {error}"
        ) from None


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")


def _bytes(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error as error:
        raise ValueError(str(error)) from None
