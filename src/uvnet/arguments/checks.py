"""Checks of single arguments, as every call makes them before it changes anything (decision 6).

What is wrong raises the documented error; what is right comes back as what the code wants.  Nothing here knows for
which call.
"""

from __future__ import annotations

import grp
import inspect
import math
import os
import pwd
from collections.abc import Callable, Mapping
from typing import Any, Literal

from uvnet.errors.codes import bad_port, invalid_type, invalid_value, out_of_range

__all__ = [
    "check_account",
    "check_attempt_timeout",
    "check_delay",
    "check_header_timeout",
    "check_high_water_mark",
    "check_integer",
    "check_keep_alive_count",
    "check_keep_alive_interval",
    "check_max_buffered",
    "check_mode",
    "check_on_max_buffered",
    "check_path",
    "check_port",
    "check_seconds",
    "is_async_callable",
    "merge_options",
    "parse_keep_alive",
    "reject_unknown",
    "to_number",
]

HEADER_TIMEOUT = 10  # seconds for a PROXY header to come
MAX_TIMEOUT = 2**31 - 1  # milliseconds, Node's TIMEOUT_MAX (rule 2.12.2)


def to_number(text: str) -> float:
    """The number a str stands for where Node takes numeric strings for ports, or NaN."""
    stripped = text.strip()
    if not stripped:
        return 0
    prefix = stripped[:2].lower()
    try:
        if prefix in ("0x", "0o", "0b"):
            # int() takes signs, spaces, underscores and other digits as well.
            digits = stripped[2:] if stripped.isascii() and stripped.isalnum() else ""
            return int(digits, {"0x": 16, "0o": 8, "0b": 2}[prefix])
        if "_" in stripped or not stripped.isascii() or stripped.lower().lstrip("+-")[:3] in ("nan", "inf"):
            return math.nan
        return float(stripped)
    except ValueError:
        return math.nan


def merge_options(options: Any, keywords: Mapping[str, Any], name: str = "options") -> dict[str, Any]:
    """One mapping of options and keyword arguments together; the keywords win."""
    if options is None:
        return dict(keywords)
    if not isinstance(options, Mapping):
        raise invalid_type(name, "a mapping", options)
    return {**options, **keywords}


def reject_unknown(options: Mapping[str, Any], known: frozenset[str], where: str) -> None:
    """Raise TypeError for options that do not exist: a typing error must not be ignored."""
    unknown = sorted(str(key) for key in options if key not in known)
    if unknown:
        raise TypeError(f"{where} got unknown options: {', '.join(unknown)}")


def check_port(value: Any, name: str, type_name: str) -> int:
    """A port as an int; raises TypeError or ValueError (ERR_SOCKET_BAD_PORT)."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise invalid_type(type_name, "one of type int or str", value)
    if isinstance(value, str):
        number = to_number(value) if value.strip() else math.nan
    else:
        number = value
    if not 0 <= number <= 65535 or number != int(number):
        raise bad_port(name, value)
    return int(number)


def check_integer(value: Any, name: str, highest: int) -> int:
    """A whole number from 0 to `highest`; raises TypeError or ValueError (ERR_OUT_OF_RANGE)."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise invalid_type(name, "of type int", value)
    if isinstance(value, float) and not value.is_integer():
        raise out_of_range(name, "an integer", value)
    if not 0 <= value <= highest:
        raise out_of_range(name, f">= 0 and <= {highest}", value)
    return int(value)


def check_mode(value: Any, name: str) -> int:
    """The permissions of a file, 0 to 0o777; raises TypeError or ValueError."""
    if isinstance(value, bool) or not isinstance(value, int):
        raise invalid_type(name, "of type int, such as 0o660", value)
    if not 0 <= value <= 0o777:
        raise out_of_range(name, ">= 0 and <= 0o777 (in octal, such as 0o660)", value)
    return value


def check_account(value: Any, name: str, kind: Literal["user", "group"]) -> int | None:
    """The number of a user or a group of this system, which may be given by name; None stays None.

    Raises TypeError or ValueError.
    """
    if value is None:
        return None
    if isinstance(value, str):
        try:
            return pwd.getpwnam(value).pw_uid if kind == "user" else grp.getgrnam(value).gr_gid
        except (KeyError, ValueError):
            raise invalid_value(name, value, f"must be a {kind} of this system") from None
    if isinstance(value, bool) or not isinstance(value, int):
        raise invalid_type(name, f"the name or the number of a {kind}", value)
    # 2**32 - 1 means "leave it" to chown(2).
    if not 0 <= value <= 2**32 - 2:
        raise out_of_range(name, ">= 0 and <= 4294967294", value)
    return value


def check_path(value: Any, name: str) -> str:
    """A path as str itself (never a subclass); raises TypeError."""
    if isinstance(value, os.PathLike):
        value = os.fspath(value)
    if isinstance(value, bytes):
        value = os.fsdecode(value)
    if not isinstance(value, str):
        raise invalid_type(name, "of type str", value)
    path: str = str.__str__(value)
    try:
        os.fsencode(path)
    except UnicodeEncodeError:
        raise invalid_value(name, path, "has characters that no path can have") from None
    return path


def check_seconds(value: Any, name: str) -> int:
    """A time in seconds as milliseconds, at most MAX_TIMEOUT; raises TypeError or ValueError."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise invalid_type(name, "of type int or float", value)
    if not 0 <= value < math.inf:
        raise out_of_range(name, "a non-negative finite number", value)
    return min(math.ceil(min(value, MAX_TIMEOUT) * 1000), MAX_TIMEOUT)


def check_header_timeout(options: Mapping[str, Any], name: str) -> int:
    """The time in which a PROXY header has to come, in milliseconds; raises TypeError or ValueError."""
    value = options.get("proxy_header_timeout", HEADER_TIMEOUT)
    milliseconds = check_seconds(value, name)
    if milliseconds == 0:
        raise out_of_range(name, "> 0", value)
    return milliseconds


def check_high_water_mark(value: Any, name: str) -> int:
    """A high-water mark in bytes; raises TypeError or ValueError."""
    if isinstance(value, bool) or not isinstance(value, int):
        raise invalid_type(name, "of type int", value)
    if value < 0 or value > 2**40:
        raise out_of_range(name, ">= 0", value)
    return value


def check_max_buffered(value: Any, name: str) -> int:
    """A cap on queued bytes, 0 for None; raises TypeError or ValueError."""
    if value is None:
        return 0
    if isinstance(value, bool) or not isinstance(value, int):
        raise invalid_type(name, "of type int or None", value)
    if not 1 <= value <= 2**40:
        raise out_of_range(name, ">= 1", value)
    return value


def check_on_max_buffered(value: Any, name: str) -> bool:
    """Whether a write beyond the cap raises ("raise") or destroys the socket ("destroy")."""
    if value not in ("destroy", "raise"):
        raise invalid_value(name, value, "must be one of: 'destroy', 'raise'")
    return bool(value == "raise")


def check_delay(value: Any, name: str) -> int:
    """A keep-alive time in whole seconds, rounded down; negative is 0."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise invalid_type(name, "of type int or float", value)
    if not -math.inf < value <= 32767:
        raise out_of_range(name, "<= 32767 seconds", value)
    return max(int(value), 0)


def check_keep_alive_interval(value: Any, name: str) -> int:
    """Whole seconds between keep-alive probes, at least 1."""
    return max(check_delay(value, name), 1)


def check_keep_alive_count(value: Any, name: str) -> int:
    """How many keep-alive probes may go unanswered, 1 to 127."""
    if isinstance(value, bool) or not isinstance(value, int):
        raise invalid_type(name, "of type int", value)
    if not 1 <= value <= 127:
        raise out_of_range(name, ">= 1 and <= 127", value)
    return value


def parse_keep_alive(options: Mapping[str, Any]) -> tuple[bool | None, bool | None, int, int | None, int | None]:
    """The options no_delay, keep_alive and its delay, interval and count; None where nothing was said."""
    delay = check_delay(options.get("keep_alive_initial_delay", 0), "options.keep_alive_initial_delay")
    interval, count = options.get("keep_alive_interval"), options.get("keep_alive_count")
    return (
        _switch(options, "no_delay"),
        _switch(options, "keep_alive"),
        delay,
        None if interval is None else check_keep_alive_interval(interval, "options.keep_alive_interval"),
        None if count is None else check_keep_alive_count(count, "options.keep_alive_count"),
    )


def _switch(options: Mapping[str, Any], name: str) -> bool | None:
    return None if options.get(name) is None else bool(options[name])


def check_attempt_timeout(value: Any, name: str) -> float:
    """Seconds between connection attempts that get no answer, at least 0.01."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise invalid_type(name, "of type int or float", value)
    if not 0 < value <= MAX_TIMEOUT / 1000:
        raise out_of_range(name, f"> 0 and <= {MAX_TIMEOUT / 1000}", value)
    return max(float(value), 0.01)


def is_async_callable(function: Callable[..., Any]) -> bool:
    """Whether calling `function` makes a coroutine."""
    return inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(
        getattr(function, "__call__", None)  # noqa: B004
    )
