"""A result as tables to read."""


def grid(head, rows):
    widths = [max(len(str(row[i])) for row in [head, *rows]) for i in range(len(head))]
    lines = ["  ".join(str(cell).ljust(width) for cell, width in zip(row, widths)).rstrip() for row in [head, *rows]]
    return "\n".join([lines[0], "-" * len(lines[0]), *lines[1:]])


def number(value, digits=2):
    return "-" if value is None else f"{value:.{digits}f}"


def parts_table(data):
    rows = []
    for part, found in data["parts"].items():
        for name, step in found["steps"].items() or [("", found)]:
            said = step.get("reason") or step.get("text", "").strip().partition("\n")[0]
            if "passed" in step:
                said = f"{step['passed']} passed, {len(step['failed'])} failed" + (f"; {said}" if said else "")
            rows.append((part, name, step["status"], number(step.get("seconds"), 0), said[:90]))
    return grid(("part", "step", "status", "s", ""), rows)


def steps_of(data, part):
    return list(data["parts"].get(part, {}).get("steps", {}).values())


def peers_table(data):
    problems = [problem for step in steps_of(data, "peers") for problem in step.get("problems", [])]
    names = list(dict.fromkeys(row["name"] for problem in problems for row in problem["results"]))
    rows = []
    for problem in problems:
        ms = {row["name"]: row["ms_per_step"] for row in problem["results"]}
        cells = []
        for name in names:
            ratio = problem["ratios"].get(name)
            cells.append("-" if name not in ms else f"{ms[name]:.3f}" + (f" ({ratio:.2f}x)" if ratio else ""))
        rows.append((problem["arch"], problem["mode"], problem["batch"], problem["precision"], *cells))
    return grid(("model", "mode", "batch", "precision", *(f"{name}, ms" for name in names)), rows) if rows else ""


def whole_steps_table(data):
    rows = [(row["model"], row["mode"], row["batch"], row["precision"], row["replay"], number(row["us"], 1),
             number(row["images_per_second"], 0), number(row["tflops"], 1))
            for step in steps_of(data, "steps") for row in step.get("rows", [])]
    return grid(("model", "mode", "batch", "precision", "replay", "us", "img/s", "TFLOP/s"), rows) if rows else ""


def operations_table(data):
    ratios = [row for step in steps_of(data, "bench") for row in step.get("ratios", [])]
    rows = [(row["pass"], row["model"], row["layer"], row["batch"], row["precision"], row["hand"], number(row["hand_us"], 1),
             row["vendor"], number(row["vendor_us"], 1), f"{row['ratio']:.2f}x", number(row["roofline"]))
            for row in ratios]
    return grid(("pass", "model", "layer", "batch", "precision", "hand", "us", "vendor", "us", "hand is", "of the roofline"),
                rows) if rows else ""


def counters_table(data):
    rows = []
    for step in steps_of(data, "counters"):
        for kernel in step.get("kernels", []):
            rows.append((kernel["kernel"][:70], kernel["launches"],
                         *(f"{kernel[flow]['gpu']:.0f} / {kernel[flow]['emulator']:.0f}"
                           for flow in ("global load", "global store", "shared load", "shared store"))))
    return grid(("kernel (GPU / emulator)", "launches", "global load", "global store", "shared load", "shared store"), rows) if rows else ""


def training_lines(data):
    steps = data["parts"].get("train", {}).get("steps", {})
    train = steps.get("train", {})
    if "seconds_per_epoch" not in train:
        return ""
    evaluated = steps.get("evaluate", {})
    return (f"training: {train['epochs']} epochs, {train['seconds_per_epoch']:.2f} s each (the first {train['first_epoch_seconds']:.2f} s), "
            f"{train['images_per_second']:.0f} img/s, best validation accuracy {train['best_val_accuracy']:.4f}"
            + (f", {evaluated['split']} {evaluated['accuracy']:.4f}" if "accuracy" in evaluated else ""))


def text(data):
    device = data["device"]
    head = f"{device['name']}, driver {device.get('driver_version', '-')}, commit {data['commit']}, {data['date']}"
    if "times" in data:
        head += f"\nTIMES {data['times'].upper()}"
    blocks = [head, parts_table(data)]
    for title, table in (("whole steps, against PyTorch (its time over ours)", peers_table(data)), ("whole steps", whole_steps_table(data)),
                         ("operations, the project's own against the vendor's", operations_table(data)),
                         ("memory traffic", counters_table(data)), ("", training_lines(data))):
        if table:
            blocks.append(f"{title}\n{table}" if title else table)
    return "\n\n".join(blocks)
