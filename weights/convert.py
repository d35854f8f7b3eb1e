#!/usr/bin/env python3
"""Turns what only Python can read into safetensors that `cudacards weights import` takes.

    convert.py SRC OUT.safetensors

SRC                              needs (pip install)         tensors keep
x.pth, x.pt      PyTorch         torch                       their names (torchvision's or timm's)
x.h5             Keras           h5py                        Keras' names
x.weights.h5     Keras 3         h5py                        Keras' names, told by the order of the layers
a folder         SavedModel,     tensorflow                  their names (Keras' or TensorFlow Hub's)
                 TensorFlow Hub
x.tflite         TensorFlow Lite tflite, or tensorflow       cudacards' names, told by the order of the operations;
                                                             dequantised, with batch norm folded into the convolutions

numpy is always needed. The program itself never runs this.
"""

import json
import pathlib
import struct
import sys

import numpy

BLOCKS = 17


class Refused(Exception):
    pass


def write_safetensors(path, tensors, metadata):
    """fp32 tensors one behind the other, in the order of their names."""
    header, at, parts = {"__metadata__": metadata}, 0, []
    for name in sorted(tensors):
        data = numpy.ascontiguousarray(tensors[name], dtype="<f4").tobytes()
        header[name] = {"dtype": "F32", "shape": list(tensors[name].shape), "data_offsets": [at, at + len(data)]}
        at += len(data)
        parts.append(data)
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    part = path.with_name(path.name + ".part")
    part.write_bytes(struct.pack("<Q", len(text)) + text + b"".join(parts))
    part.rename(path)


def convolution_names():
    """Our convolutions in the order in which every converter stores them."""
    names = ["stem/conv"]
    for block in range(BLOCKS):
        names += [f"block_{block:02}/{layer}" for layer in ("expand", "depthwise", "project") if block > 0 or layer != "expand"]
    return names + ["top/conv"]


def keras_name(ours):
    """Keras' name of a convolution of ours."""
    place, layer = ours.split("/")
    if place in ("stem", "top"):
        return {"stem": "Conv1", "top": "Conv_1"}[place]
    block = int(place.split("_")[1])
    return f"{'expanded_conv' if block == 0 else f'block_{block}'}_{layer}"


def keras_norm_name(convolution):
    return {"Conv1": "bn_Conv1", "Conv_1": "Conv_1_bn"}.get(convolution, convolution + "_BN")


# PyTorch ------------------------------------------------------------------------------------------------------------------

def from_pytorch(path):
    import torch

    state = torch.load(path, map_location="cpu", weights_only=True)  # never runs code from the file
    for key in ("state_dict", "model", "model_state_dict"):
        if isinstance(state.get(key), dict):
            state = state[key]
    return {name: t.detach().float().numpy() for name, t in state.items() if torch.is_tensor(t) and t.is_floating_point()}


# Keras --------------------------------------------------------------------------------------------------------------------

def from_keras(path):
    import h5py

    tensors = {}

    def add(name, item):
        # External links and storage would read other files of this machine.
        if isinstance(item, h5py.Dataset) and item.external is None and not item.is_virtual and item.dtype.kind == "f":
            tensors[name] = item[()]

    with h5py.File(path, "r") as file:
        if "layers" in file and "model_weights" not in file:
            file["layers"].visititems(add)
            return of_keras_3(tensors)
        (file["model_weights"] if "model_weights" in file else file).visititems(add)
    # "Conv1/Conv1/kernel:0" is the layer's group, then the variable's own name.
    return {"/".join(name.split(":")[0].split("/")[-2:]): value for name, value in tensors.items()}


def of_keras_3(tensors):
    """layers/conv2d_3/vars/0: the layer's class and count, the variable's number."""
    names = {}
    convolutions = [keras_name(name) for name in convolution_names()]
    count = {"conv2d": 0, "depthwise_conv2d": 0}
    for i, name in enumerate(convolutions):
        kind = "depthwise_conv2d" if name.endswith("_depthwise") else "conv2d"
        stem = kind if count[kind] == 0 else f"{kind}_{count[kind]}"
        count[kind] += 1
        names[f"{stem}/vars/0"] = f"{name}/{'depthwise_kernel' if kind == 'depthwise_conv2d' else 'kernel'}"
        norm = "batch_normalization" if i == 0 else f"batch_normalization_{i}"
        for k, leaf in enumerate(("gamma", "beta", "moving_mean", "moving_variance")):
            names[f"{norm}/vars/{k}"] = f"{keras_norm_name(name)}/{leaf}"
    names.update({"dense/vars/0": "predictions/kernel", "dense/vars/1": "predictions/bias"})
    unknown = sorted(set(tensors) - set(names))
    if unknown:
        raise Refused(f"not a MobileNetV2 alone: it has {unknown[0]}; save the backbone's own weights")
    return {names[name]: value for name, value in tensors.items()}


# TensorFlow ---------------------------------------------------------------------------------------------------------------

def from_saved_model(path):
    import tensorflow

    loaded = tensorflow.saved_model.load(str(path))
    variables = getattr(loaded, "variables", [])
    return {v.name.split(":")[0]: v.numpy() for v in variables if v.dtype.is_floating}


# TensorFlow Lite ----------------------------------------------------------------------------------------------------------

def read_tflite(data):
    """The model's object tree, by whichever package has the schema."""
    try:
        from tensorflow.lite.python import schema_py_generated as schema
    except ImportError:
        import tflite as schema  # pip install tflite
    if data[4:8] != b"TFL3":
        raise Refused("it is not TensorFlow Lite")
    root = schema.Model.GetRootAs(data, 0) if hasattr(schema.Model, "GetRootAs") else schema.Model.GetRootAsModel(data, 0)
    return root, schema


TYPES = {0: "<f4", 1: "<f2", 2: "<i4", 3: "u1", 4: "<i8", 7: "<i2", 9: "i1"}  # TensorType


def dequantised(model, tensor):
    """float32 values of a constant: (stored - zero point) * scale, a scale for each slice where there are several."""
    shape = [tensor.Shape(i) for i in range(tensor.ShapeLength())]
    stored = model.Buffers(tensor.Buffer()).DataAsNumpy()
    if tensor.Type() not in TYPES or isinstance(stored, int):
        raise Refused(f"{tensor.Name().decode()} is no constant of a known type")
    values = numpy.frombuffer(stored.tobytes(), TYPES[tensor.Type()]).reshape(shape)
    q = tensor.Quantization()
    if values.dtype.kind == "f" or q is None or q.ScaleLength() == 0:
        return values.astype(numpy.float32)
    along = [1] * len(shape)
    if q.ScaleLength() > 1:
        along[q.QuantizedDimension()] = q.ScaleLength()
    zero = q.ZeroPointAsNumpy().astype(numpy.float64).reshape(along if q.ZeroPointLength() > 1 else [1] * len(shape))
    scale = q.ScaleAsNumpy().astype(numpy.float64).reshape(along)
    return ((values.astype(numpy.float64) - zero) * scale).astype(numpy.float32)


def from_tflite(path):
    model, schema = read_tflite(path.read_bytes())
    graph = model.Subgraphs(0)
    convolution, depthwise, dense = schema.BuiltinOperator.CONV_2D, schema.BuiltinOperator.DEPTHWISE_CONV_2D, schema.BuiltinOperator.FULLY_CONNECTED
    found = []
    for i in range(graph.OperatorsLength()):
        operator = graph.Operators(i)
        code = model.OperatorCodes(operator.OpcodeIndex())
        kind = max(code.BuiltinCode(), code.DeprecatedBuiltinCode())
        if kind in (convolution, depthwise, dense):
            weights, bias = (dequantised(model, graph.Tensors(operator.Inputs(k))) for k in (1, 2))
            found.append((kind == depthwise, weights, bias))
    names = convolution_names() + ["classifier"]
    if len(found) != len(names):
        raise Refused(f"it has {len(found)} convolutions and dense layers, MobileNetV2 has {len(names)}")
    tensors = {}
    for name, (is_depthwise, weights, bias) in zip(names, found):
        if is_depthwise != name.endswith("/depthwise"):
            raise Refused(f"its operations are not in MobileNetV2's order at {name}")
        if is_depthwise:
            weights = weights.transpose(3, 1, 2, 0)  # (1,R,S,C) -> (C,R,S,1); others are (K,R,S,C) already
        tensors[f"{name}/weights"] = weights.reshape(weights.shape[0], -1) if name == "classifier" else weights
        tensors[f"{name}/bias"] = bias
    return tensors


def main():
    if len(sys.argv) != 3:
        print(__doc__, file=sys.stderr)
        return 2
    source, out = map(pathlib.Path, sys.argv[1:])
    readers = {".pth": from_pytorch, ".pt": from_pytorch, ".h5": from_keras, ".hdf5": from_keras, ".tflite": from_tflite}
    reader = from_saved_model if source.is_dir() else readers.get(source.suffix)
    if reader is None:
        print(f"convert.py: {source}: known are {', '.join(readers)} and SavedModel folders", file=sys.stderr)
        return 2
    try:
        tensors = reader(source)
        if not tensors:
            raise Refused("it has no floating-point tensors")
    except (Refused, OSError, ImportError) as error:
        print(f"convert.py: {source}: {error}", file=sys.stderr)
        return 1
    write_safetensors(out, tensors, {"made_by": "cudacards weights/convert.py", "source": source.name})
    print(out)
    return 0


if __name__ == "__main__":
    sys.exit(main())
