"""A real training run."""

import pathlib

from .runs import Runs, read_epochs


def size_of_run(options):
    """The preset's own number of epochs on a person's pictures; fewer on a deck that is drawn."""
    if options.tiny:
        return ["--epochs", "1"]
    return [*(["--image-size", str(options.image_size)] if options.image_size else []), *([] if options.data else ["--epochs", "20"])]


def read_evaluation(split, output):
    found = output.object()
    return {"split": split, **{key: found[key] for key in ("samples", "loss", "accuracy")}}


def as_a_person_would(steps, programs, options):
    runs = Runs(steps, programs, options, steps.folder)
    runs.data = options.data
    if runs.data is None and not runs.draw(per_class=40, size=224):
        return
    run = runs.folder / "learn"
    steps.run("train", runs.command("learn", *size_of_run(options)), limit=steps.left() * 0.8, parse=read_epochs(run))
    if not (run / "best.safetensors").exists():
        return
    split = "test" if (pathlib.Path(runs.data) / "test").is_dir() else "valid"
    steps.run("evaluate", [programs["cudacards"], "eval", run, "--data", runs.data, "--split", split, "--device", options.device, "--json"],
              limit=90, parse=lambda output: read_evaluation(split, output))
