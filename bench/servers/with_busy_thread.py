"""Runs another program of this directory beside a Python thread that never stops computing.

The arguments are a core for the thread, or `any`, and then the program and its own arguments. The thread
has the lowest priority: it takes the interpreter's lock as any thread does, but hardly any time from
whatever else runs on that core.
"""

import os
import runpy
import sys
import threading

core, program = sys.argv[1], sys.argv[2]


def compute() -> None:
    if core != "any":
        os.sched_setaffinity(threading.get_native_id(), {int(core)})
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), 19)
    number = 0
    while True:
        number = number * 5 % 1_000_003 + 1


threading.Thread(target=compute, daemon=True).start()
sys.argv = sys.argv[2:]
runpy.run_path(program, run_name="__main__")
