"""The policy that makes uvnet's loops; policies end with CPython 3.15, and from 3.14 on importing this module warns."""

from __future__ import annotations

import asyncio

import uvloop

from uvnet.transports.loop import new_event_loop

__all__ = ["EventLoopPolicy"]


class EventLoopPolicy(uvloop.EventLoopPolicy):  # type: ignore[misc]
    """Makes Loops, for programs that only ask asyncio.  asyncio: "asyncio.set_event_loop_policy()"."""

    def _loop_factory(self) -> asyncio.AbstractEventLoop:
        return new_event_loop()


EventLoopPolicy.__module__ = "uvnet"
