#!/usr/bin/env python3
"""Whole steps on a GPU: cudacards against PyTorch, asked in turn.

  compare_gpu.py --step build-gpu/bench/step --pytorch python3 --out steps.json

Every contestant is a process that serves requests; in each round each is asked once for the same problem, the order turning. Figures are
medians over rounds. PyTorch runs eagerly (channels_last, AMP, fused Adam), as one captured CUDA graph of the eager step, and compiled
(max-autotune). cudacards runs with and without replay of its graph, and with the vendor's operations one by one, each model as it is
described. The file is written after every problem, so that what was measured stays where time runs out; the problems come in the order
of their worth. --device cpu and --device emulated are for testing this program.
"""

import argparse
import json
import os
import pathlib
import queue
import statistics
import subprocess
import sys
import threading
import time

HERE = pathlib.Path(__file__).resolve().parent
# arch, mode, batch, precision
PROBLEMS = [("cnn", "train", 32, "bf16"), ("cnn", "train", 256, "bf16"), ("cnn", "infer", 256, "bf16"), ("mlp", "train", 32, "bf16"),
            ("mobilenetv2", "infer", 256, "bf16"), ("mobilenetv2", "infer", 1, "bf16"), ("mobilenetv2", "train", 32, "bf16"),
            ("cnn", "train", 32, "fp32"), ("cnn", "infer", 1, "bf16"), ("mlp", "train", 256, "bf16"), ("cnn", "train", 256, "fp32"),
            ("mlp", "infer", 256, "bf16"), ("mobilenetv2", "train", 256, "bf16"), ("mlp", "train", 32, "fp32")]
TINY = [("mlp", "train", 2, "bf16"), ("mlp", "infer", 2, "fp32")]
COMPILED = 8  # problems for which the compiled peer is asked: it takes up to a minute to prepare

OURS = {"cudacards": {"impl": "auto", "graph": True}, "cudacards, no graph": {"impl": "auto", "graph": False},
        "cudacards, vendor op by op": {"impl": "vendor", "graph": True, "unfused": True}}
PYTORCH = {"pytorch eager": {"execution": "eager"}, "pytorch cudagraph": {"execution": "cudagraph"}}
PYTORCH_COMPILED = {"pytorch compile": {"execution": "compile"}}


def parse_options():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--step", required=True, metavar="PROGRAM", help="bench/step of a build")
    parser.add_argument("--pytorch", metavar="PYTHON", help="interpreter with torch; without it cudacards runs alone")
    parser.add_argument("--device", default="cuda", choices=["cuda", "cpu", "emulated"])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=400, help="begin no problem after this time (%(default)s)")
    parser.add_argument("--tiny", action="store_true", help="small problems, for testing")
    parser.add_argument("--out", required=True, metavar="FILE", type=pathlib.Path)
    return parser.parse_args()


class Contestant:
    """A process that answers requests, a line each. Ends for good at its first silence."""

    def __init__(self, name, command):
        self.name, self.command, self.answers, self.error = name, command, queue.Queue(), ""
        try:
            self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                            start_new_session=True)
        except OSError as error:
            self.process, self.error = None, str(error)
            return
        self.messages = []
        threading.Thread(target=self.listen, daemon=True).start()
        threading.Thread(target=lambda: self.messages.extend(self.process.stderr), daemon=True).start()
        ready = self.answer(90)
        if not ready.get("ready"):
            self.error = ready.get("error", "did not get ready")
            self.end()

    def listen(self):
        for line in self.process.stdout:
            if line.startswith("{"):
                self.answers.put(line)
        self.answers.put(None)

    def answer(self, patience):
        try:
            line = self.answers.get(timeout=patience)
        except queue.Empty:
            self.error = f"no answer in {patience:.0f} s"
            self.end()
            return {"error": self.error}
        if line is None:
            self.process.wait()
            time.sleep(0.1)
            last = ([text.strip() for text in self.messages if text.strip()] or ["no message"])[-1]
            self.error = f"ended with code {self.process.returncode}: {last[:300]}"
            return {"error": self.error}
        return json.loads(line)

    def ask(self, request, patience):
        if self.error:
            return {"error": self.error}
        try:
            self.process.stdin.write(json.dumps(request) + "\n")
            self.process.stdin.flush()
        except OSError:
            pass  # it has ended: the answer says how
        return self.answer(patience)

    def end(self):
        if self.process is not None and self.process.poll() is None:
            self.process.kill()


def contestants(options):
    """(process, its variants)."""
    found = [(Contestant("cudacards", [options.step, "--serve", "--device", options.device]), OURS)]
    if options.pytorch:
        device = "cpu" if options.device == "emulated" else options.device
        command = [options.pytorch, str(HERE / "peers" / "pytorch_step.py"), "--serve", "--device", device]
        if device == "cpu":
            command += ["--allocator", "glibc"]
        found.append((Contestant("pytorch", command), PYTORCH))
        if device == "cuda":  # apart: its preparation may take longer than there is time
            found.append((Contestant("pytorch compile", command), PYTORCH_COMPILED))
    return found


def steps_for(milliseconds, tiny):
    """About a fifth of a second a round."""
    return 2 if tiny else max(5, min(200, round(200 / milliseconds)))


class Problem:
    def __init__(self, options, number, what):
        self.options, self.number = options, number
        self.request = dict(zip(("arch", "mode", "batch", "precision"), what))
        if options.tiny:
            self.request["image_size"] = 16
        self.rounds, self.last, self.errors, self.steps = {}, {}, {}, {}

    def prepare(self, lists, deadline):
        for process, variants in lists:
            if process.name == "pytorch compile" and (self.number >= COMPILED or deadline - time.monotonic() < 100):
                self.errors["pytorch compile"] = "left out: not enough time for its preparation"
                continue
            for name, variant in variants.items():
                answer = process.ask({**self.request, **variant, "warmup": 1 if self.options.tiny else 5, "steps": 2},
                                     max(20, min(120, deadline - time.monotonic())))
                if "error" in answer:
                    self.errors[name] = answer["error"]
                    continue
                self.rounds[name] = []
                self.steps[name] = steps_for(answer["ms_per_step"], self.options.tiny)

    def run(self, lists, deadline):
        self.prepare(lists, deadline)
        turns = [(process, name, variant) for process, variants in lists for name, variant in variants.items() if name in self.rounds]
        for number in range(2 if self.options.tiny else self.options.rounds):
            for process, name, variant in turns[number % max(len(turns), 1):] + turns[:number % max(len(turns), 1)]:
                answer = process.ask({**self.request, **variant, "warmup": 1, "steps": self.steps[name]}, 60)
                if "error" in answer:
                    self.errors[name] = answer["error"]
                else:
                    self.rounds[name].append(answer["ms_per_step"])
                    self.last[name] = answer

    def result(self):
        ms = {name: statistics.median(times) for name, times in self.rounds.items() if times}
        ours = ms.get("cudacards")
        rows = [{"name": name, "ms_per_step": value, "images_per_second": self.request["batch"] / value * 1e3,
                 "spread": [min(self.rounds[name]), max(self.rounds[name])],
                 **{key: value for key, value in self.last[name].items()
                    if key in ("version", "variant", "peak_device_bytes", "planned_bytes", "implementations", "gpu", "cudnn", "last_loss",
                               "parameters")}}
                for name, value in ms.items()]
        return {**self.request, "results": rows, "errors": self.errors,
                "ratios": {name: value / ours for name, value in ms.items() if ours and name != "cudacards"}}


def main():
    options = parse_options()
    deadline = time.monotonic() + options.seconds
    lists = contestants(options)
    done, left_out = [], []
    for process, _ in lists:
        if process.error:
            print(f"compare_gpu: {process.name}: {process.error}", file=sys.stderr)
    for number, what in enumerate(TINY if options.tiny else PROBLEMS):
        if time.monotonic() > deadline - 10:
            left_out.append("/".join(map(str, what)))
            continue
        problem = Problem(options, number, what)
        problem.run(lists, deadline)
        done.append(problem.result())
        temporary = options.out.with_suffix(".tmp")
        temporary.write_text(json.dumps({"problems": done, "left_out": left_out,
                                         "contestants": {process.name: {"command": process.command, "error": process.error}
                                                         for process, _ in lists}}), encoding="utf-8")
        os.replace(temporary, options.out)
        print(f"{'/'.join(map(str, what))}: " + ", ".join(f"{row['name']} {row['ms_per_step']:.3f} ms" for row in done[-1]["results"]),
              file=sys.stderr)
    for process, _ in lists:
        process.end()
    return 0 if any("cudacards" in [row["name"] for row in problem["results"]] for problem in done) else 1


if __name__ == "__main__":
    sys.exit(main())
