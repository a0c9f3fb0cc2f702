# SipHash-1-3 of 16 bytes: a hash of which nobody can choose collisions who does not know its secret.
# (Aumasson and Bernstein, "SipHash: a fast short-input PRF"; one round for each word, three at the end.)

from libc.stdint cimport uint64_t

cdef extern from *:
    """
    #include <stdint.h>

    #define UVNET_ROTATE(word, bits) ((word) << (bits) | (word) >> (64 - (bits)))
    #define UVNET_SIP_ROUND(a, b, c, d) do { \\
        a += b; b = UVNET_ROTATE(b, 13) ^ a; a = UVNET_ROTATE(a, 32); \\
        c += d; d = UVNET_ROTATE(d, 16) ^ c; \\
        a += d; d = UVNET_ROTATE(d, 21) ^ a; \\
        c += b; b = UVNET_ROTATE(b, 17) ^ c; c = UVNET_ROTATE(c, 32); \\
    } while (0)

    static inline uint64_t uvnet_keyed_hash(const uint64_t *secret, uint64_t first, uint64_t second)
    {
        const uint64_t words[] = {first, second, (uint64_t)16 << 56};
        uint64_t a = secret[0] ^ UINT64_C(0x736f6d6570736575);
        uint64_t b = secret[1] ^ UINT64_C(0x646f72616e646f6d);
        uint64_t c = secret[0] ^ UINT64_C(0x6c7967656e657261);
        uint64_t d = secret[1] ^ UINT64_C(0x7465646279746573);
        int index;
        for (index = 0; index < 3; index++) {
            d ^= words[index];
            UVNET_SIP_ROUND(a, b, c, d);
            a ^= words[index];
        }
        c ^= 0xff;
        for (index = 0; index < 3; index++)
            UVNET_SIP_ROUND(a, b, c, d);
        return a ^ b ^ c ^ d;
    }
    """
    uint64_t keyed_hash "uvnet_keyed_hash" (const uint64_t *secret, uint64_t first, uint64_t second) nogil
