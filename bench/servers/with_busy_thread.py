"""Runs another program of this directory beside a Python thread that never stops computing.

The arguments are a core for the thread, or `any`, and then the program and its own arguments. The thread
takes the interpreter's lock as any thread does, but no time that others on its core want.
"""

import runpy
import sys
import threading

from computing import compute, give_way

core, program = sys.argv[1], sys.argv[2]


def work() -> None:
    give_way(core)
    compute(lambda: True)


threading.Thread(target=work, daemon=True).start()
sys.argv = sys.argv[2:]
runpy.run_path(program, run_name="__main__")
