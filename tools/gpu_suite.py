#!/usr/bin/env python3
"""Everything that needs a GPU, in one command: does it compute the right thing, how fast, against whom.

  tools/gpu_suite.py                          builds what is missing in build-gpu, then all parts
  tools/gpu_suite.py --part bench,peers       some of them
  tools/gpu_suite.py --budget 600             what fits into ten minutes, the most valuable first
  tools/gpu_suite.py --table FILE.json        the tables of an earlier result
  tools/gpu_suite.py --self-test              the suite on this machine without a GPU, tiny, on the emulator: its times mean nothing

Needs CUDA, cmake, ninja and python3 with PyTorch for the peers; from the bundle (make gpu-bundle) only a driver and python3. Each
part has a time limit of its own, stays under 8 minutes, and writes what it found into one file as soon as it is found:
bench/results/gpu-<device>-<date>-<commit>.json. Parts that ran already are replaced, the others stay. What fails is recorded with its
text, and the next thing goes on. Exit code: 0 when all that ran is well, 1 when something failed.

Parts: tests     kernels, operations and plans on the device
       steps     whole steps, with and without replay of one captured graph
       peers     whole steps against PyTorch, alternating
       bench     every layer by every implementation
       train     a real training run; repeats and resumes byte for byte
       sanitize  compute-sanitizer's four tools on one test of each kind
       counters  (by name only) what Nsight Compute counts against what the emulator counts
"""

import argparse
import pathlib
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from gpu_suite_parts import bench, counters, peers, tables, tests, train  # noqa: E402
from gpu_suite_parts.machine import describe  # noqa: E402
from gpu_suite_parts.programs import NoGpu, Programs  # noqa: E402
from gpu_suite_parts.record import Record  # noqa: E402

# In the order of value: what runs, the seconds that it may take, and its weight where a budget has to be shared.
PARTS = {"tests": (tests.kernels_and_plans, 420, 3), "steps": (bench.steps, 150, 2), "peers": (peers.steps, 450, 6),
         "bench": (bench.operations, 450, 5), "train": (train.all_of_it, 420, 3), "sanitize": (tests.sanitize, 450, 2),
         "counters": (counters.against_the_emulator, 240, 1)}
ON_REQUEST = {"counters"}


def parse_options():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--part", default="all", help="all, or parts separated by commas, in the order to be run")
    parser.add_argument("--budget", type=float, default=0, metavar="SECONDS", help="for everything; 0: each part's own limit")
    parser.add_argument("--build", default=None, metavar="DIR", help="build folder (build-gpu; in a bundle: the bundle)")
    parser.add_argument("--device", default="cuda", choices=["cuda", "cpu", "emulated"], help="(%(default)s)")
    parser.add_argument("--tiny", action="store_true", help="sizes that the emulator can stand")
    parser.add_argument("--data", metavar="DIR", help="class folders to train on; default: a deck is drawn")
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
    try:
        programs = Programs.find(options.build, options.device)
        machine = describe(programs, options.device)
    except NoGpu as error:
        print(f"gpu_suite: {error}", file=sys.stderr)
        return 1
    record = Record.open(results or programs.results, machine, programs.commit)
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
    print(tables.text(record.json))
    print(f"written: {record.path}")
    return 0 if record.is_well(names) else 1


def main():
    options = parse_options()
    if options.table:
        print(tables.text(Record.read(options.table)))
        return 0
    if not options.self_test:
        return run(options, options.results)
    options.device, options.tiny = "emulated", True
    with tempfile.TemporaryDirectory(prefix="cudacards-suite-") as folder:
        return run(options, options.results or folder)


if __name__ == "__main__":
    sys.exit(main())
