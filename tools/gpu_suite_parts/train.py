"""A real training run, and whether it repeats and resumes byte for byte."""

import contextlib
import hashlib
import json
import os
import pathlib
import signal
import struct
import subprocess
import tempfile
import time


def sha256(path):
    """Of all tensors of a checkpoint with their names: weights, moments, statistics. The rest of the file holds the run's folder and its
    seconds, which differ."""
    data = pathlib.Path(path).read_bytes()
    length = struct.unpack("<Q", data[:8])[0]
    header, begin = json.loads(data[8:8 + length]), 8 + length
    digest = hashlib.sha256()
    for name in sorted(header.keys() - {"__metadata__"}):
        first, last = header[name]["data_offsets"]
        digest.update(json.dumps([name, header[name]["dtype"], header[name]["shape"]]).encode())
        digest.update(data[begin + first:begin + last])
    return digest.hexdigest()


def epochs_of(run):
    path = pathlib.Path(run) / "metrics.jsonl"
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()] if path.exists() else []


def read_epochs(run):
    def parse(_):
        epochs = epochs_of(run)
        if not epochs:
            return {"status": "failed", "text": "no epoch was finished"}
        seconds = sorted(epoch["seconds"] for epoch in epochs[1:] or epochs)
        return {"epochs": len(epochs), "seconds_per_epoch": seconds[len(seconds) // 2], "first_epoch_seconds": epochs[0]["seconds"],
                "images_per_second": max(epoch["images_per_second"] for epoch in epochs),
                "best_val_accuracy": max(epoch["val_accuracy"] for epoch in epochs), "metrics": epochs}
    return parse


class Training:
    def __init__(self, steps, programs, options, folder):
        self.steps, self.programs, self.options, self.folder = steps, programs, options, pathlib.Path(folder)
        self.data = options.data
        self.arch, self.size = ("mlp", ["--image-size", "8", "--batch", "16"]) if options.tiny else ("cnn", [])

    def command(self, name, epochs, *words):
        return [self.programs["cudacards"], "train", self.data, "--arch", self.arch, "--device", self.options.device, "--quiet", "--out",
                self.folder / name, "--epochs", str(epochs), *self.size, *words]

    def short(self, name, *words, seed=7):
        """Two epochs, of smaller pictures."""
        return self.command(name, 2, "--seed", str(seed), *([] if self.options.tiny else ["--image-size", "96"]), *words)

    def draw(self):
        if self.data:
            return True
        self.data = self.folder / "deck"
        how = ["--per-class", "1", "--size", "32"] if self.options.tiny else ["--per-class", "40"]
        return self.steps.run("draw a deck", [self.programs["cudacards"], "data", "make", self.data, *how], limit=120)["status"] == "ok"

    def learn(self):
        """As a person would train it."""
        run = self.folder / "learn"
        self.steps.run("train", self.command("learn", 1 if self.options.tiny else 20), limit=self.steps.left() * 0.6, parse=read_epochs(run))
        if (run / "best.safetensors").exists():
            self.steps.run("evaluate", [self.programs["cudacards"], "eval", run, "--data", self.data, "--split", "test", "--json"],
                           limit=90, parse=lambda output: {"test": {key: json.loads(output.text.splitlines()[-1])[key]
                                                                    for key in ("samples", "loss", "accuracy")}})

    def repeat(self):
        """The same command twice gives the same bytes; another seed gives others. True where the runs are there."""
        for name, seed in (("once", 7), ("twice", 7), ("other", 8)):
            if self.steps.run(f"train {name}", self.short(name, seed=seed), limit=90)["status"] != "ok":
                return False
        hashes = {name: sha256(self.folder / name / "last.safetensors") for name in ("once", "twice", "other")}
        wrong = ""
        if hashes["once"] != hashes["twice"]:
            wrong = "two runs of the same command have different bytes"
        elif hashes["once"] == hashes["other"]:
            wrong = "another seed gives the same bytes"
        self.steps.keep("repeat", {"status": "failed" if wrong else "ok", "sha256": hashes, **({"text": wrong} if wrong else {})})
        return True

    def resume(self):
        """A run that is stopped in its first epochs and continued ends with the bytes of the run that was not."""
        command = self.short("resumed", "--checkpoint-steps", "1" if self.options.tiny else "5")
        run = self.folder / "resumed"
        process = subprocess.Popen(list(map(str, command)), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
        deadline = time.monotonic() + 60
        saved = set()  # the first is from before the first step
        while process.poll() is None and time.monotonic() < deadline and len(saved) < 2:
            with contextlib.suppress(FileNotFoundError):
                saved.add((run / "last.safetensors").stat().st_mtime_ns)
            time.sleep(0.005)
        stopped = process.poll() is None
        if stopped:
            os.killpg(process.pid, signal.SIGINT)
        process.wait(60)
        if not stopped:
            return self.steps.skip("resume", "the run was over before it could be stopped")
        done = self.steps.run("continue", [self.programs["cudacards"], "train", "--resume", run, "--quiet"], limit=120)
        if done["status"] != "ok":
            return None
        hashes = {name: sha256(self.folder / name / "last.safetensors") for name in ("once", "resumed")}
        same = hashes["once"] == hashes["resumed"]
        self.steps.keep("resume", {"status": "ok" if same else "failed", "sha256": hashes,
                                   **({} if same else {"text": "the weights of a resumed run differ from the uninterrupted one's"})})
        return None


def all_of_it(steps, programs, options):
    with tempfile.TemporaryDirectory(prefix="cudacards-train-") as folder:
        training = Training(steps, programs, options, folder)
        if not training.draw():
            return
        training.learn()
        if training.repeat():
            training.resume()
