"""Becomes another program, beside a process that computes until that program has ended.

The arguments are a core for the process, or `any`, and then the command. It shares nothing but the core with
the program: what the program loses beside it, any program would.
"""

import os
import sys

from computing import compute, give_way

core, command = sys.argv[1], sys.argv[2:]
program = os.getpid()
if os.fork() == 0:
    os.close(sys.stdout.fileno())
    give_way(core)
    compute(lambda: os.getppid() == program)
    os._exit(0)
os.execv(command[0], command)
