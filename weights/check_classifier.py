#!/usr/bin/env python3
"""Compares the program with TensorFlow Lite's own interpreter on pictures.

    check_classifier.py CUDACARDS MODEL.tflite LABELS.txt PICTURE...

Converts MODEL (weights/convert.py), imports it, asks CUDACARDS and the interpreter for the five likeliest names of each picture, and
prints both. The interpreter's are taken from the scores in front of its softmax, whose result has only 256 steps; scores that
differ by less than two of their own steps count as equal. Exit code 1 where the first names differ, or fewer than four of our five are
among theirs by that measure. Needs tensorflow, numpy and Pillow.
"""

import json
import pathlib
import subprocess
import sys
import tempfile

import numpy


def interpreter_scores(model, picture):
    """(classes,) scores in front of the softmax, and their step."""
    import tensorflow
    from PIL import Image

    interpreter = tensorflow.lite.Interpreter(str(model), experimental_preserve_all_tensors=True)
    interpreter.allocate_tensors()
    source = interpreter.get_input_details()[0]
    height, width = source["shape"][1:3]
    pixels = numpy.asarray(Image.open(picture).convert("RGB").resize((width, height), Image.BILINEAR))
    scale, zero = source["quantization"]
    quantised = numpy.clip(numpy.round((pixels / 127.5 - 1) / scale + zero), 0, 255).astype(source["dtype"])
    interpreter.set_tensor(source["index"], quantised[None])
    interpreter.invoke()
    softmax = next(op for op in interpreter._get_ops_details() if op["op_name"] == "SOFTMAX")
    details = next(t for t in interpreter.get_tensor_details() if t["index"] == softmax["inputs"][0])
    scale, zero = details["quantization"]
    return (interpreter.get_tensor(details["index"])[0].astype(numpy.float64) - zero) * scale, scale


def main():
    if len(sys.argv) < 5:
        print(__doc__, file=sys.stderr)
        return 2
    program, model, labels, *pictures = sys.argv[1:]
    names = pathlib.Path(labels).read_text().splitlines()
    worst = 0
    with tempfile.TemporaryDirectory() as folder:
        converted, imported = f"{folder}/converted.safetensors", f"{folder}/imported.safetensors"
        subprocess.run([sys.executable, pathlib.Path(__file__).with_name("convert.py"), model, converted], check=True, stdout=subprocess.DEVNULL)
        subprocess.run([program, "weights", "import", converted, "--out", imported, "--labels", labels], check=True, stdout=subprocess.DEVNULL)
        lines = subprocess.run([program, "predict", imported, *pictures, "--top", "5", "--json"], check=True, capture_output=True, text=True)
    for picture, line in zip(pictures, lines.stdout.splitlines()):
        ours = [(guess["label"], guess["probability"]) for guess in json.loads(line)["top"]]
        scores, step = interpreter_scores(model, picture)
        order = numpy.argsort(-scores, kind="stable")[:5]
        probability = numpy.exp(scores - scores.max()) / numpy.exp(scores - scores.max()).sum()
        good = {name for name, score in zip(names, scores) if score > scores[order[4]] - 2 * step}
        common = sum(name in good for name, _ in ours)
        if ours[0][0] != names[order[0]] or common < 4:
            worst = 1
        print(f"{picture}: {common} of 5 agree (scores in steps of {step:.3f})")
        for (name, p), i in zip(ours, order):
            print(f"  {p:6.4f} {name[:36]:36}  {probability[i]:6.4f} {names[i][:36]}")
    return worst


if __name__ == "__main__":
    sys.exit(main())
