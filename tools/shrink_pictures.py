#!/usr/bin/env python3
"""A folder of class folders again with smaller pictures, for a machine to which little can be carried.

  tools/shrink_pictures.py FROM TO --size 128        TO/train/ace of clubs/001.jpg, ... squashed to 128 x 128

Needs Pillow. What is trained on the copy is not quite what is trained on the originals at --image-size 128: pictures have been
compressed twice. Files that are no pictures are named and left out; FROM is only read.
"""

import argparse
import pathlib
import sys


def shrink(source, target, size, quality, image):
    """How many were written."""
    count = 0
    for path in sorted(source.rglob("*")):
        if not path.is_file():
            continue
        try:
            with image.open(path) as picture:
                small = picture.convert("RGB").resize((size, size), image.Resampling.LANCZOS)
        except (OSError, SyntaxError) as error:  # Pillow's answer to some damaged PNGs is the latter
            print(f"shrink_pictures: {path} is left out: {error}", file=sys.stderr)
            continue
        there = target / path.relative_to(source).with_suffix(".jpg")
        there.parent.mkdir(parents=True, exist_ok=True)
        small.save(there, quality=quality)
        count += 1
    return count


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("source", metavar="FROM", type=pathlib.Path)
    parser.add_argument("target", metavar="TO", type=pathlib.Path, help="must not exist")
    parser.add_argument("--size", type=int, default=128, help="height and width (%(default)s)")
    parser.add_argument("--quality", type=int, default=88, choices=range(1, 101), metavar="1..100", help="of the JPEG (%(default)s)")
    options = parser.parse_args()
    try:
        from PIL import Image  # here, so that --help works without it
    except ImportError:
        sys.exit("shrink_pictures: needs Pillow: python3 -m pip install pillow, or another python3 that has it")
    if options.size < 1:
        parser.error("--size must be positive")
    if not options.source.is_dir():
        parser.error(f"{options.source} is no folder")
    if options.target.exists():
        parser.error(f"{options.target} exists")
    count = shrink(options.source, options.target, options.size, options.quality, Image)
    if count == 0:
        sys.exit(f"shrink_pictures: no picture in {options.source}")
    size = sum(file.stat().st_size for file in options.target.rglob("*.jpg"))
    print(f"{count} pictures, {size / 1e6:.1f} MB: {options.target}")


if __name__ == "__main__":
    main()
