"""What the peers share: options, the allocator, the clock, the report. On the CPU one process measures one variant, so that peak memory
is its own; on a GPU one process serves many (--serve), because starting it takes longer than measuring."""

import argparse
import copy
import glob
import itertools
import json
import os
import platform
import statistics
import subprocess
import sys
import time

# glibc returns large blocks to the kernel at every free and faults them in again at the next step; these keep them.
TUNED_GLIBC = {"MALLOC_MMAP_MAX_": "0", "MALLOC_TRIM_THRESHOLD_": "100000000000", "MALLOC_TOP_PAD_": "2000000000"}
PRELOADED = {"jemalloc": ("libjemalloc.so.2", {"MALLOC_CONF": "dirty_decay_ms:-1,muzzy_decay_ms:-1,thp:always"}),
             "tcmalloc": ("libtcmalloc_minimal.so.4", {"TCMALLOC_RELEASE_RATE": "0"})}
MARK = "CUDACARDS_PEER_ALLOCATOR"


def library(allocator):
    """Path of a preloadable allocator, or None where it is not installed."""
    found = glob.glob("/usr/lib/*/" + PRELOADED[allocator][0])
    return found[0] if found else None


def allocators():
    return ["glibc", "glibc-tuned"] + [name for name in PRELOADED if library(name)]


def options(description, variants, archs=("cnn", "mlp"), modes=("train",), devices=("cpu",)):
    """`variants`: name of an option -> its values; the first is the default."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--arch", choices=archs, default="cnn")
    parser.add_argument("--mode", choices=modes, default="train", help="a training step, or the forward pass of inference")
    parser.add_argument("--device", choices=devices, default="cpu")
    parser.add_argument("--precision", choices=["fp32", "bf16"], default="fp32")
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--image-size", type=int, default=224)
    parser.add_argument("--classes", type=int, default=53)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--steps", type=int, default=10, help="timed steps")
    parser.add_argument("--warmup", type=int, default=3, help="steps before the clock starts, compilation included")
    parser.add_argument("--allocator", choices=["glibc", "glibc-tuned", *PRELOADED], default="glibc-tuned")
    parser.add_argument("--serve", action="store_true",
                        help="read options as JSON objects from standard input, a line each, and answer each with a report")
    parser.add_argument("--sweep", action="store_true", help="measure every variant, each in its own process, the best last")
    for name, values in variants.items():
        parser.add_argument(f"--{name}", choices=values, default=values[0])
    return parser


def restart_with_allocator(allocator):
    """An allocator is chosen when a process starts: starts this one again, once."""
    if allocator == "glibc" or os.environ.get(MARK) == allocator:
        return
    environment = dict(os.environ, **{MARK: allocator})
    if allocator == "glibc-tuned":
        environment.update(TUNED_GLIBC)
    else:
        path = library(allocator)
        if path is None:
            sys.exit(f"{sys.argv[0]}: {allocator} is not installed (no {PRELOADED[allocator][0]} in /usr/lib)")
        environment.update(PRELOADED[allocator][1], LD_PRELOAD=path)
    os.execve(sys.executable, [sys.executable, *sys.argv], environment)


def peak_rss_bytes():
    with open("/proc/self/status", encoding="ascii") as status:
        for line in status:
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    return 0


def cpu_name():
    with open("/proc/cpuinfo", encoding="utf-8") as info:
        for line in info:
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor()


def time_steps(step, warmup, steps):
    """Milliseconds of each timed step and the losses of all. `step(i)` runs step i to its end and returns its loss."""
    losses = [float(step(i)) for i in range(warmup)]
    milliseconds = []
    for i in range(warmup, warmup + steps):
        start = time.perf_counter()
        losses.append(float(step(i)))
        milliseconds.append((time.perf_counter() - start) * 1e3)
    return milliseconds, losses


def report(program, version, args, variant, milliseconds, losses, **more):
    """One line of JSON, the same fields as bench/step prints."""
    median = statistics.median(milliseconds)
    print(json.dumps({
        "program": program, "version": version, "arch": args.arch, "mode": args.mode, "device": args.device,
        "precision": args.precision, "batch": args.batch,
        "image_size": args.image_size, "classes": args.classes, "threads": args.threads, "variant": variant,
        "steps": len(milliseconds), "ms_per_step": round(median, 4), "ms_per_step_min": round(min(milliseconds), 4),
        "images_per_second": round(args.batch / median * 1e3, 2), "peak_rss_bytes": peak_rss_bytes(),
        "first_loss": round(losses[0], 6), "last_loss": round(losses[-1], 6), "cpu": cpu_name(), **more,
        "ms": [round(ms, 4) for ms in milliseconds]}), flush=True)


def serve(parser, defaults, measure_one):
    """Answers each line of standard input, a JSON object of options, with a report; with {"error": ...} where that fails. What all
    requests have in common is in `defaults`."""
    print(json.dumps({"ready": True}), flush=True)
    known = {action.dest for action in parser._actions}
    for line in sys.stdin:
        args = copy.copy(defaults)
        try:
            for name, value in json.loads(line).items():
                if name not in known:
                    raise ValueError(f"no option {name}")
                setattr(args, name, value)
            measure_one(args)
        except Exception as error:  # pylint: disable=broad-except; the next request may do better
            text = str(error).strip().splitlines() or [type(error).__name__]
            print(json.dumps({"error": f"{type(error).__name__}: {text[0]}"[:500]}), flush=True)


def sweep(args, variants):
    """Every variant in its own process, then the fastest with every other allocator; prints each line, and the best one again at the end."""
    names = list(variants)
    results = [result for values in itertools.product(*variants.values())
               if (result := measure_apart(args, dict(zip(names, values), allocator=args.allocator)))]
    if not results:
        sys.exit(f"{sys.argv[0]}: no variant ran")
    fastest = min(results, key=speed)["variant"]
    for allocator in allocators():
        if allocator != args.allocator and (result := measure_apart(args, dict(fastest, allocator=allocator))):
            results.append(result)
    print(json.dumps(min(results, key=speed)), flush=True)


def speed(result):
    return result["ms_per_step"]


def measure_apart(args, variant):
    """One variant in a process of its own; prints and returns its report, or says why there is none."""
    command = [sys.executable, sys.argv[0]]
    for name in ("arch", "mode", "device", "precision", "batch", "image_size", "classes", "threads", "steps", "warmup"):
        command += [f"--{name.replace('_', '-')}", str(getattr(args, name))]
    for name in getattr(args, "passed_on", ()):  # what this peer has besides
        command += [f"--{name}", str(getattr(args, name))]
    for name, value in variant.items():
        command += [f"--{name}", value]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        print(f"{variant}: {(done.stderr.strip().splitlines() or ['no message'])[-1]}", file=sys.stderr)
        return None
    print(done.stdout.splitlines()[-1], flush=True)
    return json.loads(done.stdout.splitlines()[-1])
