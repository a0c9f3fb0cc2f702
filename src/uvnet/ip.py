"""Which texts are IP addresses.  Node: "net.isIP(input)"; rule 5."""

from __future__ import annotations

import re
from ipaddress import IPv4Address, IPv6Address

__all__ = ["is_ip", "is_ipv4", "is_ipv6"]

_OCTET = r"(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])"
_V4 = rf"(?:{_OCTET}\.){{3}}{_OCTET}"
_GROUP = r"[0-9A-Fa-f]{1,4}"


def _ipv6_grammar() -> str:
    """Every way to split eight groups around one "::", and an IPv4 tail in place of the last two."""
    forms = [rf"(?:{_GROUP}:){{7}}(?:{_GROUP}|:)", rf"(?:{_GROUP}:){{6}}(?:{_V4}|:{_GROUP}|:)"]
    for left in range(5, 0, -1):
        longest = 6 - left
        forms.append(
            rf"(?:{_GROUP}:){{{left}}}(?:(?::{_GROUP}){{0,{longest - 1}}}:{_V4}"
            rf"|(?::{_GROUP}){{1,{longest + 1}}}|:)"
        )
    forms.append(rf":(?:(?::{_GROUP}){{0,5}}:{_V4}|(?::{_GROUP}){{1,7}}|:)")
    return "(?:" + "|".join(forms) + r")(?:%[0-9A-Za-z\-.:]+)?"


_is_v4 = re.compile(_V4).fullmatch
_is_v6 = re.compile(_ipv6_grammar()).fullmatch


def is_ipv4(value: object) -> bool:
    """Whether the text of `value` is an IPv4 address in dotted decimal, without leading zeros."""
    return _is_v4(value if isinstance(value, str) else _text(value)) is not None


def is_ipv6(value: object) -> bool:
    """Whether the text of `value` is an IPv6 address, a %zone allowed."""
    return _is_v6(value if isinstance(value, str) else _text(value)) is not None


def is_ip(value: object) -> int:
    """4 for an IPv4 address, 6 for an IPv6 address, 0 for anything else."""
    text = value if isinstance(value, str) else _text(value)
    if _is_v4(text):
        return 4
    return 6 if _is_v6(text) else 0


def _text(value: object) -> str:
    if isinstance(value, bytes | bytearray):
        return value.decode("latin-1")
    # Node takes the text of any object; what is no address in Python's eyes is none here.
    return str(value) if isinstance(value, IPv4Address | IPv6Address) else ""
