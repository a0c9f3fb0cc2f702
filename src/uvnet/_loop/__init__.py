"""What one event loop needs: its record, its ticks and timers, its handles, and how it begins and ends.

Knows nothing of what a handle is for; of events only that an error may have had no listener.
"""
