"""Who hears of what: emitters and their listeners, coroutines that wait, the tick queue as users see it.

Knows nothing of streams: which events there are is the business of who emits them.
"""

from uvnet.events.emitter import EventEmitter, MaxListenersExceededWarning
from uvnet.events.once_and_on import on, once
from uvnet.events.ticks import next_tick

__all__ = ["EventEmitter", "MaxListenersExceededWarning", "next_tick", "on", "once"]
