#!/usr/bin/env python3
"""Mutation test of the kernels: plants one mistake at a time and asks whether the tests notice.

  tools/mutate_kernels.py --build build [--count 100] [--seed 1] [--only dropout ...] [--list]

A mutant is one changed place in a file of kernels/<operation>/. The operation's files are compiled for the emulator with
the change, linked in place of the right ones, and the operation's tests run against them. A mutant that does not compile is
replaced by another. Printed: every survivor with its line, and the score. Exit code 1 below --least (0.95).

Mutants that change nothing that can be observed are listed in tools/equivalent_mutants.txt, with the reason, and left out.
"""

import argparse
import json
import os
import pathlib
import random
import re
import shlex
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
LIBRARY = "libcudacards_emulated.so"

# (name, pattern, replacement): the mistakes that people make in kernels.
OPERATORS = [
    ("dropped barrier", r"__syncthreads\(\);", ";"),
    ("dropped warp barrier", r"__syncwarp\([^;]*\);", ";"),
    ("wait for one group too few", r"async_wait<(\w+)>\(\)", r"async_wait<\1 + 1>()"),
    ("bound + 1", r" < ", " <= "),
    ("bound - 1", r" <= ", " < "),
    ("bound + 1", r" >= ", " > "),
    ("bound - 1", r" > ", " >= "),
    ("lost mask", r"\bif \((?!constexpr)([^;{}]*)\) (return|continue|break)", r"if (false && (\1)) \2"),
    ("lost guard", r"\bif \((?!constexpr)([^;{}]*)\) (?!return|continue|break)", r"if (true || (\1)) "),
    ("lost guard", r" && ", " || "),
    ("swapped index", r"\b(threadIdx|blockIdx)\.x", r"\1.y"),
    ("swapped index", r"\b(threadIdx|blockIdx)\.y", r"\1.x"),
    ("wrong stride", r"\bp\.w\b", "p.h"),
    ("wrong stride", r"\bp\.h\b", "p.w"),
    ("wrong stride", r"\bp\.c\b", "p.k"),
    ("wrong stride", r"\bp\.k\b", "p.c"),
    ("wrong stride", r"\bp\.q\(\)", "p.p()"),
    ("wrong stride", r"\bp\.p\(\)", "p.q()"),
    ("sign", r" \+ ", " - "),
    ("sign", r" - ", " + "),
    ("wrong operation", r" \* ", " + "),
    ("wrong start", r"= 0;", "= 1;"),
    ("wrong start", r"= 0\.0f", "= 1.0f"),
    ("negated", r" == ", " != "),
    ("swapped choice", r"GradMode::kAccumulate", "GradMode::kOverwrite"),
]


def mutable_lines(text):
    """Numbers of the lines that hold code: no comments, directives, assertions or messages."""
    for number, line in enumerate(text.split("\n")):
        code = line.split("//")[0]
        stripped = code.strip()
        if not stripped or stripped.startswith(("#", "static_assert", "namespace", "using", "template", "///")):
            continue
        if '"' in code:
            continue
        yield number, code


def mutants_of(path):
    text = path.read_text()
    lines = text.split("\n")
    for number, code in mutable_lines(text):
        for name, pattern, replacement in OPERATORS:
            for match in re.finditer(pattern, code):
                changed = code[: match.start()] + re.sub(pattern, replacement, match.group(0), count=1) + code[match.end():]
                if changed != code:
                    yield {"path": path, "line": number + 1, "name": name, "before": lines[number].strip(),
                           "after": changed.strip(), "text": "\n".join(lines[:number] + [changed] + lines[number + 1:])}


def suites_of(operation):
    """A GoogleTest filter of the suites in the test files that include the operation's headers."""
    suites = set()
    for path in sorted((ROOT / "tests/kernels").glob("*.cpp")):
        text = path.read_text()
        if f'"kernels/{operation}/' in text:
            suites.update(re.findall(r"\bTEST(?:_F|_P)?\((\w+),", text))
    return ":".join(f"*{suite}.*" for suite in sorted(suites))


class Builder:
    def __init__(self, build, folder):
        self.build, self.folder = build, folder
        self.compile = {}
        for entry in json.loads((build / "compile_commands.json").read_text()):
            if "cudacards_emulated.dir" in entry["command"] and entry["file"].endswith(".cu"):
                self.compile[pathlib.Path(entry["file"])] = (entry["command"], entry["directory"])
        target = f"kernels/simt/emulator/{LIBRARY}"
        commands = subprocess.run(["ninja", "-C", build, "-t", "commands", target], text=True, capture_output=True, check=True)
        link = next(line for line in reversed(commands.stdout.splitlines()) if f"-o {target}" in line)
        self.link, self.library = link.removeprefix(": && ").removesuffix(" && :"), target

    def make(self, mutant):
        """The mutated library, or None where the mutant does not compile."""
        overlay = self.folder / "overlay"
        relative = mutant["path"].relative_to(ROOT)
        changed = overlay / relative
        changed.parent.mkdir(parents=True, exist_ok=True)
        changed.write_text(mutant["text"])
        link = self.link
        try:
            for source, (command, directory) in self.compile.items():
                if source.parent != mutant["path"].parent:
                    continue
                if mutant["path"].suffix == ".cu" and source != mutant["path"]:
                    continue
                arguments = shlex.split(command)
                output = arguments[arguments.index("-o") + 1]
                made = self.folder / (source.stem + ".o")
                arguments[arguments.index("-o") + 1] = str(made)
                arguments[arguments.index("-c") + 1] = str(overlay / source.relative_to(ROOT)) \
                    if source == mutant["path"] else str(source)
                arguments.insert(1 if "ccache" not in arguments[0] else 2, f"-I{overlay}")
                if subprocess.run(arguments, cwd=directory, capture_output=True).returncode != 0:
                    return None
                link = link.replace(output, str(made))
        finally:
            changed.unlink()
        library = self.folder / LIBRARY
        link = link.replace(f"-o {self.library}", f"-o {library}")
        linked = subprocess.run(link, shell=True, cwd=self.build, capture_output=True)
        return library if linked.returncode == 0 else None


def survives(build, library, suites, timeout):
    environment = dict(os.environ, LD_PRELOAD=str(library), OMP_WAIT_POLICY="passive")
    try:
        run = subprocess.run([build / "tests/kernels/test_kernels_emulated", f"--gtest_filter={suites}", "--gtest_fail_fast"],
                             env=environment, capture_output=True, timeout=timeout)
    except subprocess.TimeoutExpired:
        return False
    return run.returncode == 0


def equivalents():
    path = ROOT / "tools/equivalent_mutants.txt"
    known = set()
    for line in path.read_text().splitlines() if path.exists() else []:
        if line.strip() and not line.startswith("#"):
            known.add(tuple(part.strip() for part in line.split(" | ")[:3]))  # file, before, after
    return known


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--build", type=pathlib.Path, default=ROOT / "build")
    parser.add_argument("--count", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", nargs="*", help="operations (folders of kernels/)")
    parser.add_argument("--least", type=float, default=0.95)
    parser.add_argument("--timeout", type=float, default=300, help="seconds for one mutant's tests; longer counts as noticed")
    parser.add_argument("--list", action="store_true", help="only say how many mutants there are")
    options = parser.parse_args()
    options.build = options.build.resolve()

    candidates = []
    for folder in sorted((ROOT / "kernels").iterdir()):
        if folder.name in ("base", "simt") or not any(folder.glob("*.cu")) or (options.only and folder.name not in options.only):
            continue
        for path in sorted(list(folder.glob("*.cu")) + list(folder.glob("*.h")) + list(folder.glob("*.cuh"))):
            candidates += list(mutants_of(path))
    known = equivalents()
    candidates = [m for m in candidates if (str(m["path"].relative_to(ROOT)), m["before"], m["after"]) not in known]
    print(f"{len(candidates)} possible mutants")
    if options.list:
        return 0
    random.Random(options.seed).shuffle(candidates)

    tried = killed = 0
    survivors = []
    with tempfile.TemporaryDirectory() as folder:
        builder = Builder(options.build, pathlib.Path(folder))
        for mutant in candidates:
            if tried == options.count:
                break
            suites = suites_of(mutant["path"].parent.name)
            library = builder.make(mutant) if suites else None
            if library is None:
                continue
            tried += 1
            place = f'{mutant["path"].relative_to(ROOT)}:{mutant["line"]}'
            if survives(options.build, library, suites, options.timeout):
                survivors.append(mutant)
                print(f'SURVIVED {place} {mutant["name"]}\n  - {mutant["before"]}\n  + {mutant["after"]}', flush=True)
            else:
                killed += 1
                print(f'killed   {place} {mutant["name"]}', flush=True)
    score = killed / tried if tried else 1.0
    print(f"{killed} of {tried} mutants killed: {score:.1%}")
    return 0 if score >= options.least else 1


if __name__ == "__main__":
    sys.exit(main())
