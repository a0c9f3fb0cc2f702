"""What the tests of limits stand on."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from harness import Player
from server_stage import KINDS, on_stage


@pytest.fixture(params=KINDS)
def staged(request: pytest.FixtureRequest, play: Player) -> Callable[..., None]:
    """Play scene(stage) on a server with these options."""
    return lambda scene, **options: on_stage(request.param, play, scene, **options)
