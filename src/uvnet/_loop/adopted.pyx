"""Descriptors that were taken over, and whether somebody else has closed them meanwhile.

Whoever gave us a number may still close it, or has a second owner for it.  libuv aborts the process when it then
asks the system to watch it; and the number may stand for something else by now, which is not ours to close.  So what
the number stands for is noted when it is taken over, and looked at again before the loop next waits, for those
about which libuv will ask; before it is closed; and once a second while the loop has something to do.  In between it
is trusted: what is read and written goes to what the number stands for.

libuv: epoll_ctl() is called for changed watchers right before it waits, after the prepare callbacks.
"""

from libc.stdint cimport uint64_t
from libc.stdlib cimport realloc

from uvnet._loop.handle cimport HandleBlock
from uvnet._loop.record cimport AdoptedDescriptors, GilHold, LoopRecord
from uvnet._uv.table cimport uv

cdef extern from *:
    """
    #include <sys/stat.h>

    static int uvnet_identify(int descriptor, unsigned long long *device, unsigned long long *inode)
    {
        struct stat status;
        if (fstat(descriptor, &status) < 0)
            return -1;
        *device = status.st_dev;
        *inode = status.st_ino;
        return 0;
    }
    """
    int identify "uvnet_identify" (int descriptor, unsigned long long *device, unsigned long long *inode) nogil


cdef enum:
    LOOK_AGAIN = 1000        # milliseconds


cdef inline AdoptedDescriptor *_entry(AdoptedDescriptors *adopted, unsigned int number) noexcept nogil:
    return <AdoptedDescriptor *>adopted.entries + number


cdef int reserve_adopted(LoopRecord record) except -1:
    """Make room for one more, and let the loop look after them; add_adopted() cannot fail then."""
    cdef AdoptedDescriptors *adopted = &record.adopted
    cdef unsigned int capacity = adopted.capacity * 2 + 8
    cdef unsigned int number
    cdef AdoptedDescriptor *entries
    record.check()
    record.wake(record)
    if adopted.first_free:
        return 0
    entries = <AdoptedDescriptor *>realloc(adopted.entries, capacity * sizeof(AdoptedDescriptor))
    if entries is NULL:
        raise MemoryError
    adopted.entries = entries
    # Number 0 stands for none.
    for number in range(max(adopted.capacity, 1), capacity):
        entries[number].block = NULL
        entries[number].next = adopted.first_free
        adopted.first_free = number
    adopted.capacity = capacity
    return 0


cdef void add_adopted(HandleBlock *block, int descriptor) noexcept:
    """Note what the descriptor of the block stands for."""
    cdef AdoptedDescriptors *adopted = block.hold.adopted
    cdef unsigned int number = adopted.first_free
    cdef AdoptedDescriptor *entry = _entry(adopted, number)
    if identify(descriptor, &entry.device, &entry.inode) < 0:
        return
    adopted.first_free = entry.next
    adopted.count += 1
    entry.block = block
    entry.descriptor = descriptor
    entry.next = 0
    entry.changed = False
    block.adopted = number
    mark_changed(block)


cdef void forget_adopted(HandleBlock *block) noexcept:
    """The block's handle closes."""
    cdef AdoptedDescriptors *adopted = block.hold.adopted
    cdef AdoptedDescriptor *entry
    if block.adopted == 0:
        return
    _unlink(&adopted.first_changed, adopted, block.adopted)
    _unlink(&adopted.first_lost, adopted, block.adopted)
    entry = _entry(adopted, block.adopted)
    entry.block = NULL
    entry.next = adopted.first_free
    adopted.first_free = block.adopted
    adopted.count -= 1
    block.adopted = 0


cdef void _unlink(unsigned int *link, AdoptedDescriptors *adopted, unsigned int number) noexcept:
    while link[0]:
        if link[0] == number:
            link[0] = _entry(adopted, number).next
            return
        link = &_entry(adopted, link[0]).next


cdef void mark_changed(HandleBlock *block) noexcept nogil:
    cdef AdoptedDescriptors *adopted = block.hold.adopted
    cdef AdoptedDescriptor *entry = _entry(adopted, block.adopted)
    if not entry.changed:
        entry.changed = True
        entry.next = adopted.first_changed
        adopted.first_changed = block.adopted


cdef bint is_lost(HandleBlock *block) noexcept nogil:
    """The descriptor was closed by somebody else; its number may stand for something else by now."""
    cdef AdoptedDescriptor *entry
    cdef unsigned long long device
    cdef unsigned long long inode
    if block.adopted == 0:
        return False
    entry = _entry(block.hold.adopted, block.adopted)
    return (identify(entry.descriptor, &device, &inode) < 0
            or device != entry.device or inode != entry.inode)


cdef void _mark_all(AdoptedDescriptors *adopted) noexcept nogil:
    """Nothing happens on a descriptor that has been closed: once in a while all are looked at."""
    cdef uint64_t now = uv.now(adopted.uv_loop)
    cdef unsigned int number
    if now - adopted.looked_at < LOOK_AGAIN:
        return
    adopted.looked_at = now
    for number in range(1, adopted.capacity):
        if _entry(adopted, number).block is not NULL:
            mark_changed(_entry(adopted, number).block)


cdef bint find_lost(GilHold *hold) noexcept nogil:
    """Look at those that changed; whether any has been lost, see next_lost()."""
    cdef AdoptedDescriptors *adopted = hold.adopted
    cdef AdoptedDescriptor *entry
    cdef unsigned int number
    _mark_all(adopted)
    while adopted.first_changed:
        number = adopted.first_changed
        entry = _entry(adopted, number)
        adopted.first_changed = entry.next
        entry.next = 0
        entry.changed = False
        if is_lost(entry.block):
            # Until it is closed it is not looked at again.
            entry.changed = True
            entry.next = adopted.first_lost
            adopted.first_lost = number
    return adopted.first_lost != 0


cdef HandleBlock *next_lost(GilHold *hold) noexcept nogil:
    """One that was found, or NULL; it stays until its handle is closed."""
    cdef AdoptedDescriptors *adopted = hold.adopted
    return NULL if adopted.first_lost == 0 else _entry(adopted, adopted.first_lost).block
