"""Text to bytes in Node's encodings, and the decoders of chunks (rules 2.6.4 and 2.15.7).  What is expected is Node's."""

from __future__ import annotations

import pytest

from uvnet.streams.encoding import canonical_encoding, encode, new_decoder

# What Node's Buffer.from(text, encoding) gives, in hexadecimal.
ENCODED = [
    ("utf8", "aé€\U0001f600", "61c3a9e282acf09f9880"),
    ("utf8", "\ud83d", "efbfbd"),
    ("utf8", "\udc00x\ud83d\ude00", "efbfbd78f09f9880"),
    ("utf16le", "a€\U0001f600", "6100ac203dd800de"),
    ("utf16le", "\ud83d", "3dd8"),
    ("latin1", "aé€", "61e9ac"),
    ("latin1", "\U0001f600", "3d00"),
    ("ascii", "aéŁ", "61e941"),
    ("hex", "00fFa1", "00ffa1"),
    ("hex", "abc", "ab"),
    ("hex", "abxx12", "ab"),
    ("hex", "a", ""),
    ("hex", "zz", ""),
    ("hex", "", ""),
    ("hex", "é0", ""),
    ("base64", "", ""),
    ("base64", "YQ==", "61"),
    ("base64", "YQ", "61"),
    ("base64", "YWI=", "6162"),
    ("base64", "YWI", "6162"),
    ("base64", "YWJj", "616263"),
    ("base64", "YWJjZ", "616263"),
    ("base64", "YWJjZGVmZw", "61626364656667"),
    ("base64", "YWJjZGVmZ2g", "6162636465666768"),
    ("base64", "Y", ""),
    ("base64", "+/+/", "fbffbf"),
    ("base64", "-_-_", "fbffbf"),
    ("base64", "Y W\nJ*j", "616263"),
    ("base64", "YQ==YQ==", "61"),
    ("base64", "=", ""),
    ("base64url", "-_-_", "fbffbf"),
    ("base64url", "+/+/", "fbffbf"),
    ("base64url", "YWJjZA", "61626364"),
    ("base64url", "YQ=", "61"),
]


@pytest.mark.parametrize(("encoding", "text", "expected"), ENCODED)
def test_encode(encoding: str, text: str, expected: str) -> None:
    assert encode(text, encoding).hex() == expected


def test_names() -> None:
    """Rule 2.6.4."""
    for name in ("utf8", "UTF-8", "ucs2", "UCS-2", "utf16le", "UTF-16LE", "binary", "Latin1", "hex", "base64URL"):
        assert canonical_encoding(canonical_encoding(name)) == canonical_encoding(name)
    for bad in ("utf7", "", "utf 8", None, 8, b"utf8"):
        with pytest.raises(TypeError, match="encoding"):
            canonical_encoding(bad)


@pytest.mark.parametrize("encoding", ["utf8", "utf16le", "latin1", "ascii", "hex", "base64", "base64url"])
def test_decoders_hold_back_what_is_incomplete_until_they_are_told_that_nothing_follows(encoding: str) -> None:
    """In chunks of any size the text is the same, and what is held back is told of as codecs do it."""
    data = "aé€\U0001f600z".encode("utf-16-le" if encoding == "utf16le" else "utf-8")
    whole = new_decoder(encoding).decode(data, True)
    for size in range(1, len(data) + 1):
        decoder = new_decoder(encoding)
        text, given = "", 0
        for start in range(0, len(data), size):
            chunk = data[start : start + size]
            given += len(chunk)
            # Without the flag more may come.
            text += decoder.decode(chunk)
            held, flag = decoder.getstate()
            assert flag == 0 and data[:given].endswith(held)
            assert len(held) < 4, "no more than a part of one character"
            assert text + new_decoder(encoding).decode(held + data[given:], True) == whole
        assert text + decoder.decode(b"", True) == whole
