"""What the system knows of a TCP connection: `struct tcp_info` of Linux, which only ever grows at its end."""

from __future__ import annotations

import socket as _socket
import struct
import sys
from collections.abc import Callable
from typing import NamedTuple

__all__ = ["TCPInfo", "parse_tcp_info", "read_tcp_info"]

STATES = (
    "", "established", "syn-sent", "syn-received", "fin-wait-1", "fin-wait-2", "time-wait", "closed", "close-wait",
    "last-ack", "listening", "closing", "new-syn-received",
)  # fmt: skip
# Of the struct: state; rto, snd_mss, unacked, lost; rtt, rttvar, snd_ssthresh, snd_cwnd; total_retrans; pacing_rate;
# bytes_acked, bytes_received; notsent_bytes, min_rtt; delivery_rate.
_LAYOUT = struct.Struct("=B7x I4xI4xI4xI32x 4I16x I Q8x 2Q8x 2I8x Q")
_NUMBER: int | None = getattr(_socket, "TCP_INFO", None) if sys.platform == "linux" else None
MICROSECONDS = 1e-6
UNKNOWN = 0xFFFFFFFF


class TCPInfo(NamedTuple):
    """What the system knows of a TCP connection at this moment: times in seconds, rates in bytes a second.

    state is one of "established", "syn-sent", "fin-wait-1" and so on; rtt is the smoothed round trip time, rtt_variance
    its variation, min_rtt the least that was seen (None: none was), retransmit_timeout the time until a packet is sent
    again; retransmits counts packets that were, ever; lost and unacknowledged, packets on their way; congestion_window
    and slow_start_threshold (None: not known yet) are packets, too, of maximum_segment bytes.  unsent is bytes that the
    system has taken and not sent; acknowledged and received, bytes of the whole connection; delivery_rate the newest
    measure of how fast data arrives there, pacing_rate of how fast it is sent (None: unlimited).
    This is not in Node.
    """

    state: str
    rtt: float
    rtt_variance: float
    min_rtt: float | None
    retransmit_timeout: float
    retransmits: int
    lost: int
    unacknowledged: int
    congestion_window: int
    slow_start_threshold: int | None
    maximum_segment: int
    unsent: int
    acknowledged: int
    received: int
    delivery_rate: int
    pacing_rate: int | None


def read_tcp_info(get_option: Callable[[int, int, int], bytes]) -> TCPInfo | None:
    """Ask a TCP socket, by its get_option(level, name, size); None where the system has no such thing."""
    return None if _NUMBER is None else parse_tcp_info(get_option(_socket.IPPROTO_TCP, _NUMBER, _LAYOUT.size))


def parse_tcp_info(data: bytes) -> TCPInfo:
    """Make sense of what getsockopt(TCP_INFO) returned; what an old kernel does not tell is 0."""
    (
        state, rto, snd_mss, unacked, lost, rtt, rttvar, snd_ssthresh, snd_cwnd, total_retrans,
        pacing_rate, bytes_acked, bytes_received, notsent_bytes, min_rtt, delivery_rate,
    ) = _LAYOUT.unpack(data.ljust(_LAYOUT.size, b"\0")[: _LAYOUT.size])  # fmt: skip
    return TCPInfo(
        state=STATES[state] if state < len(STATES) else str(state),
        rtt=rtt * MICROSECONDS,
        rtt_variance=rttvar * MICROSECONDS,
        min_rtt=None if min_rtt == UNKNOWN else min_rtt * MICROSECONDS,
        retransmit_timeout=rto * MICROSECONDS,
        retransmits=total_retrans,
        lost=lost,
        unacknowledged=unacked,
        congestion_window=snd_cwnd,
        slow_start_threshold=None if snd_ssthresh >= 0x7FFFFFFF else snd_ssthresh,
        maximum_segment=snd_mss,
        unsent=notsent_bytes,
        acknowledged=bytes_acked,
        received=bytes_received,
        delivery_rate=delivery_rate,
        pacing_rate=None if pacing_rate == 2**64 - 1 or pacing_rate == UNKNOWN else pacing_rate,
    )
