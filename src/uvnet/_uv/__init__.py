"""libuv as C, found inside uvloop: declarations and the table of functions.  No policy."""
