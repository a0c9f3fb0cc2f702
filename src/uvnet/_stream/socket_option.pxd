cdef object get_option(int descriptor, int level, int number, object size)
cdef int set_option(int descriptor, int level, int number, object value, object named=*) except -1
