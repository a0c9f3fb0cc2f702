import asyncio

from uvnet._accept.statistics import LoopStatistics

def statistics(loop: asyncio.AbstractEventLoop | None = None) -> LoopStatistics: ...
