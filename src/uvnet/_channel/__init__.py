"""Frames between two processes, with the descriptors that go with them, and connections dealt out over them.

Knows nothing of who starts processes, of what messages mean, or of servers.
"""
