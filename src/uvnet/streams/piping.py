"""pipe() and unpipe(): from a readable to anything that can be written to, at the pace of the slower one.

Node: "readable.pipe(destination[, options])"; rule 3.3.
"""

from __future__ import annotations

from typing import Any

from uvnet.errors.codes import invalid_type
from uvnet.events.emitter import EventEmitter

__all__ = ["Piping", "start_piping", "stop_piping"]


class Piping:
    """One pipe: the listeners it has added, and whether it waits for a 'drain'."""

    def __init__(self, source: Any, destination: Any, end: bool) -> None:
        self.source = source
        self.destination = destination
        self.ends = end
        self.waiting = False
        self.open = True
        # A stream of ours, which tells of its 'close' before that is emitted.
        self.ours = hasattr(destination, "_piped_here")
        self.has_events = all(hasattr(destination, name) for name in ("on", "once", "off", "emit"))

    def start(self) -> None:
        source, destination = self.source, self.destination
        if self.ours:
            destination._piped_here = [*(destination._piped_here or ()), self]
        if source.readable_ended:
            source._next_tick(self.on_end)
        else:
            source.once("end", self.on_end)
        source.on("data", self.on_data)
        if self.has_events:
            destination.prepend_listener("error", self.on_error)
            destination.once("finish", self.on_finish)
            if not self.ours:
                destination.once("close", self.on_close)
        if not self.open:
            # Somebody who was told of a new listener has called unpipe().
            self.stop_listening()
            return
        self.tell("pipe")
        if getattr(destination, "writable_need_drain", False):
            self.wait()
        elif not source.readable_flowing:
            source.resume()

    def stop(self) -> None:
        """Take the listeners away; the caller has removed this pipe from the source's list."""
        self.open = False
        if self.ours:
            self.destination._piped_here.remove(self)
        self.stop_listening()
        if self.waiting:
            # Others must not wait for a destination that is gone.
            self.on_drain()

    def stop_listening(self) -> None:
        self.source.off("end", self.on_end)
        self.source.off("data", self.on_data)
        if self.has_events:
            for event, listener in (
                ("error", self.on_error),
                ("close", self.on_close),
                ("finish", self.on_finish),
                ("drain", self.on_drain),
            ):
                self.destination.off(event, listener)

    def tell(self, event: str) -> None:
        """Emit 'pipe' or 'unpipe' on a destination that is not closed."""
        if self.has_events and not (self.ours and self.destination.closed):
            self.destination.emit(event, self.source)

    def wait(self) -> None:
        if not self.open:
            return
        if not self.waiting:
            self.waiting = True
            self.destination.on("drain", self.on_drain)
            if not self.open:
                self.stop_listening()
                return
        # Each time: the source may have been resumed while this waits.
        self.source.pause()

    def on_data(self, chunk: Any) -> None:
        if self.destination.write(chunk) is False and self.has_events:
            self.wait()
        elif self.ours:
            self.source._relay(self)

    def on_drain(self) -> None:
        if not self.waiting:
            return
        self.waiting = False
        self.destination.off("drain", self.on_drain)
        pipings = self.source._pipings
        if not any(piping.waiting for piping in pipings) and self.source.listener_count("data"):
            self.source.resume()

    def on_end(self) -> None:
        if not self.ends:
            stop_piping(self.source, self.destination)
        elif hasattr(self.destination, "end"):
            self.destination.end()
        elif hasattr(self.destination, "flush"):
            # A file such as sys.stdout.buffer stays open: others may hold it.
            self.destination.flush()

    def on_error(self, error: BaseException) -> None:
        stop_piping(self.source, self.destination)
        if not _is_heard(self.destination, "error"):
            self.destination.emit("error", error)

    def on_close(self, *_arguments: Any) -> None:
        stop_piping(self.source, self.destination)

    def on_finish(self) -> None:
        stop_piping(self.source, self.destination)


def start_piping(source: Any, destination: Any, end: bool) -> Any:
    """The body of readable.pipe()."""
    if not callable(getattr(destination, "write", None)):
        raise invalid_type("destination", "an object with a write() method", destination)
    piping = Piping(source, destination, bool(end))
    if source._pipings is None:
        source._pipings = []
    source._pipings.append(piping)
    piping.start()
    return destination


def stop_piping(source: Any, destination: Any) -> None:
    """The body of readable.unpipe()."""
    pipings = source._pipings
    if not pipings:
        return
    if destination is None:
        stopped = list(pipings)
    else:
        stopped = [piping for piping in pipings if piping.destination is destination][:1]
    for piping in stopped:
        pipings.remove(piping)
    if not pipings:
        source.pause()
    for piping in stopped:
        piping.stop()
        piping.tell("unpipe")


def _is_heard(emitter: Any, event: str) -> bool:
    if isinstance(emitter, EventEmitter):
        return emitter._is_heard(event)
    return bool(emitter.listener_count(event))
