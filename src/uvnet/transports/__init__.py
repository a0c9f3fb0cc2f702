"""asyncio's transports, servers and loops on uvnet's streams, for programs that know asyncio alone.

Knows nothing of emitters, as emitters know nothing of it.
"""

from uvnet.transports.loop import Loop, loop_factory, new_event_loop, patch_loop

__all__ = ["Loop", "loop_factory", "new_event_loop", "patch_loop"]
