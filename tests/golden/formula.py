"""Numbers that C++ repeats bit for bit (tests/support/formula.h): golden files need not hold their inputs."""

import numpy


def mix(index, key):
    """The finaliser of MurmurHash3 on (index + key): 32 well-mixed bits for each index."""
    h = (numpy.asarray(index, dtype=numpy.uint64) + key) & 0xFFFFFFFF
    h = ((h ^ (h >> 16)) * 0x85EBCA6B) & 0xFFFFFFFF
    h = ((h ^ (h >> 13)) * 0xC2B2AE35) & 0xFFFFFFFF
    return h ^ (h >> 16)


def key_of(name):
    """FNV-1a, 32 bits."""
    h = 0x811C9DC5
    for byte in name.encode():
        h = ((h ^ byte) * 0x01000193) & 0xFFFFFFFF
    return h
