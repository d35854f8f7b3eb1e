"""A real training run, and whether it repeats and resumes byte for byte."""

import hashlib
import json
import os
import pathlib
import signal
import subprocess
import tempfile
import time


def sha256(path):
    return hashlib.sha256(pathlib.Path(path).read_bytes()).hexdigest()


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

    def command(self, name, *words, arch="cnn"):
        common = ["--device", self.options.device, "--quiet", "--out", self.folder / name]
        size = ["--image-size", "16", "--batch", "8"] if self.options.tiny else []
        return [self.programs["cudacards"], "train", self.data, "--arch", arch, *common, *size, *words]

    def draw(self):
        if self.data:
            return True
        self.data = self.folder / "deck"
        how = ["--per-class", "1", "--size", "32"] if self.options.tiny else ["--per-class", "40"]
        return self.steps.run("draw a deck", [self.programs["cudacards"], "data", "make", self.data, *how], limit=120)["status"] == "ok"

    def learn(self):
        """The CNN as a person would train it."""
        words = ["--epochs", "1", "--arch", "mlp"] if self.options.tiny else ["--epochs", "20"]
        arch = "mlp" if self.options.tiny else "cnn"
        run = self.folder / "learn"
        self.steps.run("train", self.command("learn", *words[:2], arch=arch), limit=self.steps.left() * 0.6, parse=read_epochs(run))
        if (run / "best.safetensors").exists():
            self.steps.run("evaluate", [self.programs["cudacards"], "eval", run, "--data", self.data, "--split", "test", "--json"],
                           limit=90, parse=lambda output: {"test": {key: json.loads(output.text.splitlines()[-1])[key]
                                                                    for key in ("samples", "loss", "accuracy")}})

    def short(self, name, epochs, *words):
        arch = "mlp" if self.options.tiny else "cnn"
        size = [] if self.options.tiny else ["--image-size", "96"]
        return self.command(name, "--epochs", str(epochs), "--seed", "7", *size, *words, arch=arch)

    def repeat(self):
        """The same command twice gives the same bytes; another seed gives others."""
        for name in ("once", "twice"):
            if self.steps.run(f"train {name}", self.short(name, 2), limit=90)["status"] != "ok":
                return
        other = self.steps.run("train with another seed", [*self.short("other", 2)[:-0 or None], "--seed", "8"], limit=90)
        hashes = {name: sha256(self.folder / name / "last.safetensors") for name in ("once", "twice")}
        if other["status"] == "ok":
            hashes["other"] = sha256(self.folder / "other" / "last.safetensors")
        same, differs = hashes["once"] == hashes["twice"], hashes.get("other") != hashes["once"]
        step = {"status": "ok" if same and differs else "failed", "sha256": hashes}
        if step["status"] == "failed":
            step["text"] = "two runs of the same command have different bytes" if not same else "another seed gives the same bytes"
        self.steps.keep("repeat", step)

    def resume(self):
        """A run that is stopped in its first epochs and continued ends with the bytes of the run that was not."""
        if not (self.folder / "once" / "last.safetensors").exists():
            return self.steps.skip("resume", "nothing to compare with")
        command = self.short("resumed", 2, "--checkpoint-steps", "5")
        run = self.folder / "resumed"
        process = subprocess.Popen(list(map(str, command)), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
        deadline = time.monotonic() + 60
        while process.poll() is None and time.monotonic() < deadline and not (run / "last.safetensors").exists():
            time.sleep(0.01)
        stopped = process.poll() is None
        if stopped:
            os.killpg(process.pid, signal.SIGINT)
        process.wait(60)
        if not stopped:
            return self.steps.skip("resume", "the run was over before it could be stopped")
        done = self.steps.run("continue", [self.programs["cudacards"], "train", "--resume", run, "--device", self.options.device, "--quiet"],
                              limit=120)
        if done["status"] != "ok":
            return None
        hashes = {name: sha256(self.folder / name / "best.safetensors") for name in ("once", "resumed")}
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
        training.repeat()
        training.resume()
