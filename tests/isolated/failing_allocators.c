/* Allocators that fail once, at the allocation that shortage.py asks for, in the thread that asked.
 *
 * Preloaded, malloc() fails for uvnet's own modules; installed, the allocators of Python fail for what uvnet
 * calls, and whom it calls.  What uvloop does by itself is not tried: it does not get over it.
 */

#define _GNU_SOURCE
#include <Python.h>
#include <dlfcn.h>
#include <execinfo.h>
#include <pthread.h>
#include <string.h>

static PyMemAllocatorEx before[3];
static int of_python;
static int armed;
static long count, fail_at;
static pthread_t thread;

/* Modules of uvnet lie in a folder of that name, and the whole project may. */
static int is_of(const void *caller, const char *folder)
{
    Dl_info where;
    return dladdr(caller, &where) && where.dli_fname && strstr(where.dli_fname, folder);
}

/* Whether uvnet is nearer on the stack than uvloop. */
static int for_uvnet(void)
{
    void *frames[100];
    int number, index;
    armed = 0;
    number = backtrace(frames, 100);
    armed = 1;
    for (index = 2; index < number; index++) {
        if (is_of(frames[index], "-packages/uvnet/"))
            return 1;
        if (is_of(frames[index], "/uvloop/"))
            return 0;
    }
    return 0;
}

static int fails(int python)
{
    if (!armed || of_python != python || !pthread_equal(thread, pthread_self()))
        return 0;
    if (python && !for_uvnet())
        return 0;
    count++;
    return count == fail_at;
}

static void *hooked_malloc(void *context, size_t size)
{
    PyMemAllocatorEx *original = context;
    return fails(1) ? NULL : original->malloc(original->ctx, size);
}

static void *hooked_calloc(void *context, size_t number, size_t size)
{
    PyMemAllocatorEx *original = context;
    return fails(1) ? NULL : original->calloc(original->ctx, number, size);
}

static void *hooked_realloc(void *context, void *memory, size_t size)
{
    PyMemAllocatorEx *original = context;
    return fails(1) ? NULL : original->realloc(original->ctx, memory, size);
}

static void hooked_free(void *context, void *memory)
{
    PyMemAllocatorEx *original = context;
    original->free(original->ctx, memory);
}

void short_install(void)
{
    static const PyMemAllocatorDomain domains[] = {PYMEM_DOMAIN_RAW, PYMEM_DOMAIN_MEM, PYMEM_DOMAIN_OBJ};
    int index;
    of_python = 1;
    for (index = 0; index < 3; index++) {
        PyMemAllocatorEx hooked = {&before[index], hooked_malloc, hooked_calloc, hooked_realloc, hooked_free};
        PyMem_GetAllocator(domains[index], &before[index]);
        PyMem_SetAllocator(domains[index], &hooked);
    }
}

void short_arm(long number)
{
    thread = pthread_self();
    count = 0;
    fail_at = number;
    armed = 1;
}

void short_resume(void) { armed = 1; }
void short_pause(void) { armed = 0; }
long short_count(void) { return count; }

#define NEXT(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

void *malloc(size_t size)
{
    static __typeof__(&malloc) next;
    if (!next)
        next = NEXT(malloc);
    return armed && is_of(__builtin_return_address(0), "-packages/uvnet/") && fails(0) ? NULL : next(size);
}

void *realloc(void *memory, size_t size)
{
    static __typeof__(&realloc) next;
    if (!next)
        next = NEXT(realloc);
    return armed && is_of(__builtin_return_address(0), "-packages/uvnet/") && fails(0) ? NULL : next(memory, size);
}

/* dlsym() itself calls calloc(). */
void *__libc_calloc(size_t number, size_t size);

void *calloc(size_t number, size_t size)
{
    return armed && is_of(__builtin_return_address(0), "-packages/uvnet/") && fails(0) ? NULL : __libc_calloc(number, size);
}
