"""Counts of what uvnet has allocated and not yet given back.

Kept in every build: one increment each costs nothing that can be measured, and a leak is then visible in
production too.
"""


def snapshot() -> dict:
    """What is open now: {"handles": int, "requests": int, "pinned": int}, over all loops."""
    return {
        "handles": counters.handles,
        "requests": counters.requests + counters.relayed,
        "pinned": counters.pinned,
    }
