"""Operations and whole steps by themselves."""

import json


def google_rows(path):
    """Google Benchmark's file, also one that was cut off in the middle of its list."""
    text = path.read_text(encoding="utf-8") if path.exists() else ""
    if not text.strip():
        return {}, []
    try:
        data = json.loads(text)
    except json.JSONDecodeError:
        data = json.loads(text[:text.rfind("    }") + 5] + "\n  ]\n}")
    return data["context"], data["benchmarks"]


VENDORS = ("cudnn", "cublas", "onednn")


def operation_row(row):
    name = row["name"].removesuffix("/manual_time").split("/")
    pass_, model, (batch, precision, implementation) = name[0], name[1], name[-3:]
    return {"pass": pass_, "model": model, "layer": "/".join(name[2:-3]), "batch": int(batch), "precision": precision,
            "implementation": implementation, "family": row.get("label", "").partition(";")[0],
            "us": row["median_us"], "tflops": row["TFLOP/s"], "gbs": row["GB/s"], "roofline": row.get("roofline"),
            "layers": int(row["layers"]), "note": row.get("label", "").partition("; ")[2]}


def ratios(rows):
    """Of each layer: the fastest of the project's own against the fastest of the vendor's."""
    fastest = {}
    for row in rows:
        key = (row["pass"], row["model"], row["layer"], row["batch"], row["precision"])
        kind = row["family"]
        if kind in ("hand", "vendor"):
            best = fastest.setdefault(key, {}).get(kind)
            if best is None or row["us"] < best["us"]:
                fastest[key][kind] = row
    return [{**dict(zip(("pass", "model", "layer", "batch", "precision"), key)), "hand": both["hand"]["implementation"],
             "hand_us": both["hand"]["us"], "vendor": both["vendor"]["implementation"], "vendor_us": both["vendor"]["us"],
             "ratio": both["vendor"]["us"] / both["hand"]["us"], "roofline": both["hand"]["roofline"]}
            for key, both in fastest.items() if len(both) == 2]


def read_operations(path):
    def parse(output):
        context, rows = google_rows(path)
        timed = [operation_row(row) for row in rows if not row.get("error_occurred") and row.get("run_type") == "iteration"]
        errors = [{"name": row["name"], "text": row["error_message"]} for row in rows if row.get("error_occurred")]
        late = [error for error in errors if error["text"] == "out of time"]
        wrong = [error for error in errors if error["text"] != "out of time"]
        result = {"context": {key: value for key, value in context.items() if isinstance(value, str)}, "rows": timed,
                  "ratios": ratios(timed), "errors": wrong, "not_timed": len(late)}
        if wrong:
            result.update(status="failed", text="\n".join(f"{error['name']}: {error['text']}" for error in wrong[:20]))
        elif late:
            result.update(status="partial", reason=f"{len(late)} were not timed: out of time")
        elif not timed:
            result.update(status="failed", text=output.text[-2000:])
        return result
    return parse


def operations(steps, programs, options):
    sizes = ["--batches", "2", "--image-size", "8", "--models", "mlp"] if options.tiny else \
        ["--batches", "256,32,1", "--models", "cnn,mlp,mobilenetv2"]
    plan = [("bf16", 0.6), ("fp32", 0.95)]
    for precision, share in plan:
        path = steps.folder / f"operations-{precision}.json"
        seconds = steps.left() * share
        steps.run(f"operations {precision}",
                  [programs["bench_ops"], "--device", options.device, *sizes, "--precisions", precision, "--seconds", f"{seconds:.0f}",
                   f"--benchmark_min_time={0.0001 if options.tiny else 0.02}", f"--benchmark_out={path}"],
                  limit=seconds + 20, parse=read_operations(path))


def step_row(row):
    name = row["name"].removesuffix("/manual_time").split("/")
    mode, model, precision, batch, replay = name[:5]
    return {"mode": mode, "model": model, "precision": precision, "batch": int(batch), "replay": replay,
            "us": row["median_us"], "images_per_second": row["img/s"], "tflops": row["TFLOP/s"]}


def read_steps(path):
    def parse(output):
        context, rows = google_rows(path)
        timed = [step_row(row) for row in rows if not row.get("error_occurred")]
        errors = [{"name": row["name"], "text": row["error_message"]} for row in rows if row.get("error_occurred")]
        wrong = [error for error in errors if error["text"] != "out of time"]
        result = {"context": {key: value for key, value in context.items() if isinstance(value, str)}, "rows": timed, "errors": errors}
        if wrong or not timed:
            result.update(status="failed", text="\n".join(f"{e['name']}: {e['text']}" for e in wrong) or output.text[-2000:])
        elif errors:
            result.update(status="partial", reason=f"{len(errors)} were not timed: out of time")
        return result
    return parse


def steps(steps_, programs, options):  # pylint: disable=redefined-outer-name
    path = steps_.folder / "steps.json"
    sizes = ["--batches", "2", "--image-size", "8", "--models", "mlp"] if options.tiny else ["--batches", "32,256,1"]
    steps_.run("whole steps",
               [programs["bench_step"], "--device", options.device, *sizes, "--seconds", f"{steps_.left() * 0.9:.0f}",
                f"--benchmark_min_time={0.0001 if options.tiny else 0.3}", f"--benchmark_out={path}"],
               parse=read_steps(path))
