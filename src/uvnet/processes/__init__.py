"""Child processes, and the messages, servers and sockets that go between them and their parent.

Knows nothing of workers that share what they listen on.
"""

from uvnet.processes.child_process import ChildProcess, fork
from uvnet.processes.parent import parent_process
from uvnet.processes.port import MessagePort

__all__ = ["ChildProcess", "MessagePort", "fork", "parent_process"]
