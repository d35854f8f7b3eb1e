#!/usr/bin/env python3
"""Whole steps on a GPU: cudacards against PyTorch, asked in turn.

  compare_gpu.py --step build-gpu/bench/step --pytorch python3 --out steps.json

Every contestant is a process that serves requests; in each round each is asked once for the same problem, the order turning. Figures are
medians over rounds. PyTorch runs eagerly (channels_last, AMP, fused Adam), as one captured CUDA graph of the eager step, and compiled
(max-autotune). cudacards runs as `train` does (each node by the fastest implementation, as measured there; one graph), by the kernels of
this project alone, without replay of the graph, and with the vendor's operations one by one, each model as it is described. The file is written after every round, so that what was measured stays where time runs out. A turn is one problem and the
contestants that are asked in alternation; ratios are of one turn. The turns come in the order of their worth: compiling takes PyTorch
up to a minute or two a problem, so the first problems are timed without it, then with it. --device cpu and --device emulated are for
testing this program.
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
CNN = [("cnn", "train", 32, "bf16"), ("cnn", "train", 32, "fp32"), ("cnn", "train", 256, "bf16"), ("cnn", "train", 256, "fp32")]
THEN = [("cnn", "infer", 256, "bf16"), ("mlp", "train", 32, "bf16"), ("mobilenetv2", "infer", 256, "bf16"),
        ("mobilenetv2", "train", 32, "bf16"), ("mobilenetv2", "infer", 1, "bf16")]
LAST = [("cnn", "infer", 1, "bf16"), ("mlp", "train", 256, "bf16"), ("mlp", "infer", 256, "bf16"), ("mobilenetv2", "train", 256, "bf16"),
        ("mlp", "train", 32, "fp32")]
TINY = [("mlp", "train", 2, "bf16"), ("mlp", "infer", 2, "fp32")]
FIRST, COMPILED = "pytorch", "pytorch compile"  # who stands against cudacards in a turn
TURNS = [(problem, against) for problems, against in ((CNN, FIRST), (CNN[:3], COMPILED), (THEN, FIRST), (THEN, COMPILED), (LAST, FIRST))
         for problem in problems]
TINY_TURNS = [(problem, FIRST) for problem in TINY] + [(TINY[0], COMPILED)]
NO_PEER = "there is no compiled peer"  # on the CPU
PREPARES = 100  # seconds without which the compiled peer is not begun

# "cudacards" as `train` runs it: the fastest implementation of each node, as measured there.
OURS = {"cudacards": {"impl": "auto", "graph": True, "tune": True}, "cudacards, hand": {"impl": "hand", "graph": True},
        "cudacards, no graph": {"impl": "auto", "graph": False, "tune": True},
        "cudacards, vendor op by op": {"impl": "vendor", "graph": True, "unfused": True}}
# Beside those who compile: as users run it.
OURS_ALONE = {"cudacards": OURS["cudacards"]}
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
    """The processes by name. The compiled PyTorch is a process apart: its preparation may take longer than there is time, and then it is
    ended."""
    found = {"cudacards": Contestant("cudacards", [options.step, "--serve", "--device", options.device])}
    if options.pytorch:
        device = "cpu" if options.device == "emulated" else options.device
        command = [options.pytorch, str(HERE / "peers" / "pytorch_step.py"), "--serve", "--device", device]
        if device == "cpu":
            command += ["--allocator", "glibc"]
        for name in (FIRST, COMPILED) if device == "cuda" else (FIRST,):
            found[name] = Contestant(name, command)
    return found


def in_turn(found, against):
    """(process, its variants) of a turn."""
    theirs = PYTORCH if against == FIRST else PYTORCH_COMPILED
    return [(found["cudacards"], OURS if against == FIRST else OURS_ALONE), *([(found[against], theirs)] if against in found else [])]


def steps_for(milliseconds, tiny):
    """About a fifth of a second a round."""
    return 2 if tiny else max(5, min(200, round(200 / milliseconds)))


class Problem:
    """What was measured of one, over all its turns."""

    def __init__(self, options, what):
        self.options = options
        self.request = dict(zip(("arch", "mode", "batch", "precision"), what))
        if options.tiny:
            self.request["image_size"] = 16
        self.turns, self.last, self.errors, self.steps = [], {}, {}, {}

    def prepare(self, lists, deadline):
        for process, variants in lists:
            for name, variant in variants.items():
                answer = process.ask({**self.request, **variant, "warmup": 1 if self.options.tiny else 5, "steps": 2},
                                     max(20, min(120, deadline - time.monotonic())))
                if "error" in answer:
                    self.errors[name] = answer["error"]
                    continue
                self.turns[-1][name] = []
                self.steps[name] = steps_for(answer["ms_per_step"], self.options.tiny)

    def run(self, lists, deadline, after_round):
        self.turns.append({})
        self.prepare(lists, deadline)
        turn = [(process, name, variant) for process, variants in lists for name, variant in variants.items() if name in self.turns[-1]]
        for number in range(2 if self.options.tiny else self.options.rounds):
            for process, name, variant in turn[number % max(len(turn), 1):] + turn[:number % max(len(turn), 1)]:
                answer = process.ask({**self.request, **variant, "warmup": 1, "steps": self.steps[name]}, 60)
                if "error" in answer:
                    self.errors[name] = answer["error"]
                else:
                    self.turns[-1][name].append(answer["ms_per_step"])
                    self.last[name] = answer
            after_round()

    def result(self):
        names = dict.fromkeys(name for turn in self.turns for name, times in turn.items() if times)
        times = {name: [ms for turn in self.turns for ms in turn.get(name, [])] for name in names}
        rows = [{"name": name, "ms_per_step": statistics.median(times[name]),
                 "images_per_second": self.request["batch"] / statistics.median(times[name]) * 1e3,
                 "spread": [min(times[name]), max(times[name])],
                 **{key: value for key, value in self.last[name].items()
                    if key in ("version", "variant", "peak_device_bytes", "planned_bytes", "implementations", "gpu", "cudnn", "last_loss",
                               "parameters")}}
                for name in names]
        return {**self.request, "results": rows, "errors": self.errors, "ratios": self.ratios()}

    def ratios(self):
        """Of those that were asked in alternation with cudacards, to its time then."""
        found = {}
        for turn in self.turns:
            for name, times in turn.items():
                if name != "cudacards" and times and turn.get("cudacards"):
                    found[name] = statistics.median(times) / statistics.median(turn["cudacards"])
        return found


def why_not(against, found, left):
    """Why a turn cannot be had, or nothing."""
    if left < 10:
        return "no time"
    if against == COMPILED and against not in found:
        return NO_PEER
    if against == COMPILED and found[against].error:
        return found[against].error
    if against == COMPILED and left < PREPARES:
        return "no time to compile"
    return ""


def main():
    options = parse_options()
    deadline = time.monotonic() + options.seconds
    found = contestants(options)
    for process in found.values():
        if process.error:
            print(f"compare_gpu: {process.name}: {process.error}", file=sys.stderr)
    problems, left_out = {}, []

    def write():
        temporary = options.out.with_suffix(".tmp")
        temporary.write_text(json.dumps({"problems": [problem.result() for problem in problems.values()], "left_out": left_out,
                                         "contestants": {process.name: {"command": process.command, "error": process.error}
                                                         for process in found.values()}}), encoding="utf-8")
        os.replace(temporary, options.out)

    for what, against in TINY_TURNS if options.tiny else TURNS:
        text = "/".join(map(str, what)) + ("" if against == FIRST else f" against {against}")
        reason = why_not(against, found, deadline - time.monotonic())
        if reason:
            if reason != NO_PEER:
                left_out.append(f"{text} ({reason})")
            continue
        problem = problems.setdefault(what, Problem(options, what))
        problem.run(in_turn(found, against), deadline, write)
        print(f"{text}: " + ", ".join(f"{row['name']} {row['ms_per_step']:.3f} ms" for row in problem.result()["results"]), file=sys.stderr)
    write()
    for process in found.values():
        process.end()
    return 0 if any("cudacards" in [row["name"] for row in problem.result()["results"]] for problem in problems.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
