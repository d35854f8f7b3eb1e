"""What a program needs of the machine that it runs on."""

import pathlib
import re
import subprocess

# The C library and its loader belong to the system that they run on; the driver's and CUDA's libraries to the machine with the GPU.
OF_THE_SYSTEM = re.compile(r"^(ld-linux.*|lib(c|m|dl|rt|pthread|resolv|util|mvec|anl|nss_.*)|libcuda|libcudart|libcudnn.*|libcublas.*|"
                           r"libnvrtc.*|libnvidia.*)\.so")


class Failed(Exception):
    """What went wrong, in one line."""


def run(command, **how):
    """What it printed."""
    done = subprocess.run([str(word) for word in command], text=True, check=False, **how)
    if done.returncode != 0:
        raise Failed(f"{' '.join(map(str, command))} failed with code {done.returncode}\n{done.stderr or ''}")
    return done.stdout


def loaded(program):
    """name -> path of the shared libraries that the loader finds for it; None for what it does not find."""
    found = {}
    for line in run(["ldd", program], stdout=subprocess.PIPE).splitlines():
        name, arrow, rest = line.strip().partition(" => ")
        path = re.match(r"(/\S+) \(0x", rest if arrow else line.strip())
        if path:
            found[pathlib.Path(name.split(" (")[0]).name] = pathlib.Path(path.group(1))
        elif arrow:
            found[name] = None
    return found


def needed(program):
    """Paths of the libraries that are to be packed."""
    paths = set()
    for name, path in loaded(program).items():
        if path is None:
            raise Failed(f"{program} needs {name}, which is not installed here")
        if not OF_THE_SYSTEM.match(name):
            paths.add(path)
    return paths


def newest_glibc(files):
    """The highest GLIBC_2.x that any of them asks for."""
    versions = {(2, 0)}
    for file in files:
        for match in re.findall(r"GLIBC_2\.(\d+)", run(["objdump", "-T", file], stdout=subprocess.PIPE)):
            versions.add((2, int(match)))
    return ".".join(map(str, max(versions)))
