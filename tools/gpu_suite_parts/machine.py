"""What the figures were measured on."""

import glob
import os
import platform
import shutil
import subprocess

from .programs import NoGpu
from .record import run_for

ASKED = ["name", "driver_version", "memory.total", "clocks.max.sm", "clocks.max.memory", "power.limit", "ecc.mode.current"]


FOLDERS = "CUDACARDS_CUDA_LIBRARIES"


def libraries_of_python(python):
    """cuDNN and cuBLAS as PyTorch uses them, so that both are compared with the same: the program is told where they are, unless a
    person has told it already."""
    if os.environ.get(FOLDERS):
        return
    try:
        done = subprocess.run([python, "-c", "import site, sysconfig\n"
                                             "print(sysconfig.get_path('purelib'), *site.getsitepackages(), site.getusersitepackages(), sep='\\n')"],
                              capture_output=True, text=True, check=False, timeout=60)
    except (OSError, subprocess.TimeoutExpired):
        return
    packages = list(dict.fromkeys(done.stdout.splitlines()))
    os.environ[FOLDERS] = ":".join(folder for package in packages for folder in sorted(glob.glob(f"{glob.escape(package)}/nvidia/*/lib")))


def from_nvidia_smi():
    if shutil.which("nvidia-smi") is None:
        return {}
    done = subprocess.run(["nvidia-smi", f"--query-gpu={','.join(ASKED)}", "--format=csv,noheader"], capture_output=True, text=True,
                          check=False, timeout=60)
    if done.returncode != 0 or not done.stdout.strip():
        return {}
    values = [value.strip() for value in done.stdout.splitlines()[0].split(",")]
    return dict(zip((name.replace(".", "_") for name in ASKED), values))


def doctor(programs):
    """`cudacards doctor` as a table; its text where the program does not even start."""
    output = run_for([programs["cudacards"], "doctor"], 60)
    if output.code != 0:
        raise NoGpu(f"{programs['cudacards']} does not start: {output.text.strip()[-500:]}")
    lines = [line.split(None, 1) for line in output.text.splitlines() if " " in line.strip()]
    return output.text, {name: value.strip() for name, value in lines if value}


def describe(programs, kind):
    text, found = doctor(programs)
    machine = {"kind": kind, "name": kind, "processor": found.get("processor", ""), "cores": len(os.sched_getaffinity(0)),
               "system": f"{platform.system()} {platform.release()}", "doctor": text.splitlines(),
               "cuda_libraries": os.environ.get(FOLDERS, "")}
    if kind != "cuda":
        return machine
    gpu = next((line for line in text.splitlines() if line.startswith("GPU")), "")
    if "cuda:0" not in gpu:
        raise NoGpu(f"no GPU: {gpu.partition('none: ')[2].strip() or 'cudacards doctor names none'}")
    machine.update(from_nvidia_smi())
    machine.setdefault("name", gpu.partition("cuda:0: ")[2].partition(",")[0])
    machine["gpu"] = gpu.partition("cuda:0: ")[2]
    if machine["name"] == kind:
        machine["name"] = machine["gpu"].partition(",")[0]
    machine["cuda_of_the_driver"] = next((line.split("CUDA ")[-1] for line in text.splitlines() if line.startswith("CUDA driver")), "")
    return machine
