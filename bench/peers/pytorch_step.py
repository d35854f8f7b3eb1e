#!/usr/bin/env python3
"""A step in PyTorch: uint8 pictures in, rescale, forward; in training loss, backward, Adam too.

  pytorch_step.py --arch cnn --precision fp32 --layout channels_last --execution compile   one variant, one line of JSON
  pytorch_step.py --arch cnn --sweep                                                       all variants, the best one last
  pytorch_step.py --device cuda --serve      one report for each line of options, such as {"arch": "cnn", "execution": "cudagraph"}

On a GPU: pictures lie there as uint8 (D,H,W,3) and a step gathers its batch by indices; automatic mixed precision (bf16); fused Adam;
TF32 allowed in fp32; cuDNN's benchmark mode. Executions: eager; compile (max-autotune, which uses CUDA graphs); cudagraph (the whole
eager step captured once). Inference in bf16 has its weights in bf16.
"""

import sys

import measure
import pytorch_networks

VARIANTS = {"layout": ["channels_last", "contiguous"], "execution": ["eager", "compile"]}
BATCHES = 3  # taken in turn


class Feed:
    """Batches in turn. On the CPU they lie there; on a GPU a step gathers its own from what is resident."""

    def __init__(self, torch, args, memory_format):
        self.torch, self.args = torch, args
        self.labels = [torch.randint(0, args.classes, (args.batch,), device=args.device) for _ in range(BATCHES)]
        shape = (args.image_size, args.image_size)
        if args.device == "cpu":
            self.batches = [torch.randint(0, 256, (args.batch, 3, *shape), dtype=torch.uint8).contiguous(memory_format=memory_format)
                            for _ in range(BATCHES)]
            return
        self.pictures = torch.randint(0, 256, (BATCHES * args.batch, *shape, 3), dtype=torch.uint8, device="cuda")
        self.orders = torch.randperm(BATCHES * args.batch, device="cuda").view(BATCHES, args.batch)
        self.layout = memory_format

    def gather(self, indices):
        return self.pictures.index_select(0, indices).permute(0, 3, 1, 2).contiguous(memory_format=self.layout)

    def batch(self, i):
        if self.args.device == "cpu":
            return self.batches[i % BATCHES]
        return self.gather(self.orders[i % BATCHES])


class Case:
    """One variant, ready to be timed."""

    def __init__(self, torch, args):
        self.torch, self.args = torch, args
        if args.execution == "cudagraph" and args.device != "cuda":
            raise ValueError("cudagraph needs --device cuda")
        torch.manual_seed(1234)
        layout = torch.channels_last if args.layout == "channels_last" else torch.contiguous_format
        network = pytorch_networks.BUILDERS[args.arch](torch.nn, args.image_size, args.classes)
        self.model = network.to(args.device).to(memory_format=layout)
        self.feed = Feed(torch, args, layout)
        self.on_gpu = args.device == "cuda"
        self.bf16 = args.precision == "bf16"
        self.optimizer = None
        if args.mode == "train":
            captured = {"capturable": True} if args.execution == "cudagraph" else {}
            self.optimizer = torch.optim.Adam(self.model.parameters(), lr=1e-3, eps=1e-7, fused=True, **captured)
        else:
            self.model.eval()
            if self.on_gpu and self.bf16:
                self.model.bfloat16()
        self.forward = self.loss_of if args.mode == "train" else self.infer
        if args.execution == "compile":
            self.forward = torch.compile(self.forward, **({"mode": "max-autotune"} if self.on_gpu else {}))
        self.step = self.train_step if args.mode == "train" else self.inference_step
        if args.execution == "cudagraph":
            self.capture()

    def pixels(self, batch):
        scale, offset = pytorch_networks.RESCALE[self.args.arch]
        # Every uint8 is a bf16.
        numbers = batch.bfloat16() if self.on_gpu and self.bf16 else batch.float()
        numbers = numbers.mul_(scale)
        return numbers.add_(offset) if offset else numbers

    def loss_of(self, batch, label):
        torch = self.torch
        with torch.autocast(self.args.device, dtype=torch.bfloat16, enabled=self.bf16):
            logits = self.model(self.pixels(batch))
        return torch.nn.functional.cross_entropy(logits.float(), label)

    def infer(self, batch, _):
        torch = self.torch
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=self.bf16 and not self.on_gpu):
            return self.model(self.pixels(batch)).float()

    def update(self, batch, label):
        self.optimizer.zero_grad(set_to_none=True)
        loss = self.forward(batch, label)
        loss.backward()
        self.optimizer.step()
        return loss.detach()

    def train_step(self, i):
        return self.update(self.feed.batch(i), self.feed.labels[i % BATCHES])

    def inference_step(self, i):
        # Compiled code is built without gradients, not for inference tensors.
        with self.torch.no_grad() if self.args.execution == "compile" else self.torch.inference_mode():
            return self.forward(self.feed.batch(i), None)[0, 0]

    def capture(self):
        """The eager step from the gather on as one CUDA graph, with the indices and labels where it reads them."""
        torch, feed = self.torch, self.feed
        indices, labels = feed.orders[0].clone(), feed.labels[0].clone()

        def body():
            batch = feed.gather(indices)
            if self.args.mode == "train":
                return self.update(batch, labels)
            with torch.inference_mode():
                return self.forward(batch, None)[0, 0]

        stream = torch.cuda.Stream()
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            for _ in range(3):
                body()
        torch.cuda.current_stream().wait_stream(stream)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            result = body()

        def replay(i):
            indices.copy_(feed.orders[i % BATCHES])
            labels.copy_(feed.labels[i % BATCHES])
            graph.replay()
            return result

        self.step = replay

    def time(self, warmup, steps):
        if not self.on_gpu:
            return measure.time_steps(self.step, warmup, steps)
        return self.time_on_gpu(warmup, steps)

    def time_on_gpu(self, warmup, steps):
        """By events between steps: the host does not wait for a step before it begins the next, as in real training."""
        torch = self.torch
        losses = []
        for i in range(warmup):
            self.begin_step()
            losses.append(float(self.step(i)))
        torch.cuda.synchronize()
        events = [torch.cuda.Event(enable_timing=True) for _ in range(steps + 1)]
        events[0].record()
        for i in range(steps):
            self.begin_step()
            last = self.step(i)
            events[i + 1].record()
        losses.append(float(last))
        torch.cuda.synchronize()
        return [begin.elapsed_time(end) for begin, end in zip(events, events[1:])], losses

    def begin_step(self):
        if self.args.execution == "compile":
            self.torch.compiler.cudagraph_mark_step_begin()


class Server:
    """Keeps the variants of one problem ready, so that they can be asked for in turn."""

    def __init__(self, torch):
        self.torch, self.problem, self.cases = torch, None, {}

    def measure(self, args):
        problem = (args.arch, args.mode, args.precision, args.batch, args.image_size, args.classes)
        if problem != self.problem:
            self.forget()
            self.problem = problem
        variant = (args.layout, args.execution)
        if variant not in self.cases:
            self.cases[variant] = Case(self.torch, args)
        self.report(self.cases[variant], args)

    def forget(self):
        self.cases.clear()
        self.torch.compiler.reset()
        if self.torch.cuda.is_available():
            self.torch.cuda.empty_cache()
            self.torch.cuda.reset_peak_memory_stats()

    def report(self, case, args):
        milliseconds, losses = case.time(args.warmup, args.steps)
        variant = {"layout": args.layout, "execution": args.execution}
        more = {"parameters": sum(p.numel() for p in case.model.parameters())}
        if args.device == "cpu":
            variant["allocator"] = args.allocator
        else:
            more |= {"gpu": self.torch.cuda.get_device_name(), "peak_device_bytes": self.torch.cuda.max_memory_allocated(),
                     "cudnn": self.torch.backends.cudnn.version()}
        measure.report("pytorch", self.torch.__version__, args, variant, milliseconds, losses, **more)


def main():
    variants = dict(VARIANTS, execution=[*VARIANTS["execution"], "cudagraph"])
    parser = measure.options(__doc__.splitlines()[0], variants, archs=tuple(pytorch_networks.BUILDERS), modes=("train", "infer"),
                             devices=("cpu", "cuda"))
    args = parser.parse_args()
    if args.execution == "cudagraph" and args.device == "cpu":
        parser.error("--execution cudagraph needs --device cuda")
    if args.sweep:
        swept = dict(VARIANTS, execution=VARIANTS["execution"] + (["cudagraph"] if args.device == "cuda" else []))
        return measure.sweep(args, swept)
    if args.device == "cpu":
        measure.restart_with_allocator(args.allocator)

    import torch  # after the restart: the allocator must be there first

    if args.device == "cuda":
        if not torch.cuda.is_available():
            sys.exit(f"{sys.argv[0]}: this PyTorch ({torch.__version__}) sees no GPU")
        torch.backends.cudnn.benchmark = True
        torch.backends.cuda.matmul.allow_tf32 = True
        torch.backends.cudnn.allow_tf32 = True
    torch.set_num_threads(args.threads)
    torch.set_flush_denormal(True)
    server = Server(torch)
    if args.serve:
        return measure.serve(parser, args, server.measure)
    server.measure(args)


if __name__ == "__main__":
    main()
