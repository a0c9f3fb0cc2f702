cdef str error_name(int code)
cdef str error_text(int code)

cpdef object system_error(int code, str syscall, object address=*, object port=*, bint with_text=*,
                          object local_address=*, object local_port=*, object detail=*)
cdef object descriptor_lost(str syscall)
cpdef object lookup_error(int code, object hostname)
