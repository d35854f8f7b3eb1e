#!/usr/bin/env python3
"""Everything that needs a GPU, in one command: does it compute the right thing, how fast, against whom.

  tools/gpu_suite.py                          builds what is missing in build-gpu, then all parts
  tools/gpu_suite.py --part bench,peers       some of them
  tools/gpu_suite.py --budget 540             what fits into nine minutes, the most valuable first
  tools/gpu_suite.py --table FILE.json        the tables of an earlier result
  tools/gpu_suite.py --self-test              the suite on this machine without a GPU, tiny, on the emulator: its times mean nothing

Needs CUDA, cmake, ninja and python3 with PyTorch for the peers; from the bundle (make gpu-bundle) only a driver and python3. Each
part has a time limit of its own, stays under 8 minutes, and writes what it found into one file as soon as it is found, every few
seconds while a program runs: bench/results/gpu-<device>-<date>-<commit>.json. Whatever ends the suite, the file has what was found.
Parts that ran already are replaced, the others stay. What fails is recorded with its text, and the next thing goes on. Exit code: 0
when all that ran is well, 1 when something failed or was cut off.

Parts, in the order of their value:
       tests     kernels, operations (this project's and the vendor's) and plans on the device against the CPU
       repeat    steps of either captured as one graph; runs repeat and resume byte for byte
       peers     whole steps against PyTorch, alternating
       bench     every layer by every implementation
       train     a real training run (on --data at --image-size; else on a deck that is drawn)
       steps     whole steps, with and without replay of one captured graph
       sanitize  compute-sanitizer's four tools on one test of each kind
       counters  (by name only) what Nsight Compute counts against what the emulator counts
"""

import argparse
import os
import pathlib
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from gpu_suite_parts import bench, counters, peers, repeat, tables, tests, train  # noqa: E402
from gpu_suite_parts.machine import describe, libraries_of_python  # noqa: E402
from gpu_suite_parts.programs import NoGpu, Programs  # noqa: E402
from gpu_suite_parts.record import Interrupted, Record, leave_when_asked  # noqa: E402

# In the order of value: what runs, the seconds that it may take, and its weight where a budget has to be shared.
PARTS = {"tests": (tests.kernels_and_plans, 420, 6), "repeat": (repeat.captures_and_runs, 240, 3), "peers": (peers.steps, 450, 8),
         "bench": (bench.operations, 450, 4), "train": (train.as_a_person_would, 420, 3), "steps": (bench.steps, 150, 1),
         "sanitize": (tests.sanitize, 450, 1), "counters": (counters.against_the_emulator, 240, 1)}
ON_REQUEST = {"counters"}


def parse_options():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--part", default="all", help="all, or parts separated by commas, in the order to be run")
    parser.add_argument("--budget", type=float, default=0, metavar="SECONDS", help="for everything; 0: each part's own limit")
    parser.add_argument("--build", default=None, metavar="DIR", help="build folder (build-gpu; in a bundle: the bundle)")
    parser.add_argument("--device", default="cuda", choices=["cuda", "cpu", "emulated"], help="(%(default)s)")
    parser.add_argument("--tiny", action="store_true", help="sizes that the emulator can stand")
    parser.add_argument("--data", metavar="DIR", help="pictures to train on; default: a deck is drawn")
    parser.add_argument("--image-size", type=int, metavar="N", help="of the training run's pictures; default: the program's")
    parser.add_argument("--python", default=sys.executable, metavar="PYTHON", help="interpreter with PyTorch, for the peers")
    parser.add_argument("--results", metavar="DIR", help="folder of the JSON file (bench/results; in a bundle: results)")
    parser.add_argument("--table", metavar="FILE", type=pathlib.Path, help="print the tables of this result and leave")
    parser.add_argument("--self-test", action="store_true", help="--device emulated --tiny, everything in a temporary folder")
    return parser.parse_args()


def wanted_parts(text):
    names = [name for name in PARTS if name not in ON_REQUEST] if text == "all" else text.split(",")
    for name in names:
        if name not in PARTS:
            print(f"gpu_suite: no part {name}; known: {', '.join(PARTS)}", file=sys.stderr)
            sys.exit(2)
    return names


def run(options, results):
    names = wanted_parts(options.part)
    if options.device == "cuda":
        libraries_of_python(options.python)
    try:
        programs = Programs.find(options.build, options.device)
        machine = describe(programs, options.device)
    except NoGpu as error:
        print(f"gpu_suite: {error}", file=sys.stderr)
        return 1
    record = Record.open(results or programs.results, machine, programs.commit)
    leave_when_asked()
    # Implementations are measured anew, and a person's own measurements stay as they are.
    with tempfile.TemporaryDirectory(prefix="cudacards-cache-") as cache:
        os.environ["XDG_CACHE_HOME"] = cache
        try:
            run_parts(record, names, programs, options)
        except Interrupted as reason:
            print(f"gpu_suite: interrupted by {reason}", file=sys.stderr)
    print(tables.text(record.json))
    print(f"written: {record.path}")
    return 0 if record.is_well(names) else 1


def run_parts(record, names, programs, options):
    begin = time.monotonic()
    for number, name in enumerate(names):
        part, limit, weight = PARTS[name]
        if options.budget:
            left = options.budget - (time.monotonic() - begin)
            limit = min(limit, left * weight / sum(PARTS[later][2] for later in names[number:]))
        if limit < 8:
            record.skip(name, "no time left in the budget")
            continue
        print(f"== {name}, at most {limit:.0f} s", file=sys.stderr)
        with record.part(name, limit) as steps:
            part(steps, programs, options)


def main():
    options = parse_options()
    if options.table:
        print(tables.text(Record.read(options.table)))
        return 0
    if options.image_size is not None and options.image_size < 1:
        print("gpu_suite: --image-size must be positive", file=sys.stderr)
        return 2
    if options.data and not pathlib.Path(options.data).is_dir():
        print(f"gpu_suite: --data {options.data} is no folder", file=sys.stderr)
        return 2
    if not options.self_test:
        return run(options, options.results)
    options.device, options.tiny = "emulated", True
    with tempfile.TemporaryDirectory(prefix="cudacards-suite-") as folder:
        return run(options, options.results or folder)


if __name__ == "__main__":
    sys.exit(main())
