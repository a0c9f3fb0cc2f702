"""The part of packets that every version of QUIC has, and what a socket answers without a session.

Nothing here decrypts: RFC 8999 says what may be read without that.  Section 3.
"""

from __future__ import annotations

import os
from typing import NamedTuple

__all__ = ["ID_LENGTH", "SMALLEST_INITIAL", "Long", "long_header", "stateless_reset", "version_negotiation"]

ID_LENGTH = 8  # bytes of the connection ids that we choose
SMALLEST_INITIAL = 1200  # bytes of a datagram with the first packet of a client
_SMALLEST_RESET = 21
_LARGEST_RESET = 41
_LONGEST_ID = 20


class Long(NamedTuple):
    """What a long header begins with."""

    first: int
    version: int
    destination: bytes
    source: bytes
    end: int  # where the rest begins


def long_header(data: bytes) -> Long | None:
    """The long header in front of a datagram; None for what is none."""
    if len(data) < 7:
        return None
    end = 6 + data[5]
    if end >= len(data) or data[5] > _LONGEST_ID:
        return None
    stop = end + 1 + data[end]
    if stop > len(data) or data[end] > _LONGEST_ID:
        return None
    return Long(data[0], int.from_bytes(data[1:5], "big"), data[6:end], data[end + 1 : stop], stop)


def version_negotiation(header: Long, versions: list[int]) -> bytes:
    """The answer to a version that is not spoken here."""
    return b"".join(
        (
            bytes((0x80 | os.urandom(1)[0],)),
            bytes(4),
            bytes((len(header.source),)),
            header.source,
            bytes((len(header.destination),)),
            header.destination,
            *(version.to_bytes(4, "big") for version in versions),
        )
    )


def stateless_reset(token: bytes, length: int) -> bytes | None:
    """What looks like a packet and ends with the token; None where it would not be shorter than what it answers.

    Each answer is shorter than what it is to, so that two ends that know nothing of each other do not go on for ever.
    """
    length = min(length - 1, _LARGEST_RESET)
    if length < _SMALLEST_RESET:
        return None
    noise = os.urandom(length - len(token))
    return bytes((0x40 | noise[0] & 0x3F,)) + noise[1:] + token
