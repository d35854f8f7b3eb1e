"""What Nsight Compute counts on the GPU against what the emulator counted for the same launches: sectors of global memory, wavefronts
of shared memory. One tells that coalescing and bank conflicts are what the tests say they are."""

import csv
import io
import json
import pathlib
import re
import shutil

METRICS = {"global load": ("l1tex__t_requests_pipe_lsu_mem_global_op_ld.sum", "l1tex__t_sectors_pipe_lsu_mem_global_op_ld.sum"),
           "global store": ("l1tex__t_requests_pipe_lsu_mem_global_op_st.sum", "l1tex__t_sectors_pipe_lsu_mem_global_op_st.sum"),
           "shared load": (None, "l1tex__data_pipe_lsu_wavefronts_mem_shared_op_ld.sum"),
           "shared store": (None, "l1tex__data_pipe_lsu_wavefronts_mem_shared_op_st.sum")}
FILTER = "*Traffic*"
KERNELS = 10


def plain(name):
    """A kernel's name without what compilers write differently."""
    name = re.sub(r"\bvoid\b|\bcudacards::|\(anonymous namespace\)::|<unnamed>::|\((?:int|bool|unsigned int|[\w:]+)\)(?=[\w-])|\s+", "",
                  name)
    return name.partition("(")[0]


def from_ncu(text):
    """kernel -> {"launches": n, flow: [requests, units]}."""
    begin = text.find('"ID"')
    kernels = {}
    for row in csv.DictReader(io.StringIO(text[begin:])) if begin >= 0 else ():
        if not (row.get("ID") or "").isdigit():  # the line of units
            continue
        kernel = kernels.setdefault(plain(row["Kernel Name"]), {"launches": 0})
        kernel["launches"] += 1
        for flow, names in METRICS.items():
            totals = kernel.setdefault(flow, [0, 0])
            for i, name in enumerate(names):
                if name is not None:
                    totals[i] += float(row[name].replace(",", ""))
    return kernels


def compared(gpu, emulated):
    rows = []
    for row in emulated:
        there = gpu.get(plain(row["kernel"]))
        if there is None or not there["launches"]:
            continue
        line = {"kernel": row["kernel"], "launches": there["launches"]}
        for flow in METRICS:
            line[flow] = {"gpu": there[flow][1], "emulator": row[flow]["units"], "gpu_requests": there[flow][0],
                          "emulator_requests": row[flow]["requests"]}
        rows.append(line)
    rows.sort(key=lambda line: -sum(line[flow]["emulator"] for flow in METRICS))
    return rows[:KERNELS]


def emulated_counters(steps, programs):
    kept = pathlib.Path(programs.root) / "kernel-counters.json"
    if programs.is_bundle:
        return json.loads(kept.read_text(encoding="utf-8")) if kept.exists() else None
    if not programs.has("test_kernels_emulated"):
        return None
    path = steps.folder / "counters.json"
    steps.run("emulator", [programs["test_kernels_emulated"], f"--gtest_filter={FILTER}"],
              environment={"CUDACARDS_KERNEL_COUNTERS": str(path)}, limit=120)
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else None


def against_the_emulator(steps, programs, options):
    tool = shutil.which("ncu") or shutil.which("/usr/local/cuda/bin/ncu")
    if options.device != "cuda" or tool is None:
        return steps.skip("ncu", "no ncu" if tool is None else "counts on GPUs only")
    emulated = emulated_counters(steps, programs)
    if emulated is None:
        return steps.skip("ncu", "no counters of the emulator to compare with")
    metrics = ",".join(name for names in METRICS.values() for name in names if name)
    step = steps.run("ncu", [tool, "--csv", "--page", "raw", "--clock-control", "none", "--metrics", metrics,
                             programs["test_kernels_cuda"], f"--gtest_filter={FILTER}"],
                     parse=lambda output: {"kernels": compared(from_ncu(output.text), emulated)})
    if step["status"] == "ok" and not step["kernels"]:
        steps.fail("ncu", "no kernel was counted by both", command=step["command"])
    return None
