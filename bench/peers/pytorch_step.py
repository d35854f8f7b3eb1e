#!/usr/bin/env python3
"""The notebook's training step in PyTorch on the CPU: uint8 pictures in, rescale, forward, loss, backward, Adam.

  pytorch_step.py --arch cnn --precision fp32 --layout channels_last --execution compile   one variant, one line of JSON
  pytorch_step.py --arch cnn --sweep                                                       all variants, the best one last
"""

import measure

VARIANTS = {"layout": ["channels_last", "contiguous"], "execution": ["eager", "compile"]}


def network(torch, args):
    nn = torch.nn
    if args.arch == "mlp":
        return nn.Sequential(
            nn.Flatten(), nn.Linear(args.image_size**2 * 3, 256), nn.ReLU(), nn.Dropout(0.5),
            nn.Linear(256, 128), nn.ReLU(), nn.Dropout(0.5), nn.Linear(128, args.classes))
    layers, channels, side = [], 3, args.image_size
    for filters in (32, 64, 128):
        layers += [nn.Conv2d(channels, filters, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)]
        channels, side = filters, side // 2
    return nn.Sequential(*layers, nn.Flatten(), nn.Dropout(0.5), nn.Linear(side * side * channels, 128), nn.ReLU(),
                         nn.Linear(128, args.classes))


def main():
    args = measure.options(__doc__.splitlines()[0], VARIANTS).parse_args()
    if args.sweep:
        return measure.sweep(args, VARIANTS)
    measure.restart_with_allocator(args.allocator)

    import torch  # after the restart: the allocator must be there first

    torch.set_num_threads(args.threads)
    torch.set_flush_denormal(True)
    torch.manual_seed(1234)
    memory_format = torch.channels_last if args.layout == "channels_last" else torch.contiguous_format
    model = network(torch, args).to(memory_format=memory_format)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3, eps=1e-7, fused=True)
    batches = [torch.randint(0, 256, (args.batch, 3, args.image_size, args.image_size), dtype=torch.uint8)
               .contiguous(memory_format=memory_format) for _ in range(3)]
    labels = [torch.randint(0, args.classes, (args.batch,)) for _ in batches]

    def loss_of(pixels, label):
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=args.precision == "bf16"):
            logits = model(pixels.float().mul_(1 / 255))
        return torch.nn.functional.cross_entropy(logits.float(), label)

    if args.execution == "compile":
        loss_of = torch.compile(loss_of)

    def step(i):
        optimizer.zero_grad(set_to_none=True)
        loss = loss_of(batches[i % 3], labels[i % 3])
        loss.backward()
        optimizer.step()
        return loss.detach()

    milliseconds, losses = measure.time_steps(step, args.warmup, args.steps)
    variant = {"layout": args.layout, "execution": args.execution, "allocator": args.allocator}
    measure.report("pytorch", torch.__version__, args, variant, milliseconds, losses)


if __name__ == "__main__":
    main()
