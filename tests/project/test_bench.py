"""The parts of the benchmarks that decide what is read from their numbers; nothing is measured here."""

from __future__ import annotations

import subprocess
import sys
from typing import Any
from xml.etree import ElementTree

import pytest
from places import DOCS, ROOT

pytest.importorskip("bench", reason="the benchmarks are not beside these tests")

from bench.__main__ import BENCHMARKS
from bench.build import PACKAGES
from bench.chart import draw
from bench.each_loop import LOOPS, LoopRatio, on_each_loop
from bench.peers import Peer, module_version
from bench.rounds import PeerResult
from bench.system_calls import total_calls

SVG = "{http://www.w3.org/2000/svg}"


def result(*values: float | None, name: str = "a peer") -> PeerResult:
    return PeerResult(Peer(name, ("servers/none.py",)), samples=[{"user": value} for value in values])


def test_a_ratio_is_the_median_of_the_ratios_within_each_round() -> None:
    # The second round was disturbed as a whole, and that must not show.
    assert result(2.0, 20.0, 3.0).ratio_to(result(1.0, 10.0, 1.0), "user") == 2.0


def test_a_ratio_of_means_uses_every_sample() -> None:
    assert result(0.0, 1.0, 2.0).ratio_of_means(result(2.0, 2.0, 2.0), "user") == 0.5


def test_there_is_no_ratio_without_both_sides() -> None:
    assert result(1.0).ratio_of_means(None, "user") is None
    assert result(1.0).ratio_of_means(result(None), "user") is None
    assert result(None).ratio_of_means(result(1.0), "user") is None


def test_a_need_can_name_what_a_module_offers() -> None:
    version, problem = module_version("uvnet:create_server")
    assert version and problem is None
    version, problem = module_version("uvnet:no_such_thing")
    assert version is None
    assert problem is not None and problem.startswith("from uvnet import no_such_thing failed: ImportError")


def test_a_peer_whose_tool_is_missing_says_so() -> None:
    peer = Peer("a peer", ("servers/none.py",), tools=("no-such-tool-anywhere",))
    assert peer.problem() == "no-such-tool-anywhere is not installed"


def test_a_peer_whose_headers_are_missing_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(PACKAGES, "no-such-header.h", "no-such-package")
    peer = Peer("a peer", ("servers/none.py",), headers=("no-such-header.h",))
    assert peer.problem() in (
        "no no-such-header.h to compile against (Debian: no-such-package)",
        "no C compiler",
    )


def test_a_program_is_compared_with_itself_on_another_loop() -> None:
    rows = [
        result(2.0, name="uvnet streams"),
        result(3.0, name="uvnet 'data'"),
        result(4.0, name="uvloop streams"),
        result(1.0, name="uvloop Protocol"),
    ]
    shown = LoopRatio("user", "user", "uvloop").column(rows)
    # A Socket is on uvnet alone: the Protocol is what it stands beside.
    assert [shown.cell(row) for row in rows] == ["0.50", "3.00", "1.00", "1.00"]


def test_each_loop_is_a_peer_and_says_what_it_needs() -> None:
    peers = on_each_loop("program", "servers/none.py", ("no_such_module",))
    assert [peer.name for peer in peers] == [f"{loop} program" for loop in LOOPS]
    for peer in peers:
        assert "aiofastnet" in peer.needs or "aiofastnet" not in peer.name
        assert "no_such_module" in (peer.problem() or "")


def test_system_calls_are_read_from_the_last_line_of_strace() -> None:
    table = """\
    calls syscall
--------- ----------------
     4000 sendto
        2 write
--------- ----------------
     4002 total
"""
    assert total_calls(table) == 4002
    assert total_calls("") is None


def test_every_benchmark_is_described() -> None:
    text = (ROOT / "bench" / "README.md").read_text()
    assert [name for name in BENCHMARKS if f"| `{name}`" not in text and f", `{name}`" not in text] == []


def document(*peers: dict[str, Any], **chart: Any) -> dict[str, Any]:
    shown = {"measure": "total", "title": "CPU", "inner": None, "inner_title": "", "digits": 2}
    return {
        "name": "echo",
        "title": "echo: <1 KiB>",
        "taken": "2026-11-24T12:00:00+00:00",
        "settings": {"rounds": 3},
        "machine": {"processor": "a processor", "cores": 2, "virtual": "virtual machine", "system": "a system"},
        "versions": {"python": "3", "compiler": "a compiler"},
        "chart": {**shown, "more_is_better": False, **chart},
        "peers": list(peers),
    }


def peer(name: str, *samples: dict[str, float | None]) -> dict[str, Any]:
    return {"name": name, "rounds": list(samples)}


def texts(picture: str) -> list[str]:
    return ["".join(element.itertext()) for element in ElementTree.fromstring(picture).iter(f"{SVG}text")]


def bar_widths(picture: str) -> list[float]:
    return [float(element.attrib["width"]) for element in ElementTree.fromstring(picture).iter(f"{SVG}rect")]


def test_bars_are_medians_with_the_mean_of_their_inner_part() -> None:
    samples = [{"total": 4.0, "user": 1.0}, {"total": 9.0, "user": 1.0}, {"total": 5.0, "user": 2.5}]
    picture = draw([document(peer("uvnet pipe", *samples), inner="user", inner_title="user time")])
    assert "5.00 (1.50)" in texts(picture)
    whole, inner = bar_widths(picture)
    assert inner / whole == pytest.approx(1.5 / 5.0, abs=0.01)


def test_bars_of_a_panel_share_a_scale() -> None:
    picture = draw([document(peer("one", {"total": 10.0}), peer("other", {"total": 2.5}))])
    one, other = bar_widths(picture)
    assert other / one == pytest.approx(0.25, abs=0.01)


def test_the_spread_is_drawn_where_there_is_one() -> None:
    still = draw([document(peer("one", {"total": 1.0}, {"total": 1.0}))])
    moving = draw([document(peer("one", {"total": 1.0}, {"total": 3.0}))])
    assert still.count("<path") == 0
    assert moving.count("<path") == 1


def test_a_peer_that_was_not_measured_has_no_bar() -> None:
    picture = draw([document(peer("measured", {"total": 1.0}), peer("absent"), peer("empty", {"total": None}))])
    assert "measured" in texts(picture)
    assert not {"absent", "empty"} & set(texts(picture))


def test_what_must_be_known_is_above_the_bars() -> None:
    shown = texts(draw([document(peer("one", {"total": 1.0}), note="why " * 40)]))
    assert " ".join(shown).count("why") == 40
    assert shown.index("one") > max(index for index, text in enumerate(shown) if "why" in text)


def test_the_small_print_names_machine_date_and_versions() -> None:
    small_print = " ".join(texts(draw([document(peer("one", {"total": 1.0}))])))
    assert "Medians of 3 interleaved rounds" in small_print
    assert small_print.endswith(" 2026-11-24, a processor, 2 cores, virtual machine, a system python 3")


def test_the_small_print_names_a_version_once() -> None:
    documents = [document(peer("one", {"total": 1.0})) for _ in range(3)]
    documents[1]["versions"] = {"python": "3", "uvicorn": "1"}
    documents[2]["versions"] = {"python": "4", "uvicorn": "1"}
    assert " ".join(texts(draw(documents))).endswith(" python 3; 4, uvicorn 1")


def test_the_published_chart_can_be_read_where_there_are_400_pixels() -> None:
    """Nothing is smaller than 10 of them, and no text goes beyond the edge."""
    picture = ElementTree.parse(DOCS / "benchmarks.svg").getroot()
    width = float(picture.attrib["width"])
    count = 0
    for element in picture.iter(f"{SVG}text"):
        count += 1
        size = float(element.attrib["font-size"])
        assert size * 400 / width >= 10
        long = len(element.text or "") * size * 0.53
        x = float(element.attrib["x"])
        left = x - long if element.attrib.get("text-anchor") == "end" else x
        assert left >= 0, element.text
        assert left + long <= width, element.text
    assert count > 50


def test_long_lines_of_a_chart_are_broken() -> None:
    long = {**document(peer("one", {"total": 1.0})), "title": "words " * 30, "versions": {"node": "1." * 30}}
    for text in texts(draw([long])):
        assert len(text) < 75


def test_results_without_a_chart_are_left_out() -> None:
    without = {**document(peer("one", {"total": 1.0})), "chart": None}
    with pytest.raises(ValueError, match="no result"):
        draw([without])
    assert draw([without, document(peer("one", {"total": 1.0}))]).count("echo:") == 1


@pytest.mark.skipif(sys.platform != "linux", reason="a network namespace is Linux")
def test_the_network_of_a_benchmark_has_a_working_loopback_and_says_how_tcp_sends() -> None:
    program = """
import socket
from bench.network import CONGESTION_CONTROL, settle_network

said = settle_network()
assert settle_network() == said and said.startswith(CONGESTION_CONTROL.read_text().strip())
with socket.create_server(("127.0.0.1", 0)) as listener:
    with socket.create_connection(listener.getsockname()) as client, listener.accept()[0] as peer:
        client.sendall(b"x")
        assert peer.recv(1) == b"x"
        used = client.getsockopt(socket.IPPROTO_TCP, socket.TCP_CONGESTION, 16).rstrip(b"\\0").decode()
assert said.startswith(used), (said, used)
assert not used.startswith("bbr") or "paces" in said
"""
    subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=True, timeout=60)
