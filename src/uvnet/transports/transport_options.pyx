"""TransportOptions: what can be asked of a connection beside what asyncio's methods take."""

from uvnet._stream.stream cimport Stream
from uvnet._stream.tcp cimport TCP

from uvnet.arguments.checks import check_delay, check_max_buffered, check_on_max_buffered, check_seconds

cdef enum:
    CLOSE_TIMEOUT = 60           # seconds


cdef class TransportOptions:
    """Options of connections, checked; those of a server's are one object.

    max_buffered: bytes that may wait to be sent, None for no limit; on_max_buffered: what a write() beyond it does,
    "destroy" the connection or "raise"; idle_timeout: seconds without traffic after which it is lost, None or 0 for
    no limit; close_timeout: seconds without a byte going out after which a connection that was closed is lost, None
    for 60, 0 for no limit; no_delay; keep_alive, keep_alive_initial_delay: seconds, 0 for the system's.
    Raises TypeError or ValueError.
    """

    def __init__(
        self, *, max_buffered=None, on_max_buffered=None, idle_timeout=None, close_timeout=None, no_delay=None,
        keep_alive=None, keep_alive_initial_delay=None,
    ):
        self.max_buffered = check_max_buffered(max_buffered, "max_buffered")
        self.raise_when_full = check_on_max_buffered(
            "destroy" if on_max_buffered is None else on_max_buffered, "on_max_buffered"
        )
        self.idle = check_seconds(0 if idle_timeout is None else idle_timeout, "idle_timeout")
        self.close = check_seconds(CLOSE_TIMEOUT if close_timeout is None else close_timeout, "close_timeout")
        self.keep_alive_delay = check_delay(
            0 if keep_alive_initial_delay is None else keep_alive_initial_delay, "keep_alive_initial_delay"
        )
        # asyncio's own transports have it always.
        self.no_delay = no_delay is None or bool(no_delay)
        self.keep_alive = bool(keep_alive)

    cdef int apply(self, Stream stream) noexcept:
        """Set what the system can be told of a connection; it may be over already."""
        cdef Stream base = stream.base()
        if isinstance(base, TCP):
            if self.no_delay:
                (<TCP>base).set_no_delay(True)
            if self.keep_alive:
                (<TCP>base).set_keep_alive(True, self.keep_alive_delay, 1, 10)
        return 0
