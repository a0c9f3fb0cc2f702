"""uvnet.metrics: what prometheus_client makes of it."""

from __future__ import annotations

import asyncio
import subprocess
import sys

import pytest
from harness import Player
from server_stage import HOST, KINDS, Stage, on_stage
from waiting import until

import uvnet

prometheus = pytest.importorskip("prometheus_client", reason="no prometheus_client (pip install uvnet[metrics])")


def _samples(text: str) -> dict[str, float]:
    return {
        line.rpartition(" ")[0]: float(line.rpartition(" ")[2]) for line in text.splitlines() if not line.startswith("#")
    }


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_told(kind: str, play: Player) -> None:
    from uvnet.metrics import Collector

    async def scene(stage: Stage) -> None:
        registry = prometheus.CollectorRegistry()
        registry.register(Collector())
        client = await stage.client()
        await asyncio.get_running_loop().sock_sendall(client, b"x" * 123)
        await until(lambda: stage.heard == 123)
        assert await stage.is_closed(await stage.client())
        # As its HTTP server does it.
        text = await asyncio.to_thread(lambda: prometheus.generate_latest(registry).decode())
        found = _samples(text)
        here = f'{{server="{HOST}:{stage.port}"}}'
        assert found[f"uvnet_server_accepted_total{here}"] == found["uvnet_accepted_total"] == 1
        assert found[f"uvnet_server_connections{here}"] == found["uvnet_connections"] == 1
        assert found[f"uvnet_server_bytes_read_total{here}"] == found["uvnet_bytes_read_total"] == 123
        assert found[f"uvnet_server_bytes_written_total{here}"] == 0
        assert found[f"uvnet_server_bytes_queued{here}"] == found["uvnet_bytes_queued"] == 0
        assert found[f"uvnet_server_tls_handshakes_total{here}"] == 0
        reason = f'{{reason="host limit",server="{HOST}:{stage.port}"}}'
        assert found[f"uvnet_server_dropped_total{reason}"] == 1
        assert found["uvnet_loop_turns_total"] > 0
        assert found["uvnet_loop_longest_turn_seconds"] > 0

    on_stage(kind, play, scene, max_connections_per_host=1)


def test_another_prefix(play: Player) -> None:
    from uvnet.metrics import Collector

    async def scenario() -> None:
        names = {metric.name for metric in Collector(prefix="app").collect()}
        assert "app_accepted" in names
        assert all(name.startswith("app_") for name in names)

    play(scenario)


def test_servers_that_share_a_port_are_one(play: Player) -> None:
    """prometheus_client refuses two samples of one name and one set of labels."""
    from uvnet.metrics import Collector

    async def scenario() -> None:
        first = uvnet.create_server(lambda socket: socket.end()).listen(0, reuse_port=True)
        second = uvnet.create_server(lambda socket: socket.end()).listen(first.port, reuse_port=True)
        for _ in range(10):
            async with await uvnet.open_connection(first.port, HOST) as socket:
                assert await socket.read_all(1) == b""
        registry = prometheus.CollectorRegistry()
        registry.register(Collector())
        found = _samples(prometheus.generate_latest(registry).decode())
        assert found[f'uvnet_server_accepted_total{{server="[::]:{first.port}"}}'] == 10
        await asyncio.gather(first.shutdown(1), second.shutdown(1))

    play(scenario)


def test_without_the_package() -> None:
    """It says what to install."""
    program = "import sys; sys.modules['prometheus_client.core'] = None\nimport uvnet\nimport uvnet.metrics"
    found = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
    assert "ImportError: uvnet.metrics needs the package prometheus_client: pip install uvnet[metrics]" in found.stderr
