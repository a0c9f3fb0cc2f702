"""Arguments that nobody should pass, for hypothesis: odd values, and objects whose every method raises.

Descriptors are asked for by name (Wanted) and made when an example runs, so that each can be closed by
whoever owns it in the end.  No text among them is the name or the address of another host.
"""

from __future__ import annotations

import contextlib
import math  # noqa: F401 (used in the source texts)
import os
import socket as plain
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

__all__ = ["HOSTS", "ODD", "PATHS", "PORTS", "EvilError", "Givens", "descriptors", "rejected_hosts"]


class EvilError(Exception):
    """What an evil object raises; it may come out of a call that has used the object."""


class Evil:
    """Every special method that a conversion might call raises."""

    def _raise(self, *_: Any) -> Any:
        raise EvilError

    __eq__ = __hash__ = __str__ = __repr__ = __index__ = __int__ = __float__ = __fspath__ = _raise  # type: ignore[assignment]
    __bool__ = __len__ = __iter__ = __contains__ = __lt__ = __gt__ = __le__ = __ge__ = _raise
    fileno = _raise


class Wrong:
    """Every special method answers with something of the wrong type."""

    fd = "3"

    def __index__(self) -> Any:
        return "1"

    def __fspath__(self) -> Any:
        return 5

    def __str__(self) -> Any:
        return 5

    def __len__(self) -> Any:
        return -1

    def fileno(self) -> Any:
        return "1"


class Sly(str):
    """A text that is more than a text."""

    def __eq__(self, other: object) -> bool:
        return True

    __hash__ = str.__hash__


class Odd:
    """An odd value by its source text: hypothesis has to compare and to print what it draws."""

    def __init__(self, source: str) -> None:
        self.source = source

    def __repr__(self) -> str:
        return f"<{self.source}>"

    def value(self) -> Any:
        return eval(self.source)


class Wanted:
    """A descriptor or socket to be made when the example runs."""

    def __init__(self, kind: str, form: str) -> None:
        self.kind = kind
        self.form = form

    def __repr__(self) -> str:
        return f"<{self.kind} as {self.form}>"


class Holder:
    """An object with a descriptor."""

    def __init__(self, fd: Any) -> None:
        self.fd = fd


KINDS = ("file", "directory", "pipe", "udp", "tcp", "unix", "listening", "connected", "closed")
FORMS = ("number", "object", "socket", "closed socket", "detached socket")


class Givens:
    """What one example has been given, and closes what nobody has taken over."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.opened: list[tuple[int, os.stat_result]] = []
        self.sockets: list[plain.socket] = []

    def fill(self, value: Any) -> Any:
        """The same arguments, with what is wanted in its place."""
        if isinstance(value, Wanted):
            return self.make(value)
        if isinstance(value, Odd):
            return value.value()
        if type(value) is dict:
            return {key: self.fill(item) for key, item in value.items()}
        if type(value) in (list, tuple):
            return type(value)(self.fill(item) for item in value)
        return value

    def make(self, wanted: Wanted) -> Any:
        if wanted.form in ("number", "object"):
            descriptor = self.descriptor(wanted.kind)
            return descriptor if wanted.form == "number" else Holder(descriptor)
        made = self.socket(wanted.kind)
        if wanted.form == "closed socket":
            made.close()
        elif wanted.form == "detached socket":
            self.note(made.detach())
        else:
            self.sockets.append(made)
        return made

    def descriptor(self, kind: str) -> int:
        if kind == "closed":
            return 2**20
        if kind in ("file", "directory"):
            return self.note(os.open(os.devnull if kind == "file" else self.directory, os.O_RDONLY))
        if kind == "pipe":
            one, other = os.pipe()
            self.note(other)
            return self.note(one)
        return self.note(self.socket(kind).detach())

    def socket(self, kind: str) -> plain.socket:
        if kind == "udp":
            return plain.socket(type=plain.SOCK_DGRAM)
        if kind == "connected":
            one, other = plain.socketpair()
            self.sockets.append(other)
            return one
        if kind == "unix":
            return plain.socket(plain.AF_UNIX)
        made = plain.socket()
        if kind == "listening":
            made.bind(("127.0.0.1", 0))
            made.listen()
        return made

    def note(self, descriptor: int) -> int:
        self.opened.append((descriptor, os.fstat(descriptor)))
        return descriptor

    def close(self) -> None:
        for made in self.sockets:
            made.close()
        for descriptor, status in self.opened:
            with contextlib.suppress(OSError):
                if os.path.samestat(os.fstat(descriptor), status):
                    os.close(descriptor)


descriptors = st.sampled_from([Wanted(kind, form) for kind in KINDS for form in FORMS])

# No int here may be an open descriptor of this process: from 2**20 on, or none at all.
NUMBERS = (
    "-1", "-(2**31)", "2**20", "2**31 - 1", "2**31", "2**32", "2**63", "2**64", "10**400",
    "-(10**400)", "10**5000", "0.0", "-0.0", "0.5", "-1.5", "1e300", "math.nan", "math.inf", "-math.inf", "1j",
)  # fmt: skip
TEXTS = (
    "''", "' '", "'\\0'", "'a\\0b'", "'\\ud800'", "'\\udcff'", "'x' * 300", "'NaN'", "'-1'", "'0x'",
    "'0x' + 'f' * 400", "'1' * 5000", "'utf8'", "'IPv4'", "'IPv9'", "'\\u0661'", "'0x-1'", "'0x 1'", "'1_0'",
    "'+1'", "'1e400'", "'\\n0\\n'", "'0\\0'",
)  # fmt: skip
OBJECTS = (
    "None", "True", "False", "b''", "b'\\0'", "b'abc'", "bytearray(b'x')", "memoryview(b'x')", "[]", "[1]",
    "{}", "{'port': 2**16}", "{1: 2}", "()", "object()", "Evil()", "Evil", "{'port': Evil()}", "Wrong()",
    "Sly('odd')", "Holder(-1)", "Holder(2**40)", "Holder(True)", "range(3)", "...", "print",
    "int",
)  # fmt: skip
ODD = st.one_of(
    *(st.sampled_from([Odd(source) for source in group]) for group in (NUMBERS, TEXTS, OBJECTS)), descriptors
)

# Hosts that need no look-up, and names that only a stub looks up.
rejected_hosts = st.sampled_from(["a\0b", "\ud800", "\0", "", "x" * 300, "a..b", ".", "\u00e9" * 80])
HOSTS = st.one_of(
    st.sampled_from(["127.0.0.1", "::1", "127.0.0.2", "::ffff:127.0.0.1"]), rejected_hosts
)
PORTS = st.sampled_from([0, 0, 0, "0", 0.0, 65_535, "0xffff"])
PATHS = st.sampled_from(
    ["socket", "./socket", "missing/socket", "x" * 200, "\0uvnet-odd", "\0" + "x" * 200, "a\0b", "\ud800",
     "\udcff", b"socket", b"\xff", Path("socket"), ".", "/", "..", "-1", "a" * 107, "a" * 108]
)  # fmt: skip
