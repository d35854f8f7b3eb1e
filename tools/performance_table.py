#!/usr/bin/env python3
"""README's performance table, made of the newest results in bench/results; no figure in it is written by hand.

  tools/performance_table.py           rewrites it
  tools/performance_table.py --check   says whether it is up to date; exit code 1 where it is not

Of the CPU the newest cpu-<what>-<date>-<commit>.json of each line (bench/compare_cpu.py), of the GPU the newest
gpu-<device>-<date>-<commit>.json that has figures against PyTorch (tools/gpu_suite.py). What is not there is "not measured yet".
"""

import argparse
import json
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
BEGIN, END = "<!-- made by `make performance-table`", "<!-- end of the performance table -->"
# <what> of the file's name, and in words.
CPU_SUBJECTS = {"cnn": "cnn training step", "mlp": "mlp training step",
                "mobilenetv2-0.35": "mobilenetv2 0.35 training step", "mobilenetv2-0.35-128px": "mobilenetv2 0.35 training step at 128 px",
                "mobilenetv2-0.35-infer": "mobilenetv2 0.35 inference", "mobilenetv2-0.35-infer-batch1": "mobilenetv2 0.35 inference"}
NOT_MEASURED = "not measured yet"
PEERS = {"pytorch": "PyTorch", "keras": "Keras", "onnxruntime": "ONNX Runtime"}
DATE = "[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]"


def newest(folder, pattern, has_figures=lambda data: True):
    """By the date in it, then by its name: (path, data) or None."""
    found = [(path, json.loads(path.read_text(encoding="utf-8"))) for path in sorted(folder.glob(pattern))]
    found = [(path, data) for path, data in found if has_figures(data)]
    return max(found, key=lambda entry: (entry[1]["date"], entry[0].name), default=None)


def milliseconds(value):
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}" if value >= 1 else f"{value:.3f}"


def row(*cells):
    return f"| {' | '.join(cells)} |"


def against(theirs, ours):
    """A peer's cell: its time, its precision where that is another, its time over ours."""
    if theirs is None:
        return "-"
    other = "" if theirs["precision"] == ours["precision"] else f" ({theirs['precision']})"
    return f"{milliseconds(theirs['ms_per_step'])} ms{other}, {theirs['ms_per_step'] / ours['ms_per_step']:.2f}x"


def cpu_rows(folder):
    rows, blank = [], ["" for _ in PEERS] + [""]
    for subject, words in CPU_SUBJECTS.items():
        result = newest(folder, f"cpu-{subject}-{DATE}-*.json")
        if result is None:
            rows.append(row(f"{words}, CPU", "", NOT_MEASURED, *blank))
            continue
        data = result[1]
        by_program = {(r["program"], r["precision"]): r for r in data["results"]}
        where = f"{data['device']['cpu']}, {data['device']['threads']} threads, {data['date']}"
        for precision in ("fp32", "bf16"):
            ours = by_program.get(("cudacards", precision))
            if ours is None:
                rows.append(row(f"{words}, {precision}, CPU", where, NOT_MEASURED, *blank))
                continue
            # ONNX Runtime has the file's own precision alone.
            peers = [by_program.get((peer, precision), by_program.get((peer, "fp32")) if peer == "onnxruntime" else None) for peer in PEERS]
            memory = [f"1/{theirs['peak_rss_bytes'] / ours['peak_rss_bytes']:.1f}" for theirs in peers if theirs is not None]
            rows.append(row(f"{words}, batch {ours['rounds'][-1]['batch']}, {precision}", where, f"{milliseconds(ours['ms_per_step'])} ms",
                            *(against(theirs, ours) for theirs in peers), " and ".join(memory)))
    return rows


def problems_of(data):
    return [problem for step in data["parts"].get("peers", {}).get("steps", {}).values() for problem in step.get("problems", [])]


def gpu_table(folder):
    result = newest(folder, "gpu-*.json", lambda data: any(problem["ratios"] for problem in problems_of(data)))
    if result is None:
        return [f"On a GPU: {NOT_MEASURED}. On a machine that has one, `make gpu-suite` measures it (docs/gpu-suite.md)."]
    path, data = result
    problems = problems_of(data)
    names = list(dict.fromkeys(r["name"] for problem in problems for r in problem["results"] if r["name"] != "cudacards"))
    lines = [f"On {data['device']['name']} ({data['date']}, commit {data['commit']}; `bench/results/{path.name}`); in brackets its time "
             "over that of cudacards:", "", row("step", "cudacards", *names), "|---|" + "---|" * (len(names) + 1)]
    for problem in problems:
        ms = {r["name"]: r["ms_per_step"] for r in problem["results"]}
        if "cudacards" not in ms:
            continue
        what = "training step" if problem["mode"] == "train" else "inference"
        lines.append(row(f"{problem['arch']} {what}, batch {problem['batch']}, {problem['precision']}", f"{milliseconds(ms['cudacards'])} ms",
                         *(f"{milliseconds(ms[name])} ms ({problem['ratios'][name]:.2f}x)" if name in ms else "-" for name in names)))
    return lines


def table(folder):
    return "\n".join([
        f"{BEGIN} from bench/results; do not edit -->",
        row("on the CPU", "measured on", "cudacards", *(f"{name} (its time over ours)" for name in PEERS.values()),
            "memory against each"),
        "|---|---|---|" + "---|" * (len(PEERS) + 1), *cpu_rows(folder), "",
        "A peer's time is that of the fastest of its variants (layout, compilation, allocator), each in its own process, in alternation:",
        "`bench/compare_cpu.py`. bench/README.md says how to measure and how to read.", "", *gpu_table(folder), END])


def with_table(text, made):
    pattern = re.compile(re.escape(BEGIN) + ".*?" + re.escape(END), re.S)
    if len(pattern.findall(text)) != 1:
        sys.exit(f"performance_table: README.md must have one table between \"{BEGIN} ...\" and \"{END}\"")
    return pattern.sub(lambda _: made, text)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--check", action="store_true", help="change nothing; exit code 1 where the table is not up to date")
    parser.add_argument("--readme", type=pathlib.Path, default=ROOT / "README.md")
    parser.add_argument("--results", type=pathlib.Path, default=ROOT / "bench" / "results")
    options = parser.parse_args()
    before = options.readme.read_text(encoding="utf-8")
    after = with_table(before, table(options.results))
    if options.check and after != before:
        sys.exit("performance_table: README.md's performance table is not what bench/results gives: make performance-table")
    if after != before:
        options.readme.write_text(after, encoding="utf-8")


if __name__ == "__main__":
    main()
