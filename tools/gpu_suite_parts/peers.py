"""Whole steps against PyTorch."""

import json
import subprocess


def has_torch(python):
    try:
        # Without importing it: that alone takes many seconds on a machine that has just started.
        ask = "import importlib.util, sys; sys.exit(importlib.util.find_spec('torch') is None)"
        return subprocess.run([python, "-c", ask], capture_output=True, check=False, timeout=60).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False


def read(path):
    def parse(output):
        text = path.read_text(encoding="utf-8") if path.exists() else ""
        if not text:
            return {"status": "failed", "text": output.text[-4000:]}
        data = json.loads(text)
        result = {"problems": data["problems"], "left_out": data["left_out"], "contestants": data["contestants"]}
        ours = [f"{problem['arch']} {problem['mode']}: {problem['errors']['cudacards']}" for problem in data["problems"]
                if "cudacards" in problem["errors"]]
        if ours:
            result.update(status="failed", text="\n".join(ours))
        elif data["left_out"]:
            result.update(status="partial", reason=f"no time for {', '.join(data['left_out'])}")
        return result
    return parse


def steps(steps_, programs, options):
    path = steps_.folder / "peers.json"
    command = [options.python, programs.bench / "compare_gpu.py", "--step", programs["step"], "--device", options.device,
               "--seconds", f"{max(steps_.left() - 30, 10):.0f}", "--out", path]
    if has_torch(options.python):
        command += ["--pytorch", options.python]
    else:
        steps_.skip("pytorch", f"{options.python} has no torch: cudacards is timed alone")
    if options.tiny:
        command.append("--tiny")
    steps_.run("against PyTorch", command, parse=read(path))
