# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Philox4x32-10 (Salmon et al., SC 2011): all of the model's random numbers.

A number belongs to a place in the model, never to the order of execution:
its key is (seed, hash of what it is for), its counter says which one it is.
"""
import numpy as np

MULTIPLIERS = (0xD2511F53, 0xCD9E8D57)
WEYL = (0x9E3779B9, 0xBB67AE85)
LOW = np.uint64(0xFFFFFFFF)
HALF = np.uint64(32)


def philox(counter, key):
    """The four output words for each counter.

    counter: four integers or arrays of 32-bit words, broadcast together.
    key: two 32-bit integers. Returns four uint64 arrays of 32-bit words.
    """
    c = np.broadcast_arrays(*[np.asarray(word, np.uint64) for word in counter])
    k = [int(word) for word in key]
    m = [np.uint64(value) for value in MULTIPLIERS]
    for _ in range(10):
        even, odd = m[0] * c[0], m[1] * c[2]
        c = [(odd >> HALF) ^ c[1] ^ np.uint64(k[0]), odd & LOW,
             (even >> HALF) ^ c[3] ^ np.uint64(k[1]), even & LOW]
        k = [(word + step) & 0xFFFFFFFF for word, step in zip(k, WEYL)]
    return c


def fnv1a(name):
    """FNV-1a, 32 bits, of a stream's name."""
    value = 0x811C9DC5
    for byte in name.encode():
        value = ((value ^ byte) * 0x01000193) & 0xFFFFFFFF
    return value


class Stream:
    """The numbers for one purpose, for example `ssl/1/words`."""

    def __init__(self, seed, name):
        self.key = (int(seed) & 0xFFFFFFFF, fnv1a(name))

    def words(self, c0, c1=0, c2=0, c3=0):
        return philox((c0, c1, c2, c3), self.key)

    def at_step(self, step, c2, c3=0):
        """Words of counter (step low, step high, c2, c3)."""
        return self.words(step & 0xFFFFFFFF, step >> 32, c2, c3)
