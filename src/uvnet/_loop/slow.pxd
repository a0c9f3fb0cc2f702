# Who in asyncio's debug mode keeps the loop from going on.

# A loop of this process is, or was, in debug mode.  Without it this is all that a call of the user's code costs.
cdef bint watching

# Call a function; `what` says what it is, such as "'data' listener", and `owner` whose, or None.
cdef object call_watched(object loop, str what, object function, tuple arguments, object owner)
