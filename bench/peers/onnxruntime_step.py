#!/usr/bin/env python3
"""Inference by ONNX Runtime on the CPU: uint8 pictures in, logits out, of a network that `cudacards export --onnx` wrote.

  onnxruntime_step.py --mode infer --onnx cards.onnx --batch 1              one variant, one line of JSON
  onnxruntime_step.py --mode infer --onnx cards.onnx --batch 32 --sweep     all variants, the best one last

Its file is fp32, and so is what it computes in.
"""

import sys

import measure

VARIANTS = {"optimization": ["all", "extended"]}  # with and without layouts of its own
BATCHES = 3  # taken in turn


def session_of(onnxruntime, args):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = args.threads
    options.inter_op_num_threads = 1
    levels = onnxruntime.GraphOptimizationLevel
    options.graph_optimization_level = {"all": levels.ORT_ENABLE_ALL, "extended": levels.ORT_ENABLE_EXTENDED}[args.optimization]
    return onnxruntime.InferenceSession(args.onnx, options, providers=["CPUExecutionProvider"])


def main():
    # Whatever model the file holds, the architecture is only a name here.
    parser = measure.options(__doc__.splitlines()[0], VARIANTS, archs=None, modes=("infer",))
    parser.add_argument("--onnx", required=True, metavar="FILE", help="the network")
    parser.set_defaults(mode="infer", passed_on=("onnx",))
    args = parser.parse_args()
    if args.precision != "fp32":
        parser.error("the file's network is fp32")
    if args.sweep:
        return measure.sweep(args, VARIANTS)
    measure.restart_with_allocator(args.allocator)

    import numpy
    import onnxruntime

    session = session_of(onnxruntime, args)
    wanted, given = [args.image_size, args.image_size, 3], session.get_inputs()[0].shape[1:]
    if given != wanted:
        sys.exit(f"{sys.argv[0]}: {args.onnx} takes pictures of {given}, not {wanted}: see --image-size")
    generator = numpy.random.default_rng(1234)
    batches = [generator.integers(0, 256, (args.batch, *wanted), dtype=numpy.uint8) for _ in range(BATCHES)]
    milliseconds, logits = measure.time_steps(
        lambda i: session.run(["logits"], {"pixels": batches[i % BATCHES]})[0][0, 0], args.warmup, args.steps)
    measure.report("onnxruntime", onnxruntime.__version__, args, {"optimization": args.optimization, "allocator": args.allocator},
                   milliseconds, logits)


if __name__ == "__main__":
    main()
