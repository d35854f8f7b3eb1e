#!/usr/bin/env python3
"""One training step, or the forward pass of inference: cudacards against others on this machine's CPU, run alternately.

  compare_cpu.py --arch cnn --build build-bench --pytorch PYTHON --keras PYTHON
  compare_cpu.py --arch mobilenetv2-0.35 --image-size 128 --build build-bench --pytorch PYTHON
  compare_cpu.py --arch mobilenetv2-0.35 --mode infer --batch 1 --build build-bench --onnxruntime PYTHON --onnx FILE

PYTHON is an interpreter that has torch (tensorflow and keras; onnxruntime); a peer without one is left out, and said to be. FILE is
the network as `cudacards export --onnx` wrote it; ONNX Runtime stands against every precision in the file's own, fp32. First each
peer measures all its variants (layout, compilation, allocator) and keeps its fastest in each precision; then, round by round, every
program runs once. The figures are medians over rounds. Prints a table and the ratios, and writes all of it with versions and
commands to bench/results/cpu-<what>-<date>-<commit>.json, where <what> is the architecture and all that differs from a training step
of 32 pictures of 224 x 224.
"""

import argparse
import datetime
import json
import os
import pathlib
import shlex
import statistics
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tools"))
from gpu_suite_parts.programs import commit_of  # noqa: E402

PEERS = {"pytorch": "pytorch_step.py", "keras": "keras_step.py", "onnxruntime": "onnxruntime_step.py"}


def fixed_variant(text):
    """pytorch:fp32:layout=contiguous,execution=compile -> ((peer, precision), options)."""
    peer, _, rest = text.partition(":")
    precision, _, pairs = rest.partition(":")
    variant = dict(pair.split("=", 1) for pair in pairs.split(",") if "=" in pair)
    if peer not in PEERS or precision not in ("fp32", "bf16") or not variant:
        raise argparse.ArgumentTypeError(f'"{text}" is not PEER:PRECISION:NAME=VALUE,... such as pytorch:fp32:layout=contiguous')
    return (peer, precision), variant


def parse_options():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--arch", choices=["cnn", "mlp", "mobilenetv2", "mobilenetv2-0.35"], default="cnn", help="Keras has the first two")
    parser.add_argument("--build", default="build-bench", help="folder that holds bench/step (%(default)s)")
    parser.add_argument("--pytorch", metavar="PYTHON", help="interpreter with torch")
    parser.add_argument("--keras", metavar="PYTHON", help="interpreter with tensorflow and keras")
    parser.add_argument("--onnxruntime", metavar="PYTHON", help="interpreter with onnxruntime")
    parser.add_argument("--onnx", metavar="FILE", help="the network for ONNX Runtime")
    parser.add_argument("--mode", choices=["train", "infer"], default="train", help="a training step (the default) or inference")
    parser.add_argument("--precision", choices=["fp32", "bf16"], nargs="+", default=["fp32", "bf16"])
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--image-size", type=int, default=224)
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=10, help="timed steps a round (%(default)s)")
    parser.add_argument("--warmup", type=int, default=3, help="steps before the clock starts (%(default)s)")
    parser.add_argument("--sweep-steps", type=int, default=5, help="timed steps when a peer looks for its best variant (%(default)s)")
    parser.add_argument("--variant", action="append", type=fixed_variant, default=[], metavar="PEER:PRECISION:NAME=VALUE,...",
                        help="a peer's fastest variant as an earlier search on this machine found it, instead of another search")
    parser.add_argument("--prefix", type=shlex.split, default=[], metavar="WORDS",
                        help="in front of every program that is timed in the rounds: \"chrt -f 20\" on a machine that others use")
    parser.add_argument("--results", default=str(ROOT / "bench" / "results"), help="folder of the JSON file (%(default)s)")
    options = parser.parse_args()
    if options.onnxruntime and not options.onnx:
        parser.error("--onnxruntime needs --onnx FILE: see cudacards export --onnx")
    return options


def subject(options):
    """What is measured, as a part of a file's name."""
    parts = [options.arch]
    if options.image_size != 224:
        parts.append(f"{options.image_size}px")
    if options.mode == "infer":
        parts.append("infer")
    if options.batch != 32:
        parts.append(f"batch{options.batch}")
    return "-".join(parts)


def run(command):
    """The last line of the program's output, a JSON object."""
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
    if done.returncode != 0:
        sys.exit(f"compare_cpu: {shlex.join(command)} failed:\n{done.stderr.strip()[-2000:]}")
    return json.loads(done.stdout.splitlines()[-1])


def common(options, precision, steps):
    return ["--arch", options.arch, "--mode", options.mode, "--precision", precision, "--batch", str(options.batch), "--image-size", str(options.image_size),
            "--threads", str(options.threads), "--warmup", str(options.warmup), "--steps", str(steps)]


def why_left_out(options, peer):
    """Empty where the peer takes part."""
    if getattr(options, peer) is None:
        return f"no --{peer} PYTHON"
    if peer == "keras" and options.arch.startswith("mobilenetv2"):
        return f"it has no {options.arch}"
    if peer == "keras" and options.mode == "infer":
        return "it is there for training"
    if peer == "onnxruntime" and options.mode == "train":
        return "it does not train"
    return ""


def contestants(options):
    """(program, precision) -> command."""
    commands = {}
    for precision in options.precision:
        commands["cudacards", precision] = [*options.prefix, str(pathlib.Path(options.build) / "bench" / "step"),
                                            *common(options, precision, options.steps)]
    for peer, script in PEERS.items():
        if reason := why_left_out(options, peer):
            print(f"{peer} is left out: {reason}", file=sys.stderr)
            continue
        for precision in ["fp32"] if peer == "onnxruntime" else options.precision:
            base = [getattr(options, peer), str(pathlib.Path("bench") / "peers" / script)]
            if peer == "onnxruntime":
                base += ["--onnx", options.onnx]
            variant = dict(options.variant).get((peer, precision))
            if variant is None:
                print(f"{peer} {precision}: looking for its fastest variant", file=sys.stderr)
                variant = run([*base, *common(options, precision, options.sweep_steps), "--sweep"])["variant"]
            chosen = [word for name, value in variant.items() for word in (f"--{name}", value)]
            commands[peer, precision] = [*options.prefix, *base, *common(options, precision, options.steps), *chosen]
    return commands


def summary(key, command, rounds):
    last = rounds[-1]
    ms = statistics.median(r["ms_per_step"] for r in rounds)
    return {"program": key[0], "precision": key[1], "version": last.get("version", commit_of(ROOT) if key[0] == "cudacards" else ""),
            "variant": last["variant"], "ms_per_step": ms, "ms_per_step_min": min(r["ms_per_step_min"] for r in rounds),
            "images_per_second": last["batch"] / ms * 1e3,
            "peak_rss_bytes": statistics.median(r["peak_rss_bytes"] for r in rounds),
            "command": shlex.join(command), "rounds": rounds}


def ratios(rows):
    """Peer's time over ours, same precision (a peer that has but one in that); and the best of each whatever its precision."""
    by_key = {(row["program"], row["precision"]): row for row in rows}
    out = []
    for peer in PEERS:
        of_peer = [row for row in rows if row["program"] == peer]
        if not of_peer:
            continue
        pairs = [(precision, by_key["cudacards", precision], by_key.get((peer, precision), of_peer[0]))
                 for precision in ("fp32", "bf16")
                 if ("cudacards", precision) in by_key and ((peer, precision) in by_key or peer == "onnxruntime")]
        ours = [row for row in rows if row["program"] == "cudacards"]
        fastest = min(of_peer, key=lambda row: row["ms_per_step"])
        pairs.append(("best", min(ours, key=lambda row: row["ms_per_step"]), fastest))
        for precision, mine, theirs in pairs:
            out.append({"against": peer, "precision": precision, "speed": theirs["ms_per_step"] / mine["ms_per_step"],
                        "memory": theirs["peak_rss_bytes"] / mine["peak_rss_bytes"]})
    return out


def print_table(rows, ratio_rows):
    print(f"{'program':<11} {'precision':<9} {'ms/step':>9} {'fastest':>9} {'img/s':>8} {'peak MB':>8}  variant")
    for row in rows:
        variant = " ".join(f"{name}={value}" for name, value in row["variant"].items())
        print(f"{row['program']:<11} {row['precision']:<9} {row['ms_per_step']:>9.2f} {row['ms_per_step_min']:>9.2f} "
              f"{row['images_per_second']:>8.1f} {row['peak_rss_bytes'] / 1e6:>8.0f}  {variant}")
    for ratio in ratio_rows:
        print(f"cudacards is {ratio['speed']:.2f}x as fast as {ratio['against']} ({ratio['precision']}); "
              f"{ratio['against']} takes {ratio['memory']:.2f}x its memory")


def main():
    options = parse_options()
    commands = contestants(options)
    rounds = {key: [] for key in commands}
    for number in range(options.rounds):
        for key, command in commands.items():
            rounds[key].append(run(command))
            print(f"round {number + 1}: {' '.join(key)} {rounds[key][-1]['ms_per_step']:.1f} ms", file=sys.stderr)
    rows = [summary(key, command, rounds[key]) for key, command in commands.items()]
    ratio_rows = ratios(rows)
    print_table(rows, ratio_rows)

    date, revision = datetime.date.today().isoformat(), commit_of(ROOT)
    path = pathlib.Path(options.results) / f"cpu-{subject(options)}-{date}-{revision}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    device = {"cpu": rows[0]["rounds"][0]["cpu"], "threads": options.threads, "kernel": os.uname().release}
    path.write_text(json.dumps({"date": date, "commit": revision, "mode": options.mode, "device": device, "ratios": ratio_rows, "results": rows}, indent=1) + "\n",
                    encoding="utf-8")
    print(f"written: {path}")


if __name__ == "__main__":
    main()
