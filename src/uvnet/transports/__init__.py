"""asyncio's transports, servers and loops on uvnet's streams, for programs that know asyncio alone.

Knows nothing of emitters, as emitters know nothing of it.
"""

import sys

from uvnet.transports.loop import Loop, loop_factory, new_event_loop, patch_loop

__all__ = ["Loop", "loop_factory", "new_event_loop", "patch_loop"]

if sys.version_info < (3, 16):
    from uvnet.transports.loop import EventLoopPolicy

    __all__ += ["EventLoopPolicy"]
