"""Whether a step can be captured as one graph, gives the same bytes then, and whether runs repeat and resume byte for byte: with the
kernels of this project and with the vendor's."""

import contextlib
import os
import signal
import subprocess
import time

from .bench import VENDORS
from .runs import Runs, sha256

FAMILIES = ("hand", "vendor")


def read_step(output):
    """What `step` printed."""
    found = output.object()
    return {key: found[key] for key in ("ms_per_step", "first_loss", "last_loss", "implementations")}


def step_command(programs, options, family, precision, replay):
    size = ["--arch", "mlp", "--batch", "2", "--image-size", "8"] if options.tiny else ["--arch", "cnn", "--batch", "32"]
    return [programs["step"], "--device", options.device, *size, "--precision", precision, "--impl", family, "--warmup", "3", "--steps",
            "2" if options.tiny else "10", *(["--unfused"] if family == "vendor" else []), *(["--calls"] if replay == "calls" else [])]


def capture(steps, programs, options, family, precision):
    """The same steps from the same weights, replayed as one graph and call by call: the losses must be the same to the last bit. False
    where nothing of that family runs here."""
    found = {}
    for replay in ("graph", "calls"):
        name = f"step, {family}, {precision}, {replay}"
        found[replay] = steps.run(name, step_command(programs, options, family, precision, replay), limit=60, parse=read_step)
        if found[replay]["status"] != "ok":
            return True
    of_vendor = sorted(node for node, name in found["graph"]["implementations"].items() if name.startswith(VENDORS))
    name = f"capture, {family}, {precision}"
    if family == "vendor" and not of_vendor:
        steps.skip(name, "no node by a vendor's library here: doctor says why")
        return False
    losses = {replay: [step["first_loss"], step["last_loss"]] for replay, step in found.items()}
    same = losses["graph"] == losses["calls"]
    steps.keep(name, {"status": "ok" if same else "failed", "losses": losses, "nodes_of_the_vendor": of_vendor,
                      **({} if same else {"text": f"a replayed graph gives other losses than the same calls: {losses}"})})
    return True


def short(runs, name, family, *words, seed=7):
    """Two epochs, of small pictures."""
    return runs.command(name, "--epochs", "2", "--seed", str(seed), "--impl", family, *([] if runs.options.tiny else ["--image-size", "96"]),
                        *words)


def repeat(steps, runs, family):
    """The same command twice gives the same bytes; another seed gives others."""
    names = {f"once {family}": 7, f"twice {family}": 7, f"other {family}": 8}
    for name, seed in names.items():
        if steps.run(f"train {name}", short(runs, name, family, seed=seed), limit=90)["status"] != "ok":
            return
    once, twice, other = hashes = [sha256(runs.folder / name / "last.safetensors") for name in names]
    wrong = ""
    if once != twice:
        wrong = "two runs of the same command have different bytes"
    elif once == other:
        wrong = "another seed gives the same bytes"
    steps.keep(f"repeat {family}", {"status": "failed" if wrong else "ok", "sha256": dict(zip(names, hashes)),
                                    **({"text": wrong} if wrong else {})})


def interrupted(command, checkpoint):
    """Starts the run and stops it as Ctrl-C does once it has saved a step. False where it was over before."""
    process = subprocess.Popen(list(map(str, command)), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
    deadline = time.monotonic() + 60
    saved = set()  # the first is from before the first step
    try:
        while process.poll() is None and time.monotonic() < deadline and len(saved) < 2:
            with contextlib.suppress(FileNotFoundError):
                saved.add(checkpoint.stat().st_mtime_ns)
            time.sleep(0.005)
        stopped = process.poll() is None
        if stopped:
            os.killpg(process.pid, signal.SIGINT)
        process.wait(60)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    return stopped


def resume(steps, runs, family):
    """A run that is stopped in its first epochs and continued ends with the bytes of the run that was not."""
    run, whole = runs.folder / f"resumed {family}", runs.folder / f"once {family}" / "last.safetensors"
    if not whole.exists():
        return steps.skip(f"resume {family}", "there is no uninterrupted run to compare with")
    command = short(runs, run.name, family, "--checkpoint-steps", "1" if runs.options.tiny else "5")
    if not interrupted(command, run / "last.safetensors"):
        return steps.skip(f"resume {family}", "the run was over before it could be stopped")
    done = steps.run(f"continue {family}", [runs.programs["cudacards"], "train", "--resume", run, "--quiet"], limit=120)
    if done["status"] != "ok":
        return None
    hashes = {"once": sha256(whole), "resumed": sha256(run / "last.safetensors")}
    same = hashes["once"] == hashes["resumed"]
    return steps.keep(f"resume {family}", {"status": "ok" if same else "failed", "sha256": hashes,
                                           **({} if same else {"text": "a resumed run's weights differ from the uninterrupted one's"})})


def captures_and_runs(steps, programs, options):
    there = [family for family in FAMILIES if all([capture(steps, programs, options, family, precision) for precision in ("bf16", "fp32")])]
    runs = Runs(steps, programs, options, steps.folder)
    if not runs.draw(per_class=10, size=96):
        return
    for family in there:
        repeat(steps, runs, family)
    for family in there:
        resume(steps, runs, family)
