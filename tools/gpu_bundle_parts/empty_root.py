"""Starts a bundle's programs where there is nothing else: an empty root with the C library, its loader and /proc, by chroot."""

import os
import pathlib
import re
import shutil
import subprocess
import tempfile

from .libraries import OF_THE_SYSTEM, Failed, loaded, run

FAKES = pathlib.Path(__file__).resolve().parent.parent.parent / "tests" / "fakes"
WHEELS = "usr/lib/python3/dist-packages/nvidia"  # where Debian's python3 keeps them; the program looks there on any machine


def change_root(root):
    """By root, or in a user's own namespace. With /proc, which every system has: the loader asks it where a program lies."""
    user = [] if os.geteuid() == 0 else ["--user", "--map-root-user"]
    return [shutil.which("unshare") or "/usr/bin/unshare", *user, "--pid", "--fork", f"--mount-proc={root}/proc",
            shutil.which("chroot") or "/usr/sbin/chroot", str(root)]


def is_permitted():
    """Whether this user may change the root, here."""
    with tempfile.TemporaryDirectory() as folder:
        (pathlib.Path(folder) / "proc").mkdir()
        try:
            done = subprocess.run([*change_root(folder), "/none"], capture_output=True, text=True, check=False, timeout=60)
        except OSError:
            return False
        # chroot's own answer where there is nothing to start.
        return done.returncode == 127 and "/none" in done.stderr


class EmptyRoot:
    def __init__(self, archive, folder):
        self.root = pathlib.Path(folder)
        run(["tar", "-C", self.root, "-xf", archive])
        self.bundle = next(self.root.iterdir())
        (self.root / "proc").mkdir()
        for program in (self.bundle / "bin").iterdir():
            self.add_c_library(program)

    def add_c_library(self, program):
        for name, path in loaded(program).items():
            if path is None:
                raise Failed(f"{name}, which {program.name} needs, is neither in the bundle nor on this system")
            if self.root in path.parents:
                continue
            if not OF_THE_SYSTEM.match(name):
                raise Failed(f"{name}, which {program.name} needs, is taken from this system: {path}")
            target = self.root / str(path).lstrip("/")
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(path.resolve(), target)

    def files_of_the_system(self):
        return sorted(path.name for path in self.root.rglob("*") if path.is_file() and self.bundle not in path.parents)

    def start(self, program, *words):
        """(exit code, standard output, standard error), in an empty environment."""
        done = subprocess.run([*change_root(self.root), f"/{self.bundle.name}/bin/{program}", *words], capture_output=True, text=True,
                              check=False, timeout=600, env={"OMP_WAIT_POLICY": "passive"})
        return done.returncode, done.stdout, done.stderr

    def expect(self, code, says, program, *words):
        """The output where the program leaves with this code and prints what matches; told on standard output."""
        found, out, err = self.start(program, *words)
        print(f"  {program} {' '.join(words)}: exit code {found}")
        if found != code or not re.search(says, out + err):
            raise Failed(f"in an empty root {program} {' '.join(words)} left with code {found}, expected {code} and /{says}/\n{out}{err}")
        return out, err


def build_fake(source, folder, name, version):
    """A library that has NVIDIA's names and says a version."""
    folder.mkdir(parents=True)
    run(["c++", "-shared", "-fPIC", "-nostdlib", f"-DFAKE_VERSION={version}", FAKES / source, "-o", folder / name])


def check_programs(root):
    """They start and say what can be had without a GPU."""
    root.expect(0, "^cudacards|[0-9]+[.][0-9]+", "cudacards", "--version")
    root.expect(0, "train +Train a model", "cudacards", "--help")
    root.expect(0, "GPU +none: no CUDA driver", "cudacards", "doctor")
    _, err = root.expect(1, "no CUDA driver", "cudacards", "train", "--device", "cuda")
    if len(err.splitlines()) != 1:
        raise Failed(f"without a GPU `train --device cuda` should say why in one line, and said\n{err}")
    for program in sorted(path.name for path in (root.bundle / "bin").iterdir()):
        if program.startswith("test_"):
            root.expect(0, r"^\w+[./]", program, "--gtest_list_tests")
        elif program != "cudacards":
            root.expect(0, "--device", program, "--help")


def check_cpu(root):
    """Everything but a GPU's work is done on the processor."""
    root.expect(0, "", "cudacards", "data", "make", "/deck", "--per-class", "2", "--size", "32")
    root.expect(0, "/run", "cudacards", "train", "/deck", "--arch", "cnn", "--image-size", "16", "--epochs", "1", "--device", "cpu", "--quiet",
                "--out", "/run")
    root.expect(0, "samples", "cudacards", "eval", "/run", "--data", "/deck", "--split", "test", "--json")
    picture = next((root.root / "deck/test").rglob("*.jpg")).relative_to(root.root)
    root.expect(0, "ace|of|joker", "cudacards", "predict", "/run", f"/{picture}")


def check_libraries(root, cuda_major):
    """cuDNN and cuBLASLt are found where Python's packages put them."""
    root.expect(0, r"cuDNN +no: libcudnn\.so\.9 not found", "cudacards", "doctor")
    build_fake("cudnn.cpp", root.root / WHEELS / "cudnn/lib", "libcudnn.so.9", 90500)
    build_fake("cublaslt.cpp", root.root / WHEELS / f"cu{cuda_major}/lib", f"libcublasLt.so.{cuda_major}", cuda_major * 10000 + 100)
    out, _ = root.expect(0, rf"cuDNN +9\.5\.0 \(/{WHEELS}/cudnn/lib/libcudnn\.so\.9\)", "cudacards", "doctor")
    if not re.search(rf"cuBLASLt +{cuda_major}\.1\.0 \(/{WHEELS}/cu{cuda_major}/lib", out):
        raise Failed(f"cuBLASLt is not found where Python's packages put it\n{out}")
