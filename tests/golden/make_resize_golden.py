#!/usr/bin/env python3
"""Writes resize.bin: small random pictures and what Pillow's Image.resize(..., BILINEAR) makes of them.

Up to version 12 Pillow always resizes the columns first; later versions choose the cheaper order, which changes pixels by at most one
level where they are rounded in between. The golden pictures are made in the old order, whatever the version, one side at a time.

For each case, all numbers little-endian uint16 but the pixels: source height and width, destination height and width, source
pixels (H,W,3) uint8, destination pixels uint8. The test reads it until the file ends.

Run: python3 tests/golden/make_resize_golden.py     (needs Pillow and numpy; the golden file came from Pillow 13.0.0)
"""

import pathlib
import struct

import numpy
from PIL import Image

# (source height, width), (destination height, width): the same size, one side only, shrinking by whole and by odd ratios, by more
# than the source has pixels to spare, growing, both at once, single rows, columns and pixels.
CASES = [
    ((7, 9), (7, 9)), ((16, 16), (8, 8)), ((31, 17), (8, 8)), ((40, 25), (13, 25)), ((40, 25), (40, 11)),
    ((5, 7), (12, 15)), ((9, 30), (14, 10)), ((64, 48), (3, 5)), ((100, 3), (7, 3)), ((1, 50), (4, 4)),
    ((50, 1), (4, 4)), ((1, 1), (6, 5)), ((33, 34), (32, 32)), ((3, 2), (1, 1)), ((97, 89), (24, 24)),
]


def main():
    random = numpy.random.default_rng(1)
    with open(pathlib.Path(__file__).with_name("resize.bin"), "wb") as out:
        for i, (source_size, size) in enumerate(CASES):
            pixels = random.integers(0, 256, (*source_size, 3), dtype=numpy.uint8)
            if i % 3 == 2:  # hard black and white edges: the largest sums that the fixed point has to hold
                pixels = numpy.where(pixels < 128, 0, 255).astype(numpy.uint8)
            picture = Image.fromarray(pixels)
            narrowed = picture.resize((size[1], source_size[0]), Image.Resampling.BILINEAR)
            resized = narrowed.resize((size[1], size[0]), Image.Resampling.BILINEAR)
            at_once = picture.resize((size[1], size[0]), Image.Resampling.BILINEAR)
            difference = numpy.asarray(resized, dtype=int) - numpy.asarray(at_once, dtype=int)
            assert numpy.abs(difference).max() <= 1
            out.write(struct.pack("<4H", *source_size, *size))
            out.write(pixels.tobytes())
            out.write(numpy.asarray(resized).tobytes())


if __name__ == "__main__":
    main()
