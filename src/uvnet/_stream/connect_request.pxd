from uvnet._stream.stream cimport Stream
from uvnet._uv.table cimport uv_connect_t

cdef uv_connect_t *begin_connect(Stream stream) except NULL
cdef void abort_connect(uv_connect_t *request) noexcept
cdef void on_connect(uv_connect_t *request, int status) noexcept nogil
