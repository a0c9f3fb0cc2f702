"""What the package consists of."""

from __future__ import annotations

import pkgutil
from collections.abc import Iterator

import uvnet
from uvnet._extension import MODULES

__all__ = ["all_modules"]


def all_modules() -> Iterator[str]:
    """The full names of all modules below `uvnet`; pkgutil finds those that have a file of their own."""
    for found in pkgutil.walk_packages(uvnet.__path__, "uvnet."):
        yield found.name
    yield from MODULES
