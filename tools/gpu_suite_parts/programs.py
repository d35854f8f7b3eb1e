"""Where the programs are: in a bundle, or in a build folder, which is built first."""

import os
import pathlib
import shutil
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent.parent  # tools/, or the bundle
IN_A_BUILD = {"cudacards": "cudacards", "test_kernels_cuda": "tests/kernels/test_kernels_cuda",
              "test_kernels_emulated": "tests/kernels/test_kernels_emulated", "test_ops": "tests/test_ops",
              "test_graph": "tests/test_graph", "test_train": "tests/test_train", "bench_ops": "bench/bench_ops",
              "bench_step": "bench/bench_step", "step": "bench/step"}
OF_A_DEVICE = {"cuda": [name for name in IN_A_BUILD if name != "test_kernels_emulated"],
               "emulated": [name for name in IN_A_BUILD if name != "test_kernels_cuda"],
               "cpu": [name for name in IN_A_BUILD if not name.startswith("test_kernels")]}


class NoGpu(Exception):
    """What is asked for cannot be run here; the message says why."""


class Programs:
    def __init__(self, folder, is_bundle, commit):
        self.folder, self.is_bundle, self.commit = folder, is_bundle, commit
        root = folder if is_bundle else HERE.parent
        self.root = root
        self.results = root / ("results" if is_bundle else "bench/results")
        self.bench = root / "bench"  # of the Python scripts

    def __getitem__(self, name):
        return self.folder / "bin" / name if self.is_bundle else self.folder / IN_A_BUILD[name]

    def has(self, name):
        return self[name].exists()

    @classmethod
    def find(cls, build, device):
        if build is None and (HERE / "bin" / "cudacards").exists():
            commit = (HERE / "COMMIT").read_text(encoding="utf-8").strip()
            return cls(HERE, True, commit)
        folder = pathlib.Path(build or HERE.parent / "build-gpu").resolve()
        programs = cls(folder, False, commit_of(HERE.parent))
        if build is None or not programs.has("cudacards"):
            make(folder, OF_A_DEVICE[device])
        return programs


def commit_of(root):
    def git(*words):
        return subprocess.run(["git", *words], capture_output=True, text=True, check=False, cwd=root).stdout.strip()
    changed = "-changed" if git("status", "--porcelain", "--untracked-files=no") else ""
    return (git("rev-parse", "--short=12", "HEAD") or "unknown") + changed


def make(folder, targets):
    """The `gpu` preset; compiles for the GPU at hand, or for all that the project knows."""
    missing = [tool for tool in ("cmake", "ninja") if shutil.which(tool) is None]
    if missing:
        raise NoGpu(f"{' and '.join(missing)} missing: install, or use the bundle that `make gpu-bundle` makes elsewhere")
    root = HERE.parent
    for command in (["cmake", "--preset", "gpu", "-B", str(folder)],
                    ["cmake", "--build", str(folder), "-j", str(len(os.sched_getaffinity(0))), "--target",
                     *[pathlib.Path(IN_A_BUILD[name]).name for name in targets]]):
        print("   " + " ".join(command), file=sys.stderr)
        if subprocess.run(command, cwd=root, check=False, stdout=sys.stderr).returncode != 0:
            raise NoGpu(f"building failed: {' '.join(command)}")
