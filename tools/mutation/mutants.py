"""The mistakes that people make in kernels, and the places of kernels/ where one can be made."""

import collections
import dataclasses
import fnmatch
import hashlib
import math
import pathlib
import re

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
# Not operations: what kernels are written in has tests of its own, with faults planted by hand (tests/kernels/emulator).
NOT_OPERATIONS = ("base", "simt")


def swap(a, b, kind):
    """Both ways round, as whole words."""
    return [(kind, rf"\b{re.escape(one)}\b", other) for one, other in ((a, b), (b, a))]


# (kind, pattern, replacement)
OPERATORS = [
    ("dropped barrier", r"__syncthreads\(\);", ";"),
    ("dropped barrier", r"__syncwarp\([^;]*\);", ";"),
    ("dropped wait", r"async_wait<(\w+)>\(\)", r"async_wait<\1 + 1>()"),
    ("bound +- 1", r" < ", " <= "),
    ("bound +- 1", r" <= ", " < "),
    ("bound +- 1", r" >= ", " > "),
    ("bound +- 1", r" > ", " >= "),
    ("bound +- 1", r" \+ 1\b", " + 2"),
    ("bound +- 1", r" - 1\b", " - 2"),
    ("lost mask", r"\bif \((?!constexpr)([^;{}]*)\) (return|continue|break)", r"if (false && (\1)) \2"),
    ("lost mask", r"\bif \((?!constexpr)([^;{}]*)\) (?!return|continue|break)", r"if (true || (\1)) "),
    ("lost mask", r" && ", " || "),
    ("negated", r" == ", " != "),
    ("negated", r" != ", " == "),
    *swap("threadIdx.x", "threadIdx.y", "swapped index"),
    *swap("blockIdx.x", "blockIdx.y", "swapped index"),
    *swap("p.h", "p.w", "wrong stride"),
    *swap("p.c", "p.k", "wrong stride"),
    *swap("p.r", "p.s", "wrong stride"),
    ("wrong stride", r"\.q\(\)", ".p()"),
    ("wrong stride", r"\.p\(\)", ".q()"),
    *swap("stride_h", "stride_w", "wrong stride"),
    *swap("pad.top", "pad.left", "wrong stride"),
    ("wrong operation", r" \+ ", " - "),
    ("wrong operation", r" - ", " + "),
    ("wrong operation", r" \* ", " + "),
    ("wrong operation", r" / ", " * "),
    ("wrong operation", r" % ", " / "),
    ("wrong operation", r" << ", " >> "),
    ("wrong operation", r" >> ", " << "),
    ("wrong operation", r"\bmin\(", "max("),
    ("wrong operation", r"\bmax\(", "min("),
    ("lost sum", r" \+= ", " = "),
    ("wrong start", r"= 0;", "= 1;"),
    ("wrong start", r"= 0\.0f", "= 1.0f"),
    ("swapped choice", r"GradMode::kAccumulate", "GradMode::kOverwrite"),
    ("swapped choice", r"GradMode::kIgnore", "GradMode::kOverwrite"),
]


@dataclasses.dataclass(frozen=True)
class Mutant:
    path: pathlib.Path  # absolute
    line: int           # from 1
    kind: str
    before: str         # the line, without the blanks around it
    after: str
    removed: str        # of the line, and what is there instead
    added: str
    text: str = dataclasses.field(repr=False)  # the whole changed file

    @property
    def family(self):
        return self.path.parent.name

    @property
    def file(self):
        return str(self.path.relative_to(ROOT))

    @property
    def key(self):
        return hashlib.sha256(f"{self.file}\n{self.text}".encode()).hexdigest()[:12]


def is_endless(code, match, kind):
    """`for (...; i = n)`: every test notices."""
    return kind == "lost sum" and "for (" in code[:match.start()] and code[:match.start()].count(";") == 2


def code_lines(text):
    """(number, code) of the lines to change: no comments, directives, declarations of templates or messages."""
    for number, line in enumerate(text.split("\n")):
        code = line.split("//")[0]
        stripped = code.strip()
        if stripped and '"' not in code and not stripped.startswith(("#", "static_assert", "namespace", "using", "template")):
            yield number, code


def mutants_of(path):
    text = path.read_text()
    lines = text.split("\n")
    for number, code in code_lines(text):
        for kind, pattern, replacement in OPERATORS:
            for match in re.finditer(pattern, code):
                added = match.expand(replacement)
                changed = code[:match.start()] + added + code[match.end():]
                if changed != code and not is_endless(code, match, kind):
                    yield Mutant(path, number + 1, kind, code.strip(), changed.strip(), match.group(0), added,
                                 "\n".join(lines[:number] + [changed] + lines[number + 1:]))


def families():
    return sorted(f.name for f in (ROOT / "kernels").iterdir() if f.is_dir() and f.name not in NOT_OPERATIONS)


def all_mutants(only=None):
    """Every mutant once, by family."""
    found = {}
    for family in only or families():
        seen = {}
        for path in sorted((ROOT / "kernels" / family).glob("*")):
            if path.suffix in (".cu", ".cuh", ".h"):
                for mutant in mutants_of(path):
                    seen.setdefault(mutant.key, mutant)
        found[family] = list(seen.values())
    return found


def drawn(seed, *what):
    """A number for what is drawn, the same whatever else there is to draw: an edit elsewhere leaves the order as it was."""
    return hashlib.sha256("\n".join(map(str, (seed, *what))).encode()).hexdigest()


def in_order(mutants_by_family, seed):
    """An order whose every beginning is spread: over the families by the square root of their size, so that small ones are
    seen and large ones seen more often, and within a family over the kinds of mistake in turn."""
    ranked = []
    for family, mutants in sorted(mutants_by_family.items()):
        kinds = collections.defaultdict(list)
        for mutant in mutants:
            kinds[mutant.kind].append(mutant)
        for of_kind in kinds.values():
            of_kind.sort(key=lambda m: (drawn(seed, m.file, m.before, m.after), m.line))
        turns = [kinds[kind] for kind in sorted(kinds, key=lambda kind: drawn(seed, family, kind))]
        in_turn = [of_kind[i] for i in range(max(map(len, turns), default=0)) for of_kind in turns if i < len(of_kind)]
        ranked += [((i + 0.5) / math.sqrt(len(mutants)), mutant) for i, mutant in enumerate(in_turn)]
    return [mutant for _, mutant in sorted(ranked, key=lambda entry: entry[0])]


@dataclasses.dataclass
class Equivalent:
    """A line of equivalent_mutants.txt: one changed line, or with "..." around it one change wherever a file has it."""
    file: str
    before: str
    after: str
    reason: str
    used: int = 0

    def is_of(self, mutant):
        if not fnmatch.fnmatch(mutant.file, self.file):
            return False
        if self.before.startswith("... "):
            return (f"... {mutant.removed.strip()} ...", f"... {mutant.added.strip()} ...") == (self.before, self.after)
        return (mutant.before, mutant.after) == (self.before, self.after)


def read_equivalents(path):
    known = []
    for line in path.read_text().splitlines():
        if line.strip() and not line.startswith("#"):
            known.append(Equivalent(*(part.strip() for part in line.split(" | "))))
    return known


def is_equivalent(mutant, known):
    """Marks what is used."""
    of = [entry for entry in known if entry.is_of(mutant)]
    for entry in of:
        entry.used += 1
    return bool(of)
