#!/usr/bin/env python3
"""Writes tests/golden/safetensors_python.safetensors with the format's reference implementation (pip install safetensors numpy).

With --check FILE: reads a file that cudacards wrote from the same tensors and compares every value.
"""
import argparse
import pathlib

import numpy as np
from safetensors import safe_open
from safetensors.numpy import load_file, save_file

GOLDEN = pathlib.Path(__file__).with_name("safetensors_python.safetensors")
METADATA = {"format": "np", "note": 'çœ🂡 "quoted"\n'}
TENSORS = {
    "conv2d/weights": np.arange(6, dtype=np.float32).reshape(2, 1, 1, 3) / 4,
    "double": np.array([0.5, -3.0], dtype=np.float64),
    "half": np.array([1.0, -2.0, 65504.0], dtype=np.float16),
    "scalar": np.array(42.0, dtype=np.float32),
    "пусто": np.zeros((0, 4), dtype=np.float32),
    "steps": np.array([-1, 1 << 62], dtype=np.int64),
    "pixels": np.array([0, 1, 255], dtype=np.uint8),
}


def check(path):
    tensors = load_file(path)
    assert tensors.keys() == TENSORS.keys(), tensors.keys()
    for name, expected in TENSORS.items():
        actual = tensors[name]
        assert actual.dtype == expected.dtype and actual.shape == expected.shape, name
        assert np.array_equal(actual, expected), name
    with safe_open(path, framework="np") as file:
        assert file.metadata() == METADATA, file.metadata()
    print(f"{path}: {len(tensors)} tensors and the metadata are as expected")


parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--check", metavar="FILE")
arguments = parser.parse_args()
if arguments.check:
    check(arguments.check)
else:
    # Metadata of several keys comes in any order from the reference implementation; one order is as good as another.
    save_file(TENSORS, GOLDEN, metadata=METADATA)
    check(GOLDEN)
