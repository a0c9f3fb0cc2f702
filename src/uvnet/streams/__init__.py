"""Node's streams: the two halves of a duplex, how they end, and how one waits for them.

Knows nothing of connections: where bytes come from and go to is the business of a subclass.
"""

from uvnet.streams.finishing import finished, pipeline

__all__ = ["finished", "pipeline"]
