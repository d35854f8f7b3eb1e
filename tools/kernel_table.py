#!/usr/bin/env python3
"""The table of all kernels: what the emulator counted in the tests, and what the assembler gave them.

  tools/kernel_table.py COUNTERS.json [--budget kernels/budget.txt] [--arch sm_90]

COUNTERS.json is written by test_kernels_emulated where CUDACARDS_KERNEL_COUNTERS names it. Sectors and wavefronts are a
request (the accesses of a warp at one instruction), and in brackets as multiples of the least that the bytes need; they come
from the launches that tests count.
"""

import argparse
import json
import pathlib


def budget_of(path, arch):
    table = {}
    for line in path.read_text().splitlines():
        if line.startswith("#") or not line.strip():
            continue
        registers, spills, stack, shared, name = line.split(maxsplit=4)
        if name.startswith(arch + " "):
            table[name.removeprefix(arch + " ").replace(" ", "")] = (int(registers), int(spills))
    return table


def traffic(row, load, store):
    requests, units, needed = (row[load][key] + row[store][key] for key in ("requests", "units", "needed"))
    return f"{units / requests:.2f} ({units / needed:.2f}x)" if requests and needed else "-"


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("counters", type=pathlib.Path)
    parser.add_argument("--budget", type=pathlib.Path, default=pathlib.Path(__file__).parent.parent / "kernels/budget.txt")
    parser.add_argument("--arch", default="sm_90")
    options = parser.parse_args()
    budget = budget_of(options.budget, options.arch)
    rows = json.loads(options.counters.read_text())
    print(f"| kernel | problems | orders | launches | sectors/request | wavefronts/request | registers ({options.arch}) | spills |")
    print("|---|---|---|---|---|---|---|---|")
    for row in rows:
        registers, spills = budget.get(row["kernel"].replace(" ", ""), ("?", "?"))
        print(f'| `{row["kernel"]}` | {row["problems"]} | {row["orders"]} | {row["launches"]} '
              f'| {traffic(row, "global load", "global store")} | {traffic(row, "shared load", "shared store")} '
              f'| {registers} | {spills} |')
    accesses, seconds = (sum(row[key] for row in rows) for key in ("accesses", "seconds"))
    print(f"\n{len(rows)} kernels, {sum(row['launches'] for row in rows)} launches, {accesses / 1e6:.0f} million accesses in "
          f"{seconds:.0f} s: {seconds * 1e9 / max(accesses, 1):.0f} ns an access.")


if __name__ == "__main__":
    main()
