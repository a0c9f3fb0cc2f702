"""The programs of `python -m uvnet`, one file each.

They use uvnet as any program does; beyond its public names they know how addresses are written, and which libuv it is.
"""
