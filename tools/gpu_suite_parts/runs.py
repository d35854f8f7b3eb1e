"""Training runs of the program, and what their folders say."""

import hashlib
import json
import pathlib
import struct


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


def read_epochs(run):
    """A parser for Steps.run: what the epochs that are done so far say."""
    def parse(_):
        path = pathlib.Path(run) / "metrics.jsonl"
        lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
        epochs = [json.loads(line) for line in lines]
        if not epochs:
            return {"status": "failed", "text": "no epoch was finished"}
        seconds = sorted(epoch["seconds"] for epoch in epochs[1:] or epochs)
        return {"epochs": len(epochs), "seconds_per_epoch": seconds[len(seconds) // 2], "first_epoch_seconds": epochs[0]["seconds"],
                "images_per_second": max(epoch["images_per_second"] for epoch in epochs),
                "best_val_accuracy": max(epoch["val_accuracy"] for epoch in epochs), "metrics": epochs}
    return parse


class Runs:
    """Runs on one data set in one folder."""

    def __init__(self, steps, programs, options, folder):
        self.steps, self.programs, self.options, self.folder = steps, programs, options, pathlib.Path(folder)
        self.data = None
        self.arch, self.size = ("mlp", ["--image-size", "8", "--batch", "16"]) if options.tiny else ("cnn", [])

    def draw(self, per_class, size):
        """A deck, where no data are given. Whether there is one."""
        self.data = self.folder / "deck"
        per_class, size = (1, 32) if self.options.tiny else (per_class, size)
        how = ["--per-class", str(per_class), "--size", str(size)]
        return self.steps.run("draw a deck", [self.programs["cudacards"], "data", "make", self.data, *how], limit=120)["status"] == "ok"

    def command(self, name, *words):
        return [self.programs["cudacards"], "train", self.data, "--arch", self.arch, "--device", self.options.device, "--quiet", "--out",
                self.folder / name, *self.size, *words]
