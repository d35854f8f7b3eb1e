#!/usr/bin/env python3
"""One folder that runs the GPU suite on a machine with an NVIDIA driver and python3, nothing else installed.

  tools/make_gpu_bundle.py                 builds the gpu-bundle preset and writes dist/cudacards-gpu-<commit>.tar.zst
  tools/make_gpu_bundle.py --check FILE    unpacks it into an empty root and starts the program there

In it: the program, the tests and the benchmarks, stripped, for sm_80 and sm_90 and as PTX for what comes after; every shared library that
they need, except the C library, CUDA's and the driver's; the suite; the peers. cuDNN and cuBLASLt are looked for when they are first
used, where Python packages put them too.
"""

import argparse
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from gpu_suite_parts.programs import IN_A_BUILD, OF_A_DEVICE, commit_of  # noqa: E402

ROOT = pathlib.Path(__file__).resolve().parent.parent
LIMIT = 40e6  # bytes of the packed bundle
# The C library and its loader belong to the system that they run on; the driver's and CUDA's libraries to the machine with the GPU.
OF_THE_SYSTEM = re.compile(r"^(ld-linux.*|lib(c|m|dl|rt|pthread|resolv|util|mvec|anl|nss_.*)|libcuda|libcudart|libcudnn.*|libcublas.*|"
                           r"libnvrtc.*|libnvidia.*)\.so")
README = """cudacards {commit}: the GPU suite, ready to run

  python3 gpu_suite.py                        all parts, each under 8 minutes
  python3 gpu_suite.py --budget 600           what fits into ten minutes, the most valuable first
  python3 gpu_suite.py --part tests,peers     some parts; --help lists them
  bin/cudacards train --device cuda           and everything else that the program does

Needs an NVIDIA driver for CUDA {cuda} or later, x86-64 with AVX2, glibc {glibc} or later, python3; PyTorch for the comparison. cuDNN and
cuBLASLt are used where they are found, Python's packages (nvidia-cudnn-cu13, nvidia-cublas) included. Results: results/*.json.
"""


def run(command, **how):
    done = subprocess.run([str(word) for word in command], text=True, check=False, **how)
    if done.returncode != 0:
        sys.exit(f"make_gpu_bundle: {' '.join(map(str, command))} failed with code {done.returncode}\n{done.stderr or ''}")
    return done.stdout


def needed_libraries(program):
    """Paths of the shared libraries that are to be packed."""
    found = set()
    for line in run(["ldd", program], stdout=subprocess.PIPE).splitlines():
        name, arrow, rest = line.strip().partition(" => ")
        if not arrow:
            continue
        if rest.startswith("not found"):
            sys.exit(f"make_gpu_bundle: {program} needs {name}, which is not installed here")
        if not OF_THE_SYSTEM.match(name):
            found.add(pathlib.Path(rest.split(" (")[0]))
    return found


def newest_glibc(files):
    """The highest GLIBC_2.x that any of them asks for."""
    versions = {(2, 0)}
    for file in files:
        for match in re.findall(r"GLIBC_2\.(\d+)", run(["objdump", "-T", file], stdout=subprocess.PIPE)):
            versions.add((2, int(match)))
    return ".".join(map(str, max(versions)))


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
        libraries |= needed_libraries(program)
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
    (bundle / "README").write_text(README.format(commit=commit, cuda=cuda_version(folder), glibc=newest_glibc(binaries)), encoding="utf-8")


def pack(bundle, archive):
    archive.parent.mkdir(exist_ok=True)
    run(["tar", "--owner=0", "--group=0", "--sort=name", "-C", bundle.parent, "-I", "zstd -19 -T0", "-cf", archive, bundle.name])


def check(archive):
    """Unpacks into an empty root with the dynamic loader and the C library beside it, and starts the program there."""
    with tempfile.TemporaryDirectory(prefix="cudacards-root-") as root:
        root = pathlib.Path(root)
        run(["tar", "-C", root, "-xf", archive])
        bundle = next(root.iterdir())
        for line in run(["ldd", bundle / "bin/cudacards"], stdout=subprocess.PIPE).splitlines():
            path = re.search(r"(/\S+) \(0x", line)
            if path and not path.group(1).startswith(str(root)):
                name = pathlib.Path(path.group(1)).name
                if not OF_THE_SYSTEM.match(name):
                    sys.exit(f"make_gpu_bundle: {name} is taken from this system: {path.group(1)}")
                target = root / path.group(1).lstrip("/")
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(pathlib.Path(path.group(1)).resolve(), target)
        print(f"in an empty root with {', '.join(sorted(p.name for p in root.rglob('*.so*') if 'lib/' in str(p) and bundle not in p.parents))}:")
        for words in (["--version"], ["doctor"], ["train", "--device", "cuda"]):
            done = subprocess.run([*chroot(root), f"/{bundle.name}/bin/cudacards", *words], capture_output=True, text=True, check=False)
            print(f"$ cudacards {' '.join(words)}\n{done.stdout}{done.stderr}(exit code {done.returncode})")
            if words[0] != "train" and done.returncode != 0:
                sys.exit("make_gpu_bundle: the program does not start in an empty root")


def chroot(root):
    """By root, or in a user's own namespace."""
    return ["chroot", str(root)] if os.geteuid() == 0 else ["unshare", "--user", "--map-root-user", "chroot", str(root)]


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--build", default=str(ROOT / "build-gpu-bundle"), help="build folder (%(default)s)")
    parser.add_argument("--jobs", default=str(len(os.sched_getaffinity(0))))
    parser.add_argument("--no-build", action="store_true", help="pack what is in the build folder")
    parser.add_argument("--counters", metavar="FILE", help="what the emulator counted, for the suite's part counters")
    parser.add_argument("--check", metavar="FILE", type=pathlib.Path, help="check this bundle and leave")
    options = parser.parse_args()
    if options.check:
        return check(options.check)
    if not options.no_build:
        build(options.build, options.jobs)
    commit = commit_of(ROOT)
    archive = ROOT / "dist" / f"cudacards-gpu-{commit}.tar.zst"
    with tempfile.TemporaryDirectory(prefix="cudacards-bundle-") as folder:
        bundle = pathlib.Path(folder) / f"cudacards-gpu-{commit}"
        stage(options.build, bundle, commit, options.counters)
        pack(bundle, archive)
        unpacked = sum(file.stat().st_size for file in bundle.rglob("*") if file.is_file())
    size = archive.stat().st_size
    print(f"{archive}: {size / 1e6:.1f} MB, {unpacked / 1e6:.1f} MB unpacked")
    if size > LIMIT:
        sys.exit(f"make_gpu_bundle: more than {LIMIT / 1e6:.0f} MB")
    return check(archive)


if __name__ == "__main__":
    sys.exit(main())
