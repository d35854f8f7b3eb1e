#!/usr/bin/env python3
"""One folder that runs the GPU suite on a machine with an NVIDIA driver and python3, nothing else installed.

  tools/make_gpu_bundle.py                 builds the gpu-bundle preset and writes dist/cudacards-gpu-<commit>.tar.xz
  tools/make_gpu_bundle.py --check FILE    unpacks it into an empty root and starts the programs there

In it: the program, the tests and the benchmarks, stripped, for sm_80 and sm_90 and as PTX for what comes after; every shared library that
they need, except the C library, CUDA's and the driver's; the suite; the peers. cuDNN and cuBLASLt are looked for when they are first
used, where Python packages put them too. Checking needs the right to change the root (root, or a user's own namespace); without it the
exit code is 77.
"""

import argparse
import ctypes
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from gpu_bundle_parts import empty_root  # noqa: E402
from gpu_bundle_parts.libraries import Failed, needed, newest_glibc, run  # noqa: E402
from gpu_suite_parts.programs import IN_A_BUILD, OF_A_DEVICE, commit_of  # noqa: E402

ROOT = pathlib.Path(__file__).resolve().parent.parent
LIMIT = 40e6  # bytes of the packed bundle
NOT_PERMITTED = 77  # what CTest takes for "skipped"
README = """cudacards {commit}: the GPU suite, ready to run

  python3 gpu_suite.py                        all parts, each under 8 minutes
  python3 gpu_suite.py --budget 540           what fits into nine minutes, the most valuable first
  python3 gpu_suite.py --part tests,peers     some parts; --help lists them
  python3 gpu_suite.py --part train --data DIR --image-size 128    a training run on your own pictures
  bin/cudacards train --device cuda           and everything else that the program does

Needs an NVIDIA driver for CUDA {cuda} or later, x86-64 with AVX2, glibc {glibc} or later, python3; PyTorch for the comparison. cuDNN 9 and
cuBLASLt of CUDA {major} are used where they are found, Python's packages (nvidia-cudnn-cu{major}, nvidia-cublas) included: bin/cudacards doctor
says which. Results: results/*.json, written while the suite runs. To be kept they go into the repository's bench/results, and `make
performance-table` makes README's table of them.
"""


def build(folder, jobs):
    run(["cmake", "--preset", "gpu-bundle", "-B", folder], cwd=ROOT, stdout=sys.stderr)
    targets = [pathlib.Path(IN_A_BUILD[name]).name for name in OF_A_DEVICE["cuda"]]
    run(["cmake", "--build", folder, "-j", jobs, "--target", *targets], cwd=ROOT, stdout=sys.stderr)


def cuda_version(folder):
    cache = (pathlib.Path(folder) / "CMakeCache.txt").read_text(encoding="utf-8")
    compiler = re.search(r"^CUDACARDS_NVCC:\w+=(.*)$", cache, re.M).group(1)
    return re.search(r"release ([\d.]+)", run([compiler, "--version"], stdout=subprocess.PIPE)).group(1)


def stage(folder, bundle, commit, counters):
    """The folder as it will be unpacked."""
    for name in ("bin", "lib", "bench/peers", "results"):
        (bundle / name).mkdir(parents=True)
    libraries = set()
    for name in OF_A_DEVICE["cuda"]:
        program = pathlib.Path(folder) / IN_A_BUILD[name]
        libraries |= needed(program)
        run(["strip", "-o", bundle / "bin" / name, program])
    for library in libraries:
        # Under the name that is asked for; with its symbols for the linker, without the others.
        run(["strip", "--strip-unneeded", "-o", bundle / "lib" / library.name, library.resolve()])
    shutil.copy(ROOT / "tools/gpu_suite.py", bundle)
    shutil.copytree(ROOT / "tools/gpu_suite_parts", bundle / "gpu_suite_parts", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "bench/compare_gpu.py", bundle / "bench")
    for script in (ROOT / "bench/peers").glob("*.py"):
        shutil.copy(script, bundle / "bench/peers")
    shutil.copy(ROOT / "LICENSE", bundle)
    if counters:
        shutil.copy(counters, bundle / "kernel-counters.json")
    (bundle / "COMMIT").write_text(commit + "\n", encoding="utf-8")
    binaries = [*(bundle / "bin").iterdir(), *(bundle / "lib").iterdir()]
    cuda = cuda_version(folder)
    (bundle / "README").write_text(README.format(commit=commit, cuda=cuda, major=cuda.partition(".")[0], glibc=newest_glibc(binaries)),
                                   encoding="utf-8")


def pack(bundle, archive):
    """As xz, which any python3 unpacks. The programs share their kernels: the dictionary is larger than a program."""
    archive.parent.mkdir(parents=True, exist_ok=True)
    run(["tar", "--owner=0", "--group=0", "--sort=name", "-C", bundle.parent, "-I", "xz --lzma2=preset=3,dict=64MiB", "-cf", archive,
         bundle.name])


def make(options):
    """The archive."""
    if not options.no_build:
        build(options.build, options.jobs)
    commit = commit_of(ROOT)
    archive = pathlib.Path(options.out) / f"cudacards-gpu-{commit}.tar.xz"
    with tempfile.TemporaryDirectory(prefix="cudacards-bundle-") as folder:
        bundle = pathlib.Path(folder) / f"cudacards-gpu-{commit}"
        stage(options.build, bundle, commit, options.counters)
        pack(bundle, archive)
        unpacked = sum(file.stat().st_size for file in bundle.rglob("*") if file.is_file())
    size = archive.stat().st_size
    print(f"{archive}: {size / 1e6:.1f} MB, {unpacked / 1e6:.1f} MB unpacked")
    if size > LIMIT:
        raise Failed(f"more than {LIMIT / 1e6:.0f} MB")
    return archive


def check(archive):
    """Exit code. In an empty root by change of root; the suite itself, which is Python, beside this machine's python3."""
    if not archive.is_file():
        raise Failed(f"{archive}: no such file")
    if not empty_root.is_permitted():
        print("make_gpu_bundle: not checked: this user may not change the root (chroot)", file=sys.stderr)
        return NOT_PERMITTED
    with tempfile.TemporaryDirectory(prefix="cudacards-root-") as folder:
        root = empty_root.EmptyRoot(archive, folder)
        print(f"in an empty root with {', '.join(root.files_of_the_system())}:")
        empty_root.check_programs(root)
        empty_root.check_cpu(root)
        cuda = re.search(r"for CUDA (\d+)", (root.bundle / "README").read_text(encoding="utf-8")).group(1)
        empty_root.check_libraries(root, int(cuda))
        check_suite(root.bundle)
    print("the bundle is well")
    return 0


def check_suite(bundle):
    """It says that there is no GPU, and runs on the processor with what the bundle has."""
    try:
        ctypes.CDLL("libcuda.so.1")
    except OSError:
        done = subprocess.run([sys.executable, "gpu_suite.py"], cwd=bundle, capture_output=True, text=True, check=False)
        if done.returncode != 1 or not re.fullmatch(r"gpu_suite: no GPU: .*\n", done.stderr):
            raise Failed(f"without a GPU the suite should say so in one line; code {done.returncode}\n{done.stderr}")
        print(f"  gpu_suite.py: {done.stderr.strip()}, exit code 1")
    words = ["--device", "cpu", "--tiny", "--part", "repeat,peers,train,steps", "--results", bundle / "checked"]
    run([sys.executable, "gpu_suite.py", *words], cwd=bundle, capture_output=True)
    print(f"  gpu_suite.py {' '.join(words[:5])}: exit code 0")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--build", default=str(ROOT / "build-gpu-bundle"), help="build folder (%(default)s)")
    parser.add_argument("--out", default=str(ROOT / "dist"), help="folder of the archive (%(default)s)")
    parser.add_argument("--jobs", default=str(len(os.sched_getaffinity(0))))
    parser.add_argument("--no-build", action="store_true", help="pack what is in the build folder")
    parser.add_argument("--counters", metavar="FILE", help="what the emulator counted, for the suite's part counters")
    parser.add_argument("--check", metavar="FILE", type=pathlib.Path, help="check this bundle and leave")
    options = parser.parse_args()
    try:
        return check(options.check or make(options))
    except Failed as error:
        print(f"make_gpu_bundle: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
