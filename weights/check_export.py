#!/usr/bin/env python3
"""Compares exported networks, run by ONNX Runtime and PyTorch, with the program's own results.

    check_export.py CUDACARDS [CKPT...]
    check_export.py CUDACARDS --train WORK [--sizes 64,65] [--weights F.safetensors]

Exports each checkpoint as ONNX and as a PyTorch state dict, runs ONNX's checker, looks whether the graph rescales every byte as we do to
the bit, and shows seven pictures of noise to ONNX Runtime, one at a time and together, to PyTorch (mobilenetv2: torchvision's class, loaded
with strict=True), and to `cudacards predict`. Prints the largest difference of a picture's logits in units of its largest logit,
and exits with 1 where one is above 1e-5. Logits are compared up to a constant a picture, because predict gives probabilities: log(p) on
our side.

With --train the checkpoints are made first: mlp, cnn and mobilenetv2 (width 0.35, from --weights where given), one epoch on a drawn deck, at
each size. At odd sizes torchvision pads as we do; elsewhere its strided convolutions are made to (docs/export.md).

Needs onnx, onnxruntime and numpy; torch, torchvision and safetensors for PyTorch's part, which is left out without them; and a program
that reads PNG.
"""

import argparse
import collections
import json
import pathlib
import struct
import subprocess
import sys
import tempfile
import zlib

import numpy
import onnx
import onnxruntime

PICTURES, ALLOWED = 7, 1e-5


def run(*command):
    return subprocess.run([str(word) for word in command], check=True, stdout=subprocess.PIPE, text=True).stdout


def write_png(path, pixels):
    """(H,W,3) uint8."""
    def chunk(kind, body):
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    rows = b"".join(b"\0" + row.tobytes() for row in pixels)
    header = struct.pack(">IIBBBBB", pixels.shape[1], pixels.shape[0], 8, 2, 0, 0, 0)
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b""))


def noise(height, width):
    """Fine noise on coarse: both the first layers and the last have something to see."""
    random = numpy.random.default_rng(5)
    coarse = random.uniform(0, 256, (PICTURES, -(-height // 8), -(-width // 8), 3)).repeat(8, 1).repeat(8, 2)[:, :height, :width]
    return numpy.clip(coarse + random.normal(0, 30, coarse.shape), 0, 255).astype(numpy.uint8)


def log_softmax(logits):
    logits = logits.astype(numpy.float64)
    logits = logits - logits.max(1, keepdims=True)
    return logits - numpy.log(numpy.exp(logits).sum(1, keepdims=True))


def our_log_probabilities(program, checkpoint, pictures, classes, batch):
    lines = run(program, "predict", checkpoint, *pictures, "--json", "--top", len(classes), "--precision", "fp32", "--device", "cpu",
                "--batch", batch)
    rows = [{guess["label"]: guess["probability"] for guess in json.loads(line)["top"]} for line in lines.splitlines()]
    return numpy.log(numpy.array([[row[name] for name in classes] for row in rows]))


def difference(logits, ours):
    """The largest over the pictures, in units of the picture's largest logit."""
    return (numpy.abs(log_softmax(logits) - ours).max(1) / numpy.abs(logits).max(1)).max()


def rescales_exactly(path, facts):
    """Whether the graph's rescaling of every byte is pixel * scale + offset in fp32, to the bit: what training and predict do."""
    model = onnx.load(path)
    nodes, values = model.graph.node, {t.name: onnx.numpy_helper.to_array(t) for t in model.graph.initializer}
    multiply = next(node for node in nodes if node.op_type == "Mul")
    add = next((node for node in nodes if node.op_type == "Add" and multiply.output[0] in node.input), None)
    result = (add or multiply).output[0]
    model.graph.output.append(onnx.helper.make_tensor_value_info(result, onnx.TensorProto.FLOAT, None))
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    pixels = numpy.arange(numpy.prod(session.get_inputs()[0].shape[1:])).astype(numpy.uint8).reshape(1, *session.get_inputs()[0].shape[1:])
    expected = pixels.astype(numpy.float32) * values[multiply.input[1]]
    if add:
        expected = expected + values[add.input[1]]
    assert numpy.float32(facts["input.deviation"]) * values[multiply.input[1]] == 1
    found = session.run([result], {"pixels": pixels})[0]
    return (expected if found.shape == expected.shape else expected.transpose(0, 3, 1, 2)).tobytes() == found.tobytes()


def torch_logits(path, arch, pixels):
    """What PyTorch computes with the state dict, as docs/export.md says; None without PyTorch."""
    try:
        import torch
        import torchvision
        from safetensors import safe_open
        from safetensors.torch import load_file
    except ImportError:
        return None
    from torch import nn

    class SameConv2d(nn.Conv2d):
        def forward(self, x):
            pads = []
            for size, kernel, stride in zip(reversed(x.shape[2:]), reversed(self.kernel_size), reversed(self.stride)):
                total = max((-(-size // stride) - 1) * stride + kernel - size, 0)
                pads += [total // 2, total - total // 2]
            return self._conv_forward(nn.functional.pad(x, pads), self.weight, self.bias)

    with safe_open(path, "pt") as file:
        facts = file.metadata()
    state = load_file(path)
    classes, height, width = len(json.loads(facts["classes"])), pixels.shape[1], pixels.shape[2]
    if arch == "mobilenetv2":
        def build(multiplier):
            return torchvision.models.mobilenet_v2(num_classes=classes, width_mult=multiplier,
                                                   norm_layer=lambda c: nn.BatchNorm2d(c, eps=float(facts["batch_norm.epsilon"])))

        fits = (m for m in map(build, (0.35, 0.5, 0.75, 1.0, 1.3, 1.4))
                if all(m.state_dict()[name].shape == value.shape for name, value in state.items()))
        model = next(fits, None)
        if model is None:  # the notebook's heads have a second classifier
            return None
        for layer in model.modules():
            if isinstance(layer, nn.Conv2d) and layer.stride == (2, 2) and height % 2 == 0:
                layer.__class__, layer.padding = SameConv2d, (0, 0)
    elif arch == "cnn":
        layers = collections.OrderedDict()
        for i, (before, after) in enumerate([(3, 32), (32, 64), (64, 128)]):
            layers[f"conv2d_{i}" if i else "conv2d"] = nn.Conv2d(before, after, 3, padding=1)
            layers[f"relu_{i}"], layers[f"pool_{i}"] = nn.ReLU(), nn.MaxPool2d(2)
        columns = 128 * (height // 8) * (width // 8)
        layers |= {"flatten": nn.Flatten(), "dense": nn.Linear(columns, 128), "relu": nn.ReLU(), "dense_1": nn.Linear(128, classes)}
        model = nn.Sequential(layers)
    else:
        model = nn.Sequential(collections.OrderedDict(
            flatten=nn.Flatten(), dense=nn.Linear(height * width * 3, 256), relu=nn.ReLU(), dense_1=nn.Linear(256, 128), relu_1=nn.ReLU(),
            dense_2=nn.Linear(128, classes)))
    model.load_state_dict(state, strict=True)
    x = (torch.from_numpy(pixels).permute(0, 3, 1, 2).float() - float(facts["input.mean"])) / float(facts["input.deviation"])
    with torch.no_grad():
        return model.eval()(x).numpy()


def check(program, checkpoint, folder):
    """Prints a line a comparison; returns the largest difference."""
    onnx_path, state_path = folder / "net.onnx", folder / "net.safetensors"
    run(program, "export", checkpoint, "--onnx", onnx_path, "--safetensors", state_path)
    onnx.checker.check_model(str(onnx_path), full_check=True)
    session = onnxruntime.InferenceSession(onnx_path, providers=["CPUExecutionProvider"])
    facts = session.get_modelmeta().custom_metadata_map
    classes, (_, height, width, _) = json.loads(facts["classes"]), session.get_inputs()[0].shape
    if not rescales_exactly(onnx_path, facts):
        sys.exit(f"{checkpoint}: the graph's rescaling differs from ours")
    pixels, pictures = noise(height, width), [folder / f"{i}.png" for i in range(PICTURES)]
    for path, picture in zip(pictures, pixels):
        write_png(path, picture)
    differences = {}
    for batch in (1, PICTURES):
        ours = our_log_probabilities(program, checkpoint, pictures, classes, batch)
        logits = numpy.concatenate([session.run(["logits"], {"pixels": pixels[i : i + batch]})[0] for i in range(0, PICTURES, batch)])
        differences[f"ONNX Runtime {onnxruntime.__version__}, batch {batch}"] = difference(logits, ours)
    theirs = torch_logits(state_path, facts["arch"], pixels)
    if theirs is not None:
        differences["PyTorch, strict=True"] = difference(theirs, ours)
    for what, value in differences.items():
        print(f"{facts['arch']} {height} x {width}, {len(classes)} classes, {onnx_path.stat().st_size} bytes; {what}: {value:.2e}"
              f"{'' if value <= ALLOWED else ' TOO LARGE'}; largest logit {numpy.abs(logits).max():.3g}", flush=True)
    return max(differences.values())


def train(program, work, sizes, weights):
    work.mkdir(parents=True, exist_ok=True)
    if not (work / "deck").exists():
        run(program, "data", "make", work / "deck", "--per-class", 2, "--size", 96)
    for size in sizes:
        for arch in ("mlp", "cnn", "mobilenetv2"):
            out, extra = work / f"{arch}-{size}", []
            if arch == "mobilenetv2":
                extra = ["--width", "0.35"] + (["--weights", weights] if weights else [])
            if not out.exists():
                run(program, "train", work / "deck", "--arch", arch, "--image-size", size, "--epochs", 1, "--batch", 16, "--out", out, *extra)
            yield out


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cudacards", type=pathlib.Path)
    parser.add_argument("checkpoint", nargs="*", type=pathlib.Path)
    parser.add_argument("--train", type=pathlib.Path, metavar="WORK")
    parser.add_argument("--sizes", default="64,65", help="of the pictures, with commas")
    parser.add_argument("--weights", type=pathlib.Path)
    options = parser.parse_args()
    checkpoints = list(options.checkpoint)
    if options.train:
        checkpoints += train(options.cudacards, options.train, [int(size) for size in options.sizes.split(",")], options.weights)
    if not checkpoints:
        parser.error("name a checkpoint, or --train")
    with tempfile.TemporaryDirectory() as folder:
        worst = max(check(options.cudacards, checkpoint, pathlib.Path(folder)) for checkpoint in checkpoints)
    print(f"largest difference: {worst:.2e} of the largest logit")
    return 0 if worst <= ALLOWED else 1


if __name__ == "__main__":
    sys.exit(main())
