cdef int check_path(bytes path) noexcept
cdef object path_error(int status, str syscall, bytes path, str shown, str why=*)
