"""The engine's private names, and what there is where the engine is not."""

from __future__ import annotations

import inspect
import subprocess
import sys

import pytest

pytest.importorskip("aioquic", reason="QUIC needs the extra aioquic, and that CPython 3.11")

from aioquic import tls  # noqa: E402
from aioquic.h3 import connection as h3  # noqa: E402
from aioquic.quic import connection, recovery, stream  # noqa: E402

from uvnet.quic import engine, http3  # noqa: E402

CLASSES: dict[str, type] = {
    "QuicConnection": connection.QuicConnection,
    "QuicNetworkPath": connection.QuicNetworkPath,
    "QuicPacketRecovery": recovery.QuicPacketRecovery,
    "QuicStreamSender": stream.QuicStreamSender,
    "QuicStreamReceiver": stream.QuicStreamReceiver,
    "Context": tls.Context,
    "H3Connection": h3.H3Connection,
}
NAMES = {
    kind: names for listed in (engine.PRIVATE_NAMES, http3.PRIVATE_NAMES) for kind, names in listed.items()
}


@pytest.mark.parametrize("kind", NAMES)
def test_the_private_names_are_there(kind: str) -> None:
    """Where one is missing aioquic has changed: see where engine.py uses it, and what does the same now."""
    source = inspect.getsource(CLASSES[kind])
    missing = [name for name in NAMES[kind] if not hasattr(CLASSES[kind], name) and f"self.{name}" not in source]
    assert not missing


def test_every_private_name_is_listed() -> None:
    """Of what is not ours: a name with a line in front, behind something that is not self."""
    import re

    ours = set(re.findall(r"def (_\w+)|self\.(_\w+)\s*(?::[^=\n]+)?=", inspect.getsource(engine)))
    known = {name for pair in ours for name in pair if name} | {name for names in NAMES.values() for name in names}
    # Members of the session that is told.
    known |= {"_add", "_end", "_is_client"}
    known |= {name for name in dir(engine.Told) if name.startswith("_")}
    used = set(re.findall(r"\.(_[a-z]\w+)", inspect.getsource(engine)))
    assert used <= known


WITHOUT = """
import sys
sys.modules["aioquic"] = None
import uvnet
import uvnet.quic
try:
    uvnet.create_quic_socket()
except ImportError as error:
    print(error)
try:
    uvnet.quic.QuicSocket
except ImportError as error:
    print(error)
"""


def _run(program: str) -> str:
    return subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True
    ).stdout


def test_without_the_extra() -> None:
    """Section 1: it says what to install, whatever is asked for."""
    assert _run(WITHOUT).count("pip install uvnet[quic]") == 2


def test_importing_uvnet_does_not_load_it() -> None:
    assert _run("import uvnet, uvnet.quic, sys; print('aioquic' in sys.modules)") == "False\n"
