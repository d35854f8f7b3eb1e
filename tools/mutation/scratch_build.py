"""Builds the emulated kernels and their tests with one file changed, beside an existing build that is only read."""

import json
import os
import pathlib
import re
import resource
import shlex
import shutil
import signal
import subprocess

from mutation.mutants import ROOT

LIBRARY = "libcudacards_emulated.so"
TESTS = "tests/kernels/test_kernels_emulated"
QUIET = {"OMP_WAIT_POLICY": "passive", "OMP_NUM_THREADS": "1"}
# Bytes of address space for a mutant's tests: one that allocates without end must not take the machine. Half of it is what
# the emulator reserves for device memory.
MEMORY = 16 << 30
# A mutant's tests may take this many times as long as the right kernels', and ten seconds; longer counts as noticed.
LONGER = 3


def objects_of(build, folder):
    """{object: set of the project's files that it is made of}, from the dependencies that the build recorded."""
    text = subprocess.run(["ninja", "-C", build, "-t", "deps"], text=True, capture_output=True, check=True).stdout
    objects, files = {}, None
    for line in text.splitlines():
        if line.startswith(" "):
            path = pathlib.Path(os.path.normpath(build / line.strip()))
            if files is not None and path.is_relative_to(ROOT):
                files.add(path)
        else:
            name = line.split(": ")[0]
            files = objects.setdefault(name, set()) if folder in name else None
    return objects


def families_tested_by(source):
    """Whose headers a test includes, or the support header of its family does."""
    texts = [source.read_text()]
    for header in re.findall(r'#include "(tests/kernels/support/\w+\.h)"', texts[0]):
        if not header.endswith("/model_problems.h"):  # the models' problems for every family
            texts.append((ROOT / header).read_text())
    return {family for text in texts for family in re.findall(r'#include "kernels/(\w+)/', text)}


def limits(seconds):
    """Of processor time, so that a busy machine does not count as a mistake that was noticed."""
    def set_limits():
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
        resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds + 5))
    return set_limits


def without_bookkeeping(arguments):
    """A compiler's command without the cache, warnings as errors, and the dependencies that it writes for the build."""
    kept, skip = [], False
    for argument in arguments:
        if skip or argument in ("-MF", "-MT"):
            skip = not skip
        elif argument not in ("-MD", "-Werror") and not argument.endswith("/ccache"):
            kept.append(argument)
    return kept


class ScratchBuild:
    def __init__(self, build, folder):
        self.build, self.folder = build, folder
        self.kernels = objects_of(build, "cudacards_emulated.dir")
        self.tests = objects_of(build, "test_kernels_emulated.dir")
        self.compile = {}
        for entry in json.loads((build / "compile_commands.json").read_text()):
            arguments = shlex.split(entry["command"])
            self.compile[arguments[arguments.index("-o") + 1]] = (arguments, pathlib.Path(entry["file"]))
        self.link = {target: self.link_command(target) for target in (LIBRARY, TESTS)}
        self.folder.mkdir(parents=True, exist_ok=True)
        self.seconds = self.baseline()

    def link_command(self, target):
        commands = subprocess.run(["ninja", "-C", self.build, "-t", "commands", target], text=True, capture_output=True,
                                  check=True).stdout
        for line in reversed(commands.splitlines()):
            for part in line.split(" && "):
                if f"-o {target} " in part:
                    return part
        raise SystemExit(f"mutate_kernels: {self.build} has no command that links {target}")

    def tests_of(self, mutant):
        """{object: its suites} of the tests that look at what the change reaches: its own family and the families of the
        kernels that it is part of."""
        reached = {mutant.family}
        for name, files in self.kernels.items():
            if mutant.path in files:
                reached.add(self.compile[name][1].parent.name)
        tests = {}
        for name in self.tests:
            source = self.compile[name][1]
            if reached & families_tested_by(source):
                tests[name] = re.findall(r"^TEST(?:_F|_P)?\((\w+),", source.read_text(), re.M)
        return tests

    def suites_of(self, mutant):
        return sorted(suite for suites in self.tests_of(mutant).values() for suite in suites)

    def make(self, mutant):
        """(library, tests) with the change in them, or None where it does not compile."""
        place = self.folder / mutant.key
        overlay = place / "source"
        changed = overlay / mutant.file
        changed.parent.mkdir(parents=True, exist_ok=True)
        changed.write_text(mutant.text)
        # The changed file comes first for every include; warnings are not the tests' business.
        extra = [f"-I{overlay}", "-w"]
        made = {}
        # Tests of other families are left out of the program instead of being compiled again.
        kept = self.tests_of(mutant)
        others = [name for name in self.tests if name not in kept and "/support/" not in name]
        for name, files in [*self.kernels.items(), *self.tests.items()]:
            if mutant.path not in files or name in others:
                continue
            arguments, source = self.compile[name]
            output = made[name] = str(place / name.replace("/", "_"))
            arguments = without_bookkeeping(arguments)
            arguments[arguments.index("-o") + 1] = output
            arguments[arguments.index("-c") + 1] = str(changed if source == mutant.path else source)
            if name in self.tests:
                arguments = ["-O1" if a == "-O3" else a for a in arguments]  # compiled once, run once
            first = next(i for i, a in enumerate(arguments) if a.startswith("-"))
            arguments[first:first] = extra
            if subprocess.run(arguments, cwd=self.build, capture_output=True).returncode != 0:
                return None
        library = self.relink(LIBRARY, place, self.kernels, made)
        tests = self.relink(TESTS, place, self.tests, made | dict.fromkeys(others, ""))
        return (library, tests) if library and tests else None

    def relink(self, target, place, objects, made):
        """The target with the objects of `made` in place of its own; its own file where it has none of them."""
        if not any(made.get(name) for name in objects):
            return self.build / target
        output = place / pathlib.Path(target).name
        command = self.link[target].replace(f"-o {target} ", f"-o {output} ")
        for name, replacement in made.items():
            command = command.replace(f" {name} ", f" {replacement} ")
        linked = subprocess.run(command, shell=True, cwd=self.build, capture_output=True)
        return output if linked.returncode == 0 else None

    def clean(self, mutant):
        shutil.rmtree(self.folder / mutant.key, ignore_errors=True)

    def run(self, library, tests, suites):
        """What noticed: the first test that failed, "time" or "crash"; None where all passed."""
        # Quick suites first: most mutants do not get beyond them.
        instances = sorted((seconds, name) for name, seconds in self.seconds.items() if name.split("/")[-1] in suites)
        total, so_far = sum(seconds for seconds, _ in instances), 0
        quick, slow = [], []
        for seconds, name in instances:
            so_far += seconds
            (quick if so_far <= total / 4 else slow).append(name)
        for some in (quick, slow):
            if some and (noticed := self.run_suites(library, tests, some)):
                return noticed
        return None

    def run_suites(self, library, tests, suites):
        environment = dict(os.environ, LD_PRELOAD=str(library), **QUIET)
        chosen = ":".join(f"{suite}.*" for suite in suites)
        seconds = int(LONGER * sum(self.seconds[suite] for suite in suites)) + 10
        run = subprocess.run([tests, f"--gtest_filter={chosen}", "--gtest_fail_fast", "--gtest_brief=1"], env=environment,
                             capture_output=True, text=True, errors="replace", cwd=self.folder, preexec_fn=limits(seconds))
        if run.returncode == 0:
            return None
        if run.returncode == -signal.SIGXCPU:
            return "time"
        failed = re.search(r"^\[  FAILED  \] ([\w/]+\.[\w/]+)", run.stdout, re.M)
        return failed[1] if failed else "crash"

    def baseline(self):
        """{suite: seconds of processor time} of the unchanged kernels' tests, which must pass."""
        report = self.folder / "baseline.json"
        made = max((self.build / target).stat().st_mtime for target in (LIBRARY, TESTS))
        if not report.exists() or report.stat().st_mtime < made:
            self.run_baseline(report)
        tested = json.loads(report.read_text())
        share = tested["processor_seconds"] / float(tested["time"].rstrip("s"))
        return {suite["name"]: share * float(suite["time"].rstrip("s")) for suite in tested["testsuites"]}

    def run_baseline(self, report):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        run = subprocess.run([self.build / TESTS, "--gtest_brief=1", f"--gtest_output=json:{report}"],
                             env=dict(os.environ, **QUIET), capture_output=True, text=True, errors="replace",
                             preexec_fn=limits(seconds=3600))
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        if run.returncode != 0:
            report.unlink(missing_ok=True)
            raise SystemExit(f"mutate_kernels: the unchanged kernels do not pass:\n{run.stdout[-2000:]}")
        tested = json.loads(report.read_text())
        tested["processor_seconds"] = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        report.write_text(json.dumps(tested))
