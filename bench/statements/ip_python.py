"""Times what Python has to recognise IP addresses and prints nanoseconds per call as one JSON object.

usage: ip_python.py uvnet|ipaddress SECONDS_PER_CASE
"""

from __future__ import annotations

import ipaddress
import json
import sys
from collections.abc import Callable

from timing import nanoseconds

TEXTS = {
    "ipv4": "192.168.100.200",
    "ipv6": "2001:db8::8a2e:370:7334",
    "long_ipv6": "2001:0db8:85a3:0000:0000:8a2e:0370:7334",
    "name": "www.example.com",
}


def version(text: str) -> int:
    try:
        return ipaddress.ip_address(text).version
    except ValueError:
        return 0


def main() -> None:
    kind, seconds = sys.argv[1], float(sys.argv[2])
    is_ip: Callable[[str], int] = version
    if kind == "uvnet":
        from uvnet import is_ip
    results = {
        case: nanoseconds("is_ip(text)", {"is_ip": is_ip, "text": text}, seconds)
        for case, text in TEXTS.items()
    }
    print(json.dumps(results))


main()
