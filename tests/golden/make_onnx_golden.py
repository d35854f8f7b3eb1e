#!/usr/bin/env python3
"""Makes tests/golden/onnx_runtime.safetensors: what ONNX Runtime computes for three exported networks, on the CPU.

Needs onnx, onnxruntime, numpy and safetensors, and the built tests:  make_onnx_golden.py BUILD

Weights and pictures come from a formula that C++ repeats (formula.py). The test writes the models, ONNX's checker looks at them, and
the file keeps the logits of seven pictures, one at a time and together, with the digest of each model.
"""

import hashlib
import os
import pathlib
import subprocess
import sys
import tempfile

import numpy
import onnx
import onnxruntime
import safetensors.numpy

from formula import key_of, mix

PICTURES = 7


def main():
    build, folder = pathlib.Path(sys.argv[1]), pathlib.Path(__file__).parent
    tensors, metadata = {}, {"maker": "make_onnx_golden.py", "onnxruntime": onnxruntime.__version__}
    with tempfile.TemporaryDirectory() as work:
        subprocess.run([build / "tests/test_export", "--gtest_filter=*OnnxRuntimeGolden*"], check=True, stdout=subprocess.DEVNULL,
                       env={**os.environ, "CUDACARDS_WRITE_ONNX": work})
        for path in sorted(pathlib.Path(work).glob("*.onnx")):
            onnx.checker.check_model(str(path), full_check=True)
            metadata[path.stem] = hashlib.sha256(path.read_bytes()).hexdigest()
            session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
            shape = (PICTURES, *session.get_inputs()[0].shape[1:])
            pixels = (mix(numpy.arange(numpy.prod(shape)), key_of("pixels")) % 256).astype(numpy.uint8).reshape(shape)
            for batch in (1, PICTURES):
                logits = [session.run(["logits"], {"pixels": pixels[i : i + batch]})[0] for i in range(0, PICTURES, batch)]
                tensors[f"{path.stem}/batch {batch}"] = numpy.concatenate(logits)
    path = folder / "onnx_runtime.safetensors"
    safetensors.numpy.save_file(tensors, path, metadata)
    path.chmod(0o644)
    print(f"{path.name}: {path.stat().st_size} bytes, {len(metadata) - 2} models")


if __name__ == "__main__":
    main()
