"""C that others own: libuv's declarations, the table of its functions in uvloop's copy, types of CPython.

Knows no handle of ours.
"""
