"""curl as a client of HTTP/3, by curl_cffi (PyPI), which brings one that speaks it."""

from __future__ import annotations

import json
import sys

import pytest
from certificates import Certificates
from harness import Player
from quic_pair import quic_server
from quic_peers import BODY, program, serve_requests

pytest.importorskip("curl_cffi", reason="curl_cffi (PyPI) is not installed")

SCRIPT = """
import hashlib, json, sys
from curl_cffi import requests
from curl_cffi.const import CurlHttpVersion
url, authority = sys.argv[1:]
body = bytes(number * number % 251 for number in range(300_000))
session = requests.Session(http_version=CurlHttpVersion.V3ONLY, verify=authority, timeout=20)
found = []
for answer in (session.post(url, data=body), session.get(url + "5000"), session.get(url + "0")):
    found.append([answer.status_code, answer.http_version, len(answer.content), hashlib.sha256(answer.content).hexdigest()])
session.close()
print(json.dumps(found))
"""


def test_curl(play: Player, certificates: Certificates) -> None:
    import hashlib

    async def scenario() -> None:
        async with quic_server(certificates, alpn="h3") as server:
            server.on("session", serve_requests)
            address = server.endpoints[0].address
            assert address is not None
            async with program(
                sys.executable, "-c", SCRIPT, f"https://localhost:{address.port}/", certificates.authority
            ) as running:
                assert await running.ended() == 0, running.said.decode()
            found = json.loads(running.said)
            assert [(status, size) for status, _, size, _ in found] == [(200, len(BODY)), (200, 5000), (200, 0)]
            assert [digest for *_, digest in found[:2]] == [
                hashlib.sha256(data).hexdigest() for data in (BODY, BODY[:5000])
            ]
            assert server.server_sessions == 1

    play(scenario, timeout=60)
