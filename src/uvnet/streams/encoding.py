"""Node's encodings: text to bytes in one call, bytes to text over chunk borders.

Node: "Buffers and character encodings" and "String decoder"; rules 2.6.4 and 2.15.7.
"""

from __future__ import annotations

import base64
import codecs
import re
from typing import Protocol

from uvnet.errors.codes import unknown_encoding

__all__ = ["Decoder", "canonical_encoding", "encode", "new_decoder"]

_CANONICAL = {
    "utf8": "utf8",
    "utf-8": "utf8",
    "utf16le": "utf16le",
    "utf-16le": "utf16le",
    "ucs2": "utf16le",
    "ucs-2": "utf16le",
    "latin1": "latin1",
    "binary": "latin1",
    "ascii": "ascii",
    "hex": "hex",
    "base64": "base64",
    "base64url": "base64url",
}
_PYTHON_CODECS = {"utf8": "utf-8", "utf16le": "utf-16-le", "latin1": "latin-1"}
_HEX_PAIRS = re.compile(r"(?:[0-9A-Fa-f]{2})*")
_NOT_BASE64 = re.compile(r"[^A-Za-z0-9+/]")


class Decoder(Protocol):
    """Turns chunks of bytes into text, holding back what a later chunk completes."""

    def decode(self, data: bytes, /, final: bool = False) -> str: ...

    def getstate(self) -> tuple[bytes, int]: ...  # what is held back, first


def canonical_encoding(name: object) -> str:
    """Node's own spelling of an encoding; raises TypeError (ERR_UNKNOWN_ENCODING)."""
    found = _CANONICAL.get(name.lower()) if isinstance(name, str) else None
    if found is None:
        raise unknown_encoding(name)
    return found


def encode(text: str, encoding: str) -> bytes:
    """The bytes of `text` in an encoding spelled as canonical_encoding() does.

    As in Node nothing is refused: lone surrogates become U+FFFD, characters beyond Latin-1 lose their high
    bits, hex stops at the first bad pair, base64 skips what is not base64.
    """
    if encoding == "utf8":
        try:
            return text.encode()
        except UnicodeEncodeError:
            # Surrogate pairs are characters to Node; what stays alone is replaced.
            return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace").encode()
    if encoding == "utf16le":
        return text.encode("utf-16-le", "surrogatepass")
    if encoding in ("latin1", "ascii"):
        try:
            return text.encode("latin-1")
        except UnicodeEncodeError:
            return text.encode("utf-16-le", "surrogatepass")[::2]
    if encoding == "hex":
        pairs = _HEX_PAIRS.match(text)
        return bytes.fromhex(pairs.group() if pairs else "")
    # Node takes both alphabets for both encodings, and stops at the padding.
    text = text.partition("=")[0].replace("-", "+").replace("_", "/")
    text = _NOT_BASE64.sub("", text)
    if len(text) % 4 == 1:
        text = text[:-1]
    return base64.b64decode(text + "=" * (-len(text) % 4))


class _HoldsNothing:
    def getstate(self) -> tuple[bytes, int]:
        return b"", 0


class _Ascii(_HoldsNothing):
    def decode(self, data: bytes, final: bool = False) -> str:
        return data.translate(_SEVEN_BITS).decode("ascii")


class _Hex(_HoldsNothing):
    def decode(self, data: bytes, final: bool = False) -> str:
        return data.hex()


class _Base64:
    # Three bytes make four characters; what is left of three waits.
    def __init__(self, url: bool) -> None:
        self.url = url
        self.held = b""

    def getstate(self) -> tuple[bytes, int]:
        return self.held, 0

    def decode(self, data: bytes, final: bool = False) -> str:
        data = self.held + data
        cut = len(data) if final else len(data) - len(data) % 3
        self.held = data[cut:]
        if self.url:
            return base64.urlsafe_b64encode(data[:cut]).rstrip(b"=").decode()
        return base64.b64encode(data[:cut]).decode()


_SEVEN_BITS = bytes(value & 0x7F for value in range(256))


def new_decoder(encoding: str) -> Decoder:
    """A decoder for an encoding spelled as canonical_encoding() does."""
    if encoding == "ascii":
        return _Ascii()
    if encoding == "hex":
        return _Hex()
    if encoding in ("base64", "base64url"):
        return _Base64(encoding == "base64url")
    return codecs.getincrementaldecoder(_PYTHON_CODECS[encoding])("replace")
