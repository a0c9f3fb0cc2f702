"""Tokens that say something to ourselves: of a Retry, and of a stateless reset.  Sections 1 and 3.

Both are made with HMAC-SHA256: a Retry token of a secret of the socket's, a reset token of one that may outlive it.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import struct

__all__ = ["RetryTokens", "reset_token"]

_TAG = 16
_HEAD = struct.Struct("!dBB")


class RetryTokens:
    """What a client has to bring back to show that it gets what is sent to its address."""

    def __init__(self, timeout: float) -> None:
        self.timeout = timeout
        self._secret = os.urandom(32)

    def make(self, address: str, original: bytes, replaced: bytes, now: float) -> bytes:
        """A token for who wrote from `address` to the connection id `original`, and is told to write to `replaced`."""
        said = _HEAD.pack(now, len(original), len(replaced)) + original + replaced
        return said + self._tag(address, said)

    def check(self, address: str, token: bytes, now: float) -> tuple[bytes, bytes] | None:
        """(original, replaced) of a token that is good for this address, or None."""
        if len(token) < _HEAD.size + _TAG:
            return None
        said, tag = token[:-_TAG], token[-_TAG:]
        if not hmac.compare_digest(tag, self._tag(address, said)):
            return None
        made, first, second = _HEAD.unpack_from(said)
        if not 0 <= now - made <= self.timeout or len(said) != _HEAD.size + first + second:
            return None
        return said[_HEAD.size : _HEAD.size + first], said[_HEAD.size + first :]

    def _tag(self, address: str, said: bytes) -> bytes:
        return hmac.digest(self._secret, address.encode() + b"\0" + said, hashlib.sha256)[:_TAG]


def reset_token(secret: bytes, connection_id: bytes) -> bytes:
    """By which the peer knows that what has come from us means: nobody knows this connection any more."""
    return hmac.digest(secret, connection_id, hashlib.sha256)[:16]
