"""Asking Node.js for values: one process for many questions."""

from __future__ import annotations

import json
import subprocess
from typing import Any

from oracle.node import NODE

__all__ = ["ask"]

_FRAME = """
let text = "";
process.stdin.setEncoding("utf8");
process.stdin.on("data", (chunk) => { text += chunk; });
process.stdin.on("end", () => {
  const answer = (%s)(JSON.parse(text), require("node:net"));
  process.stdout.write(JSON.stringify(answer));
});
"""


def ask(function: str, question: Any) -> Any:
    """What the JavaScript `function` returns for `question` and the module net; both go as JSON."""
    done = subprocess.run(
        [NODE, "-e", _FRAME % function],
        input=json.dumps(question),
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)
