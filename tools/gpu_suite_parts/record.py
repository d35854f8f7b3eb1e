"""The one file that all parts write into, and the running of commands under a time limit."""

import contextlib
import datetime
import json
import os
import pathlib
import re
import shlex
import signal
import subprocess
import sys
import tempfile
import time

SCHEMA = 1
KEPT_TEXT = 4000  # characters of a failure's output
PATIENCE = 10  # seconds that a command has to leave when it is asked to
LOOK = 5  # seconds between two looks at what a running command has found so far


class Interrupted(BaseException):
    """The suite was asked to leave (SIGTERM, Ctrl-C): what was found is in the record."""


def leave_when_asked():
    """SIGTERM ends what runs and is written into the record, like Ctrl-C."""
    def leave(number, _):
        raise Interrupted(signal.Signals(number).name)
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, leave)


class Record:
    """bench/results/gpu-<device>-<date>-<commit>.json; written after every step, and while one runs, so that whatever ends the suite
    takes away no more than the last seconds."""

    def __init__(self, path, data):
        self.path, self.json = path, data

    @staticmethod
    def read(path):
        return json.loads(pathlib.Path(path).read_text(encoding="utf-8"))

    @classmethod
    def open(cls, folder, machine, commit):
        date = datetime.date.today().isoformat()
        device = re.sub(r"[^a-z0-9]+", "-", machine["name"].lower().replace("nvidia", "")).strip("-")
        prefix = {"cuda": "gpu-"}.get(machine["kind"], f"suite-{machine['kind']}-")
        path = pathlib.Path(folder) / f"{prefix}{device}-{date}-{commit}.json"
        data = cls.read(path) if path.exists() else {"schema": SCHEMA, "date": date, "commit": commit, "parts": {}}
        data["device"] = machine
        if machine["kind"] == "emulated":
            data["times"] = "mean nothing: this was the emulator"
        record = cls(path, data)
        record.save()
        return record

    def save(self):
        self.path.parent.mkdir(parents=True, exist_ok=True)
        temporary = self.path.with_suffix(".json.tmp")
        temporary.write_text(json.dumps(self.json, indent=1) + "\n", encoding="utf-8")
        os.replace(temporary, self.path)

    def skip(self, name, reason):
        self.json["parts"].setdefault(name, {"status": "skipped", "reason": reason, "steps": {}})
        self.save()

    @contextlib.contextmanager
    def part(self, name, limit):
        part = {"status": "running", "limit_seconds": round(limit), "steps": {}}
        self.json["parts"][name] = part
        begin = time.monotonic()
        with tempfile.TemporaryDirectory(prefix="cudacards-suite-") as folder:
            try:
                yield Steps(self, part, limit, folder)
            except Exception as error:  # pylint: disable=broad-except; a defect here must not lose what the other parts find
                part["steps"]["suite"] = {"status": "failed", "text": f"{type(error).__name__}: {error}"}
            except Interrupted as reason:
                part["steps"]["suite"] = {"status": "partial", "reason": f"interrupted by {reason}"}
                raise
            finally:
                part["seconds"] = round(time.monotonic() - begin, 1)
                part["status"] = summary_status(part["steps"].values())
                self.save()

    def is_well(self, names):
        return all(self.json["parts"].get(name, {}).get("status") in ("ok", "skipped") for name in names)


def summary_status(steps):
    """The worst of its steps; what was cut off by the clock is partial, not failed."""
    found = {step["status"] for step in steps}
    for status in ("failed", "partial"):
        if status in found:
            return status
    return "ok" if "ok" in found else "skipped"


class Steps:
    """What a part is made of. A step is a command with a parser of what it printed or wrote, or a reason why it was left out."""

    def __init__(self, record, part, limit, folder):
        self.record, self.part, self.folder = record, part, pathlib.Path(folder)
        self.deadline = time.monotonic() + limit

    def left(self):
        return self.deadline - time.monotonic()

    def skip(self, name, reason):
        self.keep(name, {"status": "skipped", "reason": reason})

    def fail(self, name, text, **more):
        self.keep(name, {"status": "failed", "text": text, **more})

    def keep(self, name, step):
        self.part["steps"][name] = step
        self.record.save()
        note = step.get("reason") or step.get("text", "").strip().rpartition("\n")[2]
        print(f"   {name}: {step['status']}{f' ({note[:160]})' if note and step['status'] != 'ok' else ''}", file=sys.stderr)

    def run(self, name, command, limit=None, parse=None, environment=None, cwd=None, accept=(0,)):
        """Keeps and returns the step. `parse(output)` gives what is added to it; the command's words are in the record. `output` has
        .text (both streams) and, where the command has been cut off, what came until then. While the command runs `parse` is asked now
        and then about what there is so far."""
        limit = min(limit or self.left(), self.left())
        if limit < 2:
            self.skip(name, "no time left")
            return self.part["steps"][name]
        words = shlex.join(map(str, command))

        def look(output):
            found = {}
            if parse is not None:
                with contextlib.suppress(Exception):  # half written
                    found = parse(output)
            self.part["steps"][name] = {**found, "status": "running", "command": words, "seconds": round(output.seconds, 2)}
            self.record.save()

        output = run_for(command, limit, environment, cwd, look)
        step = {"status": "ok", "command": words, "seconds": round(output.seconds, 2)}
        if output.cut_off:
            step.update(status="partial", reason=f"stopped after {limit:.0f} s")
        elif output.code not in accept:
            step.update(status="failed", code=output.code, text=output.text[-KEPT_TEXT:])
        if parse is not None:
            try:
                found = parse(output)
                step.update({**found, "status": "failed"} if step["status"] == "failed" else found)  # it may have died half-way
            except Exception as error:  # pylint: disable=broad-except; whatever a broken program printed
                step.update({"status": "failed", "text": f"cannot read its results: {error!r}\n{output.text[-KEPT_TEXT:]}"})
        self.keep(name, step)
        return step


class Output:
    def __init__(self, code, text, seconds, cut_off):
        self.code, self.text, self.seconds, self.cut_off = code, text, seconds, cut_off

    def object(self):
        """The last JSON object that was printed on a line of its own; notes may come after it."""
        return json.loads(next(line for line in reversed(self.text.splitlines()) if line.startswith("{")))


def run_for(command, limit, environment=None, cwd=None, look=None):
    """A command and all that it starts; at the limit it is asked to leave, then made to. `look` is shown what was printed so far, at
    once and then every LOOK seconds."""
    begin = time.monotonic()
    # Into a file: whatever was printed is there when the command has to be stopped.
    with tempfile.TemporaryFile() as printed:
        def so_far(code, cut_off):
            return Output(code, os.pread(printed.fileno(), os.fstat(printed.fileno()).st_size, 0).decode("utf-8", "replace"),
                          time.monotonic() - begin, cut_off)

        try:
            process = subprocess.Popen([str(word) for word in command], stdout=printed, stderr=subprocess.STDOUT,
                                       stdin=subprocess.DEVNULL, cwd=cwd, env={**os.environ, **(environment or {})},
                                       start_new_session=True)
        except OSError as error:
            return Output(127, str(error), 0, False)
        try:
            cut_off = not ends(process, limit, look and (lambda: look(so_far(None, True))))
        except BaseException:
            stop(process)
            raise
        if cut_off:
            stop(process)
        return so_far(process.returncode, cut_off)


def ends(process, limit, look):
    """Whether it ends by itself within so many seconds."""
    deadline = time.monotonic() + limit
    while (left := deadline - time.monotonic()) > 0:
        if look:
            look()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(min(left, LOOK) if look else left)
            return True
    return False


def stop(process):
    for signal_number, patience in ((signal.SIGTERM, PATIENCE), (signal.SIGKILL, None)):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal_number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(patience)
            return
