#!/usr/bin/env python3
"""Mutation test of the kernels: plants one mistake at a time and asks whether the tests notice.

  tools/mutate_kernels.py --build build [--count 120] [--seed 1] [--only dropout ...] [--fresh] [--list]

A mutant is one changed place in a file of kernels/<operation>/. What includes the file is compiled for the emulator with the
change (kernels and tests), in a folder beside the build, and the tests of the operations that it reaches run until the first
that fails. A mutant that does not compile is replaced by the next. The sample is the same for the same seed; every beginning
of it is spread over the operations and the kinds of mistake.

Every verdict goes to <build>/mutation/log.jsonl at once, so that a run can be stopped and taken up again: mutants that were
noticed are not tried again, survivors are when the tests have changed. Printed: every survivor with its line, the score by
operation and by kind. Exit code 1 below --least (0.95).

Mutants that change nothing that a test could observe are listed in tools/equivalent_mutants.txt, with the reason, and left out.
"""

import argparse
import collections
import concurrent.futures
import hashlib
import json
import pathlib
import subprocess
import sys
import threading

from mutation.mutants import ROOT, Mutant, all_mutants, families, in_order, is_equivalent, read_equivalents
from mutation.scratch_build import ScratchBuild

EQUIVALENTS = ROOT / "tools/equivalent_mutants.txt"


def digest_of_tests():
    """Of everything that decides whether a mutant survives, the mutant apart."""
    digest = hashlib.sha256()
    for folder in ("tests/kernels", "tests/support", "kernels"):
        for path in sorted((ROOT / folder).rglob("*")):
            if path.is_file():
                digest.update(path.read_bytes())
    return digest.hexdigest()[:12]


class Log:
    def __init__(self, path, fresh):
        path.parent.mkdir(parents=True, exist_ok=True)
        if fresh:
            path.unlink(missing_ok=True)
        self.verdicts = {}
        for line in path.read_text().splitlines() if path.exists() else []:
            entry = json.loads(line)
            self.verdicts[entry["key"]] = entry
        self.file = path.open("a")
        self.lock = threading.Lock()

    def add(self, entry):
        with self.lock:
            self.verdicts[entry["key"]] = entry
            self.file.write(json.dumps(entry) + "\n")
            self.file.flush()


def judge(mutant, builder, tests):
    """The mutant's line of the log."""
    entry = {"key": mutant.key, "file": mutant.file, "line": mutant.line, "family": mutant.family, "kind": mutant.kind,
             "before": mutant.before, "after": mutant.after, "tests": tests}
    suites = builder.suites_of(mutant)
    if not suites:
        return entry | {"verdict": "survived", "noticed_by": None}
    try:
        built = builder.make(mutant)
        if built is None:
            return entry | {"verdict": "does not compile"}
        noticed = builder.run(*built, suites)
    finally:
        builder.clean(mutant)
    return entry | {"verdict": "survived" if noticed is None else "killed", "noticed_by": noticed}


def control(builder):
    """An unchanged header and kernel, taken the way of a mutant, must survive: else the way itself is what kills."""
    for file in ("kernels/dropout/dropout.h", "kernels/dropout/dropout.cu"):
        path = ROOT / file
        unchanged = Mutant(path, 1, "control", "", "", "", "", path.read_text())
        entry = judge(unchanged, builder, tests="")
        if entry["verdict"] != "survived":
            raise SystemExit(f"mutate_kernels: an unchanged {file} does not survive: {entry}")


def tell(entry):
    place = f'{entry["file"]}:{entry["line"]} {entry["kind"]}'
    if entry["verdict"] == "survived":
        print(f'SURVIVED {place} ({entry["key"]})\n  - {entry["before"]}\n  + {entry["after"]}', flush=True)
    elif entry["verdict"] == "killed":
        print(f'killed   {place}: {entry["noticed_by"]}', flush=True)


def table(entries, by):
    counts = collections.defaultdict(lambda: [0, 0])
    for entry in entries:
        counts[entry[by]][0] += entry["verdict"] == "killed"
        counts[entry[by]][1] += 1
    rows = [f"{name:<16} {killed:>4} of {tried:<4} {killed / tried:6.1%}" for name, (killed, tried) in sorted(counts.items())]
    return "\n".join([f"killed, by {by}", *rows])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", type=pathlib.Path, default=ROOT / "build")
    parser.add_argument("--count", type=int, default=120, help="mutants to try (120)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", nargs="*", choices=families(), metavar="OPERATION", help="folders of kernels/")
    parser.add_argument("--jobs", type=int, default=2, help="mutants side by side (2)")
    parser.add_argument("--least", type=float, default=0.95, help="score below which the exit code is 1 (0.95)")
    parser.add_argument("--fresh", action="store_true", help="forget what was tried before")
    parser.add_argument("--list", action="store_true", help="only say how many mutants there are")
    options = parser.parse_args()

    candidates = all_mutants(options.only)
    known = read_equivalents(EQUIVALENTS)
    # Sampled first, so that another equivalent one does not change the rest of the sample.
    everything = in_order(candidates, options.seed)
    queue = [mutant for mutant in everything if not is_equivalent(mutant, known)]
    gone = [entry for entry in known if entry.used == 0]
    if gone and not options.only:
        print("mutate_kernels: no such mutant any more, take the line out of tools/equivalent_mutants.txt:", file=sys.stderr)
        for entry in gone:
            print(f"  {entry.file} | {entry.before} | {entry.after}", file=sys.stderr)
    if options.list:
        for family, count in sorted(collections.Counter(mutant.family for mutant in queue).items()):
            print(f"{family:<16} {count}")
        print(f"{len(queue)} possible mutants, {len(everything) - len(queue)} equivalent ones left out")
        return 0

    build = options.build.resolve()
    subprocess.run(["cmake", "--build", build, "--target", "test_kernels_emulated"], check=True, stdout=sys.stderr)
    builder = ScratchBuild(build, build / "mutation")
    control(builder)
    log = Log(build / "mutation/log.jsonl", options.fresh)
    tests = digest_of_tests()

    def verdict(mutant):
        before = log.verdicts.get(mutant.key)
        if before and (before["verdict"] != "survived" or before["tests"] == tests):
            return before
        entry = judge(mutant, builder, tests)
        log.add(entry)
        tell(entry)
        return entry

    tried, possible = [], len(queue)
    with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
        while queue and len(tried) < options.count:
            wanted = options.count - len(tried)
            batch, queue = queue[:wanted], queue[wanted:]
            tried += [entry for entry in pool.map(verdict, batch) if entry["verdict"] != "does not compile"]

    survivors = [entry for entry in tried if entry["verdict"] == "survived"]
    for title, by in (("operation", "family"), ("kind", "kind")):
        print(table(tried, by), end="\n\n")
    for entry in survivors:
        tell(entry)
    if earlier := sum(entry["tests"] != tests for entry in tried):
        print(f"{earlier} verdicts are from before the sources changed (--fresh tries all again)")
    killed = len(tried) - len(survivors)
    score = killed / len(tried) if tried else 1.0
    print(f"{killed} of {len(tried)} mutants killed: {score:.1%} (seed {options.seed}, of {possible} possible)")
    return 0 if score >= options.least else 1


if __name__ == "__main__":
    sys.exit(main())
