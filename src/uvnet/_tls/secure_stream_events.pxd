from uvnet._stream.stream cimport Stream
from uvnet._tls.engine cimport TLSEngine
from uvnet._tls.secure_stream cimport SecureStream

cdef SecureStream open_secure(Stream under, TLSEngine engine)
