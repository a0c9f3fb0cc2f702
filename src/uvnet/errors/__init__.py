"""The exceptions that uvnet raises, each made in one place.  Knows nothing of who raises them."""

from uvnet.errors.codes import NetRuntimeError, NetTypeError, NetValueError

__all__ = ["NetRuntimeError", "NetTypeError", "NetValueError"]
