"""What kind of interpreter the tests run on."""

from __future__ import annotations

import sysconfig

import pytest

#: Built without a GIL, whether or not it is switched on now.
FREE_THREADED = bool(sysconfig.get_config_var("Py_GIL_DISABLED"))
with_gil = pytest.mark.skipif(FREE_THREADED, reason="this interpreter has no GIL")
without_gil = pytest.mark.skipif(not FREE_THREADED, reason="this interpreter has a GIL")
