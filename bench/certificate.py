"""The certificate of servers that are measured over TLS, made once by the `openssl` command."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from bench.build import BUILD, BuildError

TOOL = "openssl"
PATH = BUILD / "certificate.pem"
DAYS = "3650"


def certificate() -> Path:
    """A file with a certificate that nobody has signed, and its key."""
    if PATH.exists():
        return PATH
    BUILD.mkdir(exist_ok=True)
    unfinished = PATH.with_name(f"{PATH.name}.{os.getpid()}")
    command = [
        *(TOOL, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"),
        *("-nodes", "-subj", "/CN=localhost", "-days", DAYS, "-keyout", "-", "-out", "-"),
    ]
    answer = subprocess.run(command, capture_output=True, text=True, check=False)
    if answer.returncode != 0:
        raise BuildError(f"{TOOL} cannot make a certificate: {answer.stderr}")
    unfinished.touch(0o600)
    unfinished.write_text(answer.stdout)
    unfinished.replace(PATH)
    return PATH
