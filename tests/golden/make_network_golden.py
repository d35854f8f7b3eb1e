#!/usr/bin/env python3
"""Makes tests/golden/{mlp,cnn,residual,mobilenetv2}.safetensors: what PyTorch computes for whole networks, in double precision on the CPU.

Needs torch, numpy and safetensors:  make_network_golden.py [FOLDER [NETWORK...]]

Inputs and parameters come from a formula that C++ repeats bit for bit (`uniform` below), so the files hold results only:
logits, and for label smoothing 0 and 0.1 (mobilenetv2: 0.1) the loss, every gradient, and ten losses of Adam in Keras' form. A tensor of more than
4,096 values is stored as 1,024 samples and the sums of its rows and columns (dimension 0 against the rest).

Beside each vector lies how far rounding may carry it: its largest deviation (2-norm) in trials that add the rounding of fp32
or bf16 to every intermediate tensor, forward and backward (Monte Carlo arithmetic; Parker, 1997). The test allows a
small multiple of that, so no tolerance is guessed.
"""

import math
import pathlib
import sys

import numpy
import safetensors.numpy
import torch
import torch.nn.functional as F

from formula import key_of, mix

BATCH, HEIGHT, WIDTH, CLASSES = 4, 20, 28, 53  # height is not width; 20 x 28 -> 10 x 14 -> 5 x 7 -> 2 x 3: the last pool is ragged
ADAM_STEPS = 10
RATE, BETA1, BETA2, EPSILON, MOMENTUM, NORM_EPSILON, SCALE = (
    float(numpy.float32(x)) for x in (1e-3, 0.9, 0.999, 1e-7, 0.99, 1e-3, numpy.float32(1) / numpy.float32(255)))
SAMPLED_ABOVE, SAMPLES, TRIALS = 4096, 1024, 8


# The formula --------------------------------------------------------------------------------------------------------------

def uniform(name, size):
    """Values in [-1, 1) with 24 bits."""
    return (mix(numpy.arange(size), key_of(name)) >> 8).astype(numpy.float64) / 2**23 - 1


def initial(name, shape):
    """The parameter's first values, each rounded to fp32 once."""
    leaf, u = name.split("/")[-1], uniform(name, math.prod(shape))
    if leaf == "weights":
        values = math.sqrt(6 / math.prod(shape[1:])) * u
    else:
        values = {"bias": 0.1 * u, "beta": 0.1 * u, "gamma": 1 + 0.25 * u, "mean": 0 * u, "variance": 1 + 0 * u}[leaf]
    return torch.from_numpy(values.astype(numpy.float32).astype(numpy.float64)).reshape(shape)


def pixels(height, width):
    values = mix(numpy.arange(BATCH * height * width * 3), key_of("pixels")) % 256
    return torch.from_numpy(values.astype(numpy.float64)).reshape(BATCH, height, width, 3)


def labels():
    return torch.from_numpy((mix(numpy.arange(BATCH), key_of("labels")) % CLASSES).astype(numpy.int64))


# Rounding as noise --------------------------------------------------------------------------------------------------------

class Noise(torch.autograd.Function):
    """Identity, with the rounding of one tensor forward and of its gradient backward."""

    @staticmethod
    def forward(ctx, x, precision, forward_terms, backward_terms):
        ctx.precision, ctx.backward_terms = precision, backward_terms
        return Noise.perturb(x, precision, forward_terms)

    @staticmethod
    def backward(ctx, diff):
        return Noise.perturb(diff, ctx.precision, ctx.backward_terms), None, None, None

    @staticmethod
    def perturb(x, precision, terms):
        # A running sum of n terms of random sign errs by about u sqrt(n) of its own size, u = 2^-24; bf16 adds one rounding at the end.
        y = x + torch.randn_like(x) * (2**-24 * math.sqrt(max(terms, 1))) * x.square().mean().sqrt()
        if precision == "bf16":
            y = y * (1 + (2 * torch.rand_like(x) - 1) * 2**-9)
        return y


class Network:
    """Runs layers on NCHW tensors inside, with parameters laid out as cudacards lays them out (KRSC, (out, in)) outside."""

    def __init__(self):
        self.parameters, self.statistics, self.precision = {}, {}, None
        self.momentum = MOMENTUM
        self.margin = math.inf  # distance of the nearest kink (ReLU's 0, ReLU6's 6, a tie in a window), relative to the layer's rms

    def begin(self, precision):
        self.precision, self.counts, self.new_statistics = precision, {}, {}

    def name(self, stem):
        count = self.counts.get(stem, 0)
        self.counts[stem] = count + 1
        return stem if count == 0 else f"{stem}_{count}"

    def parameter(self, name, shape, gradient_terms):
        if name not in self.parameters:
            self.parameters[name] = initial(name, shape).requires_grad_()
        return self.rounded(self.parameters[name], 1, gradient_terms)

    def statistic(self, name, shape):
        return self.statistics.setdefault(name, initial(name, shape))

    def rounded(self, x, forward_terms, backward_terms):
        return x if self.precision is None else Noise.apply(x, self.precision, forward_terms, backward_terms)

    def near(self, distance, scale):
        self.margin = min(self.margin, (distance.abs().min() / scale.square().mean().sqrt()).item())

    def image(self, height=HEIGHT, width=WIDTH, scale=SCALE, offset=0.0):
        return self.rounded(pixels(height, width).permute(0, 3, 1, 2) * scale + offset, 1, 1)

    def activation(self, x, kind):
        if kind is None:
            return x
        self.near(x.detach(), x.detach())
        if kind == "relu":
            return F.relu(x)
        self.near(x.detach() - 6, x.detach())
        return F.hardtanh(x, 0, 6)

    def conv2d(self, x, filters, kernel=3, stride=1, depthwise=False, bias=True, activation=None, name=None):
        name = name or self.name("depthwise_conv2d" if depthwise else "conv2d")
        channels = 1 if depthwise else x.shape[1]
        pads = []
        for size in (x.shape[3], x.shape[2]):  # Keras' "same": what is odd goes after
            total = max((math.ceil(size / stride) - 1) * stride + kernel - size, 0)
            pads += [total // 2, total - total // 2]
        positions = BATCH * math.ceil(x.shape[2] / stride) * math.ceil(x.shape[3] / stride)
        weights = self.parameter(f"{name}/weights", (filters, kernel, kernel, channels), positions)
        shift = self.parameter(f"{name}/bias", (filters,), positions) if bias else None
        x = F.conv2d(F.pad(x, pads), weights.permute(0, 3, 1, 2), shift, stride, groups=filters if depthwise else 1)
        return self.activation(self.rounded(x, kernel * kernel * channels, kernel * kernel * filters), activation)

    def max_pool(self, x):
        windows = F.unfold(x.detach().reshape(-1, 1, *x.shape[2:]), 2, stride=2)  # (N C, 4, P Q)
        two = windows.topk(2, dim=1).values
        both_positive = two[:, 1] > 0  # equal zeros behind a ReLU pass no gradient, whichever wins
        self.near((two[:, 0] - two[:, 1])[both_positive], windows)
        return F.max_pool2d(x, 2)

    def dense(self, x, units, activation=None, name=None):
        name = name or self.name("dense")
        weights = self.parameter(f"{name}/weights", (units, x.shape[1]), BATCH)
        bias = self.parameter(f"{name}/bias", (units,), BATCH)
        return self.activation(self.rounded(F.linear(x, weights, bias), x.shape[1], units), activation)

    def batch_norm(self, x, activation=None, name=None):
        name, channels, positions = name or self.name("batch_normalization"), (x.shape[1],), x.numel() // x.shape[1]
        gamma = self.parameter(f"{name}/gamma", channels, positions)
        beta = self.parameter(f"{name}/beta", channels, positions)
        batch = {"mean": x.detach().mean((0, 2, 3)), "variance": x.detach().var((0, 2, 3), unbiased=False)}
        for leaf, value in batch.items():
            old = self.statistic(f"{name}/{leaf}", channels)
            self.new_statistics[f"{name}/{leaf}"] = self.momentum * old + (1 - self.momentum) * value
        x = F.batch_norm(x, None, None, gamma, beta, training=True, eps=NORM_EPSILON)
        return self.activation(self.rounded(x, positions, positions), activation)


def flatten(x):
    return x.permute(0, 2, 3, 1).flatten(1)  # as it lies in NHWC


def mlp(net):
    x = flatten(net.image())
    for units in (256, 128):
        x = net.dense(x, units, "relu")
    return net.dense(x, CLASSES)


def cnn(net):
    x = net.image()
    for filters in (32, 64, 128):
        x = net.max_pool(net.conv2d(x, filters, activation="relu"))
    return net.dense(net.dense(flatten(x), 128, "relu"), CLASSES)


def residual(net):
    """A small inverted residual: what MobileNetV2 repeats. Built with Graph in tests/graph/golden_test.cpp."""
    x = net.batch_norm(net.conv2d(net.image(), 8, stride=2, bias=False), "relu6")
    y = net.batch_norm(net.conv2d(x, 24, kernel=1, bias=False), "relu6")
    y = net.batch_norm(net.conv2d(y, 24, depthwise=True, bias=False), "relu6")
    y = net.batch_norm(net.conv2d(y, 8, kernel=1, bias=False))
    return net.dense((x + y).mean((2, 3)), CLASSES)


def mobilenetv2(net):
    """Width 0.35 at 32 x 32, with the names of models/mobilenet_v2.cpp."""
    net.momentum = float(numpy.float32(0.999))

    def layer(x, conv, norm, filters, activation=None, **options):
        return net.batch_norm(net.conv2d(x, filters, bias=False, name=conv, **options), activation, name=norm)

    x = net.image(32, 32, float(numpy.float32(1) / numpy.float32(127.5)), -1.0)
    x = layer(x, "stem/conv", "stem/bn", 16, "relu6", stride=2)
    block = 0
    for expansion, filters, blocks, stride in ((1, 8, 1, 1), (6, 8, 2, 2), (6, 16, 3, 2), (6, 24, 4, 2), (6, 32, 3, 1), (6, 56, 3, 2), (6, 112, 1, 1)):
        for i in range(blocks):
            name, before, wide = f"block_{block:02}", x, expansion * x.shape[1]
            if expansion > 1:
                x = layer(x, f"{name}/expand", f"{name}/expand_bn", wide, "relu6", kernel=1)
            x = layer(x, f"{name}/depthwise", f"{name}/depthwise_bn", wide, "relu6", depthwise=True, stride=stride if i == 0 else 1)
            x = layer(x, f"{name}/project", f"{name}/project_bn", filters, kernel=1)
            if x.shape == before.shape:
                x = before + x
            block += 1
    x = layer(x, "top/conv", "top/bn", 1280, "relu6", kernel=1)
    return net.dense(x.mean((2, 3)), CLASSES, name="head")


# Results ------------------------------------------------------------------------------------------------------------------

def vectors_of(name, tensor):
    flat = tensor.detach().numpy().reshape(-1)
    if flat.size <= SAMPLED_ABOVE:
        return {name: flat}
    matrix = flat.reshape(tensor.shape[0], -1)
    samples = flat[mix(numpy.arange(SAMPLES), key_of("samples")) % flat.size]
    return {f"{name}:samples": samples, f"{name}:rows": matrix.sum(1), f"{name}:columns": matrix.sum(0)}


# The deep network would make a large file: one smoothing, and no bf16, whose rounding is larger than many of its gradients.
SMOOTHINGS = {"mobilenetv2": (0.1,)}
PRECISIONS = {"mobilenetv2": ("fp32",)}


def results(build, precision=None):
    """Name -> vector, and the margin of the first step."""
    out, margin = {}, None
    for smoothing in SMOOTHINGS.get(build.__name__, (0.0, 0.1)):
        net = Network()
        moments, losses = {}, []
        for step in range(ADAM_STEPS):
            net.begin(precision)
            logits = build(net)
            loss = F.cross_entropy(logits, labels(), label_smoothing=smoothing)
            names = list(net.parameters)
            gradients = torch.autograd.grad(loss, [net.parameters[name] for name in names])
            losses.append(loss.detach())
            if step == 0:
                margin = net.margin
                out.update(vectors_of("logits", logits))
                for name, gradient in zip(names, gradients):
                    out.update(vectors_of(f"smoothing {smoothing}/diff {name}", gradient))
                for name, value in net.new_statistics.items():
                    out.update(vectors_of(f"statistic {name}", value))
            net.statistics = net.new_statistics
            t = step + 1
            rate = RATE * math.sqrt(1 - BETA2**t) / (1 - BETA1**t)
            for name, g in zip(names, gradients):
                m, v = moments.get(name, (torch.zeros_like(g), torch.zeros_like(g)))
                m, v = BETA1 * m + (1 - BETA1) * g, BETA2 * v + (1 - BETA2) * g * g
                moments[name] = (m, v)
                net.parameters[name] = (net.parameters[name].detach() - rate * m / (v.sqrt() + EPSILON)).requires_grad_()
        out[f"smoothing {smoothing}/losses"] = torch.stack(losses).numpy()
    return out, margin


def main():
    folder = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else pathlib.Path(__file__).parent)
    torch.set_default_dtype(torch.float64)
    torch.set_num_threads(1)  # the tensors are small
    torch.manual_seed(1)
    wanted = sys.argv[2:] or ["mlp", "cnn", "residual", "mobilenetv2"]
    for build in (globals()[name] for name in wanted):
        exact, margin = results(build)
        tensors = {name: vector.astype(numpy.float32) for name, vector in exact.items()}
        for precision in PRECISIONS.get(build.__name__, ("fp32", "bf16")):
            deviation = {name: numpy.linalg.norm(vector) * 2**-24 for name, vector in exact.items()}  # the file's own rounding
            for _ in range(TRIALS):
                for name, vector in results(build, precision)[0].items():
                    deviation[name] = max(deviation[name], numpy.linalg.norm(vector - exact[name]))
            for name, value in deviation.items():
                tensors[f"{name}@{precision}"] = numpy.array([value], dtype=numpy.float32)
        path = folder / f"{build.__name__}.safetensors"
        safetensors.numpy.save_file(tensors, path, {"maker": "make_network_golden.py", "torch": torch.__version__})
        path.chmod(0o644)
        # No fp32 rounding may cross a kink: the margin must stay well above 2^-24 sqrt(terms), about 2e-6.
        print(f"{path.name}: {path.stat().st_size} bytes, nearest kink {margin:.1e} of its layer's rms")


if __name__ == "__main__":
    main()
