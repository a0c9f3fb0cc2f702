"""The programs of `python -m uvnet`, one file each.  They use the public names of uvnet alone."""
