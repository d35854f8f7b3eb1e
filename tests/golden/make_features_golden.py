#!/usr/bin/env python3
"""Makes tests/golden/mobilenetv2_features.safetensors: what Keras computes with the weights that $CUDACARDS_SHARED has.

    make_features_golden.py $CUDACARDS_SHARED [OUT]

Needs tensorflow, numpy and Pillow. `generated` (4, 1280): features of pictures by formula.py. `cards` (100, 64):
every 20th feature of 100 real cards, whose paths are in the metadata; the pictures themselves stay outside the repository.
"""

import json
import pathlib
import struct
import sys

import numpy

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "weights"))
from convert import write_safetensors  # noqa: E402
from formula import key_of, mix  # noqa: E402

SIDE, GENERATED, CARDS, EVERY = 224, 4, 100, 20


def tfjs_weights(folder):
    manifest = json.loads((folder / "model.json").read_text())["weightsManifest"]
    weights = {}
    for group in manifest:
        data, at = b"".join((folder / path).read_bytes() for path in group["paths"]), 0
        for entry in group["weights"]:
            size = 4 * int(numpy.prod(entry["shape"]))
            weights[entry["name"]] = numpy.frombuffer(data[at:at + size], "<f4").reshape(entry["shape"])
            at += size
    return weights


def model_with(weights):
    import keras

    model = keras.applications.MobileNetV2(alpha=0.35, input_shape=(SIDE, SIDE, 3), include_top=False, weights=None, pooling="avg")
    for layer in model.layers:
        values = []
        for variable in layer.weights:
            leaf = variable.name.split("/")[-1].split(":")[0]
            if isinstance(layer, keras.layers.DepthwiseConv2D):
                leaf = "depthwise_kernel"
            values.append(weights[f"{layer.name}/{leaf}"])
        layer.set_weights(values)
    return model


def main():
    from PIL import Image

    shared = pathlib.Path(sys.argv[1])
    out = pathlib.Path(sys.argv[2] if len(sys.argv) > 2 else pathlib.Path(__file__).parent / "mobilenetv2_features.safetensors")
    model = model_with(tfjs_weights(shared / "weights/mobilenet_v2_0.35_224"))

    def features(pixels):  # (N,224,224,3) uint8
        return numpy.asarray(model(pixels.astype(numpy.float32) / 127.5 - 1, training=False))

    generated = (mix(numpy.arange(GENERATED * SIDE * SIDE * 3), key_of("pixels")) % 256).astype(numpy.uint8)
    # Smooth pictures: noise alone leaves most features at 0.
    generated = generated.reshape(GENERATED, SIDE, SIDE, 3)[:, ::32, ::32].repeat(32, 1).repeat(32, 2)
    files = sorted(path.relative_to(shared).as_posix() for path in (shared / "cards/train").glob("*/*.jpg"))
    paths = files[::len(files) // CARDS][:CARDS]
    cards = numpy.stack([numpy.asarray(Image.open(shared / path).convert("RGB")) for path in paths])
    write_safetensors(out, {"generated": features(generated), "cards": numpy.ascontiguousarray(features(cards)[:, ::EVERY])},
                      {"maker": "make_features_golden.py", "paths": json.dumps(paths)})
    print(out)


if __name__ == "__main__":
    main()
