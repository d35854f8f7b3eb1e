"""Tests of the GPU suite's own machinery: results are merged, what is cut off or fails is kept, outputs are read."""

import argparse
import json
import os
import pathlib
import struct
import subprocess
import sys
import tempfile
import time
import unittest

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "tools"))
from gpu_suite_parts import bench, counters, machine, record as recording, repeat, runs, tables, tests, train  # noqa: E402
from gpu_suite_parts.record import Output, Record, run_for, summary_status  # noqa: E402

MACHINE = {"kind": "cuda", "name": "NVIDIA H100 80GB HBM3"}


class Folder(unittest.TestCase):
    def setUp(self):
        temporary = tempfile.TemporaryDirectory()
        self.addCleanup(temporary.cleanup)
        self.folder = pathlib.Path(temporary.name)
        errors, sys.stderr = sys.stderr, open("/dev/null", "w", encoding="utf-8")  # progress
        self.addCleanup(setattr, sys, "stderr", errors)
        self.addCleanup(sys.stderr.close)


class RecordTest(Folder):
    def test_file_is_named_after_device_date_and_commit(self):
        record = Record.open(self.folder, MACHINE, "abc")
        self.assertRegex(record.path.name, r"^gpu-h100-80gb-hbm3-\d{4}-\d\d-\d\d-abc\.json$")

    def test_emulator_is_no_gpu_and_says_so(self):
        record = Record.open(self.folder, {"kind": "emulated", "name": "emulated"}, "abc")
        self.assertTrue(record.path.name.startswith("suite-emulated-"))
        self.assertIn("MEAN NOTHING", tables.text(record.json))

    def test_parts_of_two_runs_are_merged_and_a_repeated_one_is_replaced(self):
        for number, name in enumerate(["tests", "bench", "tests"]):
            with Record.open(self.folder, MACHINE, "abc").part(name, 60) as steps:
                steps.keep("x", {"status": "ok", "number": number})
        parts = json.loads(next(self.folder.iterdir()).read_text(encoding="utf-8"))["parts"]
        self.assertEqual({name: part["steps"]["x"]["number"] for name, part in parts.items()}, {"tests": 2, "bench": 1})

    def test_failing_step_is_kept_with_its_text_and_the_next_goes_on(self):
        record = Record.open(self.folder, MACHINE, "abc")
        with record.part("bench", 60) as steps:
            steps.run("first", ["sh", "-c", "echo why it failed; exit 3"])
            steps.run("second", ["echo", "fine"], parse=lambda output: {"said": output.text.strip()})
            steps.run("third", ["/no/such/program"])
        found = record.json["parts"]["bench"]
        self.assertEqual([step["status"] for step in found["steps"].values()], ["failed", "ok", "failed"])
        self.assertEqual(found["steps"]["first"]["code"], 3)
        self.assertIn("why it failed", found["steps"]["first"]["text"])
        self.assertEqual(found["steps"]["second"]["command"], "echo fine")
        self.assertEqual(found["steps"]["second"]["said"], "fine")
        self.assertEqual(found["status"], "failed")
        self.assertFalse(record.is_well(["bench"]))

    def test_step_at_its_limit_is_stopped_with_what_it_printed(self):
        record = Record.open(self.folder, MACHINE, "abc")
        begin = time.monotonic()
        with record.part("tests", 60) as steps:
            step = steps.run("slow", ["sh", "-c", "echo one; sleep 60; echo two"], limit=2, parse=lambda output: {"said": output.text})
        self.assertLess(time.monotonic() - begin, 20)
        self.assertEqual((step["status"], step["said"]), ("partial", "one\n"))
        self.assertEqual(record.json["parts"]["tests"]["status"], "partial")

    def test_part_without_time_skips_its_steps(self):
        record = Record.open(self.folder, MACHINE, "abc")
        with record.part("tests", 0.5) as steps:
            steps.run("late", ["echo"])
        self.assertEqual(record.json["parts"]["tests"]["steps"]["late"]["status"], "skipped")

    def test_defect_of_the_suite_does_not_lose_the_other_steps(self):
        record = Record.open(self.folder, MACHINE, "abc")
        with record.part("bench", 60) as steps:
            steps.keep("x", {"status": "ok"})
            raise KeyError("defect")
        self.assertEqual(record.json["parts"]["bench"]["status"], "failed")
        self.assertEqual(record.json["parts"]["bench"]["steps"]["x"]["status"], "ok")

    def test_unreadable_results_are_a_failure(self):
        record = Record.open(self.folder, MACHINE, "abc")
        with record.part("bench", 60) as steps:
            step = steps.run("x", ["echo", "nonsense"], parse=lambda output: json.loads(output.text))
        self.assertEqual(step["status"], "failed")
        self.assertIn("nonsense", step["text"])

    def test_a_program_that_died_has_failed_whatever_its_results_say(self):
        record = Record.open(self.folder, MACHINE, "abc")
        with record.part("bench", 60) as steps:
            step = steps.run("x", ["sh", "-c", "exit 9"], parse=lambda output: {"status": "partial", "rows": 3})
            calm = steps.run("y", ["true"], parse=lambda output: {"status": "skipped"})
        self.assertEqual((step["status"], step["code"], step["rows"]), ("failed", 9, 3))
        self.assertEqual(calm["status"], "skipped")

    def test_a_program_that_does_not_listen_is_killed(self):
        self.addCleanup(setattr, recording, "PATIENCE", recording.PATIENCE)
        recording.PATIENCE = 0.3
        output = run_for(["sh", "-c", "trap '' TERM; sleep 300 & wait; sleep 300"], 0.5)
        self.assertTrue(output.cut_off)
        self.assertLess(output.seconds, 30)

    def test_what_a_running_program_found_is_in_the_file_before_it_ends(self):
        self.addCleanup(setattr, recording, "LOOK", recording.LOOK)
        recording.LOOK = 0.1
        record = Record.open(self.folder, MACHINE, "abc")
        seen = []

        def parse(found):
            seen.append(Record.read(record.path)["parts"]["peers"]["steps"].get("x", {}))
            return {"lines": found.text.count("\n")}

        with record.part("peers", 60) as steps:
            step = steps.run("x", ["sh", "-c", "echo one; sleep 0.6; echo two"], parse=parse)
        self.assertEqual((step["status"], step["lines"]), ("ok", 2))
        self.assertIn(("running", 1), [(at.get("status"), at.get("lines")) for at in seen])

    def test_a_look_at_half_written_results_is_no_failure(self):
        record = Record.open(self.folder, MACHINE, "abc")
        with record.part("peers", 60) as steps:
            step = steps.run("x", ["sh", "-c", "sleep 0.2; echo '{}'"], parse=lambda found: json.loads(found.text))
        self.assertEqual(step["status"], "ok")

    def test_interrupted_suite_keeps_what_was_found_and_ends_what_runs(self):
        script = f"""
import sys, pathlib
sys.path.insert(0, {str(ROOT / 'tools')!r})
from gpu_suite_parts import record
record.LOOK = 0.1
record.leave_when_asked()
kept = record.Record.open({str(self.folder)!r}, {MACHINE!r}, "abc")
try:
    with kept.part("tests", 60) as steps:
        steps.keep("first", {{"status": "ok"}})
        steps.run("second", ["sh", "-c", "echo $$; exec sleep 300"], parse=lambda output: {{"pid": int(output.text)}})
except record.Interrupted as reason:
    print(reason)
"""
        process = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        deadline = time.monotonic() + 30
        pid = None
        while pid is None and time.monotonic() < deadline:
            time.sleep(0.1)
            for path in self.folder.glob("*.json"):
                pid = Record.read(path)["parts"].get("tests", {}).get("steps", {}).get("second", {}).get("pid")
        process.terminate()
        said, _ = process.communicate(timeout=30)
        self.assertEqual(said, "SIGTERM\n")
        part = Record.read(next(self.folder.glob("*.json")))["parts"]["tests"]
        self.assertEqual((part["status"], part["steps"]["first"]["status"]), ("partial", "ok"))
        self.assertEqual(part["steps"]["suite"]["reason"], "interrupted by SIGTERM")
        with self.assertRaises(ProcessLookupError):
            os.kill(pid, 0)

    def test_worst_step_decides(self):
        for statuses, expected in ((["ok", "skipped"], "ok"), (["ok", "partial"], "partial"), (["partial", "failed"], "failed"),
                                   (["skipped"], "skipped"), ([], "skipped")):
            self.assertEqual(summary_status({"status": status} for status in statuses), expected)


def output(text, code=0, cut_off=False):
    return Output(code, text, 1.0, cut_off)


class PrintedObject(unittest.TestCase):
    def test_is_the_last_one_whatever_is_noted_around_it(self):
        self.assertEqual(output('a note\n{"a": 1}\n{"a": 2}\nanother {note}\n').object(), {"a": 2})


class GoogleTestOutput(unittest.TestCase):
    PRINTED = """[ RUN      ] A.One
[       OK ] A.One (3 ms)
[ RUN      ] B/C.Two/0
x.cpp:1: Failure
[  FAILED  ] B/C.Two/0, where GetParam() = 3 (2 ms)
[ RUN      ] A.Three
[  SKIPPED ] A.Three (0 ms)
[  FAILED  ] 1 test, listed below:
[  FAILED  ] B/C.Two/0, where GetParam() = 3
"""

    def test_counts_and_names(self):
        result = tests.gtest_results(output(self.PRINTED, 1))
        self.assertEqual((result["passed"], result["failed"], result["skipped"], result["status"]), (1, ["B/C.Two/0"], 1, "failed"))
        self.assertIn("x.cpp:1", result["text"])

    def test_crash_is_a_failure(self):
        self.assertEqual(tests.gtest_results(output("[ RUN      ] A.One\nSegmentation fault", -11))["status"], "failed")

    def test_cut_off_counts_what_was_done(self):
        result = tests.gtest_results(output("[ RUN      ] A.One\n[       OK ] A.One (3 ms)\n[ RUN      ] A.Two\n", -15, True))
        self.assertEqual((result["passed"], result.get("status"), result["running"]), (1, None, "A.Two"))
        between = tests.gtest_results(output("[ RUN      ] A.One\n[       OK ] A.One (3 ms)\n", -15, True))
        self.assertNotIn("running", between)

    def test_one_of_each_suite_leaves_out_what_takes_long(self):
        names = ["X/A.RandomBig/0", "X/A.Small/0", "X/A.Small/1", "B.One", "B.Two"]
        self.assertEqual(tests.one_of_each(names), ["X/A.Small/0", "B.One"])

    def test_sanitizer_summary(self):
        clean = tests.sanitizer_errors(output("[       OK ] A.One (1 ms)\n========= ERROR SUMMARY: 0 errors\n"))
        self.assertEqual((clean["errors"], clean["passed"], clean.get("status")), (0, 1, None))
        bad = tests.sanitizer_errors(output("========= COMPUTE-SANITIZER\n========= Invalid __global__ read\n========= ERROR SUMMARY: 2 errors\n"))
        self.assertEqual((bad["errors"], bad["status"]), (2, "failed"))
        self.assertIn("Invalid __global__ read", bad["text"])
        self.assertEqual(tests.sanitizer_errors(output("Device not supported"))["status"], "failed")


def ops_row(name, us, family, **more):
    return {"name": f"{name}/manual_time", "run_type": "iteration", "median_us": us, "TFLOP/s": 1.0, "GB/s": 2.0, "roofline": 0.5,
            "layers": 1, "label": f"{family}; agrees with reference", **more}


class BenchmarkOutput(Folder):
    def read(self, rows, cut_off=False):
        path = self.folder / "out.json"
        text = json.dumps({"context": {"device": "X"}, "benchmarks": rows}, indent=2)
        text = text.replace("\n    {", "\n    {").replace("\n    }", "\n    }")
        path.write_text(text[:text.rfind("]") - 1] + ",\n    {\n" if cut_off else text, encoding="utf-8")
        return bench.read_operations(path)(output(""))

    ROWS = [ops_row("forward/cnn/conv2d/32/bf16/hand:a", 10, "hand"), ops_row("forward/cnn/conv2d/32/bf16/hand:b", 5, "hand"),
            ops_row("forward/cnn/conv2d/32/bf16/cudnn + cudnn:pool", 20, "vendor"),
            ops_row("forward/mobilenetv2/block_00/depthwise/32/bf16/hand:c", 7, "hand")]

    def test_ratio_is_the_fastest_vendor_over_the_fastest_of_ours(self):
        result = self.read(self.ROWS)
        self.assertEqual(len(result["ratios"]), 1)
        ratio = result["ratios"][0]
        self.assertEqual((ratio["hand"], ratio["vendor"], ratio["ratio"], ratio["batch"]), ("hand:b", "cudnn + cudnn:pool", 4, 32))
        self.assertEqual(result["rows"][3]["layer"], "block_00/depthwise")
        self.assertNotIn("status", result)

    def test_list_that_was_cut_off_is_read(self):
        self.assertEqual(len(self.read(self.ROWS, cut_off=True)["rows"]), 4)

    def test_disagreement_fails_and_lack_of_time_does_not(self):
        wrong = {"name": "x", "error_occurred": True, "error_message": "disagrees: dst[0] is 1 where reference has 2"}
        late = {"name": "y", "error_occurred": True, "error_message": "out of time"}
        result = self.read([*self.ROWS, late])
        self.assertEqual((result["status"], result["not_timed"]), ("partial", 1))
        result = self.read([*self.ROWS, late, wrong])
        self.assertEqual(result["status"], "failed")
        self.assertIn("dst[0]", result["text"])


class Libraries(Folder):
    """Where Python's packages put cuDNN and cuBLAS."""

    def setUp(self):
        super().setUp()
        before = os.environ.pop(machine.FOLDERS, None)
        self.addCleanup(lambda: os.environ.pop(machine.FOLDERS, None) if before is None else os.environ.update({machine.FOLDERS: before}))

    def python(self):
        """Stands for an interpreter whose packages are in a folder of ours."""
        packages = self.folder / "lib/python3.12/site-packages"
        (packages / "nvidia/cudnn/lib").mkdir(parents=True)
        (packages / "nvidia/cu13/lib").mkdir(parents=True)
        (packages / "nvidia/cu13/include").mkdir()
        python = self.folder / "python3"
        python.write_text(f"#!/bin/sh\necho {packages}\necho {packages}\n", encoding="utf-8")
        python.chmod(0o755)
        return python, packages

    def test_are_named_to_the_programs(self):
        python, packages = self.python()
        machine.libraries_of_python(python)
        self.assertEqual(os.environ[machine.FOLDERS], f"{packages}/nvidia/cu13/lib:{packages}/nvidia/cudnn/lib")

    def test_a_persons_own_choice_stays(self):
        os.environ[machine.FOLDERS] = "/own"
        machine.libraries_of_python(self.python()[0])
        self.assertEqual(os.environ[machine.FOLDERS], "/own")

    def test_an_interpreter_that_is_not_there_names_none(self):
        machine.libraries_of_python(self.folder / "none")
        self.assertFalse(os.environ.get(machine.FOLDERS))


class CounterOutput(unittest.TestCase):
    def test_kernels_are_matched_whatever_compilers_call_them(self):
        names = [name for pair in counters.METRICS.values() for name in pair if name]
        head = ",".join(f'"{name}"' for name in ["ID", "Kernel Name", *names])
        values = ",".join(['"1,000"'] * len(names))
        text = f'==PROF== noise\n{head}\n"","",{",".join(["sector"] * len(names))}\n' + \
            f'"0","void cudacards::<unnamed>::k<float, (int)4>(Args)",{values}\n' * 2
        emulated = [{"kernel": "cudacards::(anonymous namespace)::k<float, 4>", "launches": 6,
                     **{flow: {"requests": 10, "units": 2000, "needed": 2000} for flow in counters.METRICS}}]
        rows = counters.compared(counters.from_ncu(text), emulated)
        self.assertEqual((rows[0]["launches"], rows[0]["global load"]["gpu"], rows[0]["global load"]["emulator"]), (2, 2000, 2000))


class TrainOutput(Folder):
    def test_time_per_epoch_leaves_the_first_out(self):
        lines = [{"epoch": i + 1, "seconds": seconds, "images_per_second": 100, "val_accuracy": 0.1 * i} for i, seconds in enumerate([9, 2, 3, 4])]
        (self.folder / "metrics.jsonl").write_text("\n".join(map(json.dumps, lines)), encoding="utf-8")
        result = runs.read_epochs(self.folder)(None)
        self.assertEqual((result["seconds_per_epoch"], result["first_epoch_seconds"], result["epochs"]), (3, 9, 4))
        self.assertAlmostEqual(result["best_val_accuracy"], 0.3)

    def write_checkpoint(self, name, out, value, tensor="w"):
        header = json.dumps({"__metadata__": {"config": out}, tensor: {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}}).encode()
        (self.folder / name).write_bytes(struct.pack("<Q", len(header)) + header + struct.pack("<f", value))
        return runs.sha256(self.folder / name)

    def test_hash_is_of_the_tensors_alone(self):
        one = self.write_checkpoint("a", "runs/a", 1)
        self.assertEqual(one, self.write_checkpoint("b", "runs/somewhere-else", 1))
        self.assertNotEqual(one, self.write_checkpoint("c", "runs/a", 2))
        self.assertNotEqual(one, self.write_checkpoint("d", "runs/a", 1, tensor="v"))

    def test_no_epoch_is_a_failure(self):
        self.assertEqual(runs.read_epochs(self.folder)(None)["status"], "failed")


class FakeSteps:
    """Answers for programs: what each command's words ask for."""

    def __init__(self, folder, answer):
        self.folder, self.answer, self.kept = folder, answer, {}

    def run(self, name, command, limit=None, parse=None):  # pylint: disable=unused-argument
        self.kept[name] = {"status": "ok", **self.answer(list(map(str, command)))}
        return self.kept[name]

    def keep(self, name, step):
        self.kept[name] = step

    def skip(self, name, reason):
        self.keep(name, {"status": "skipped", "reason": reason})


class Capture(Folder):
    PROGRAMS = {"step": "step", "cudacards": "cudacards"}
    OPTIONS = argparse.Namespace(device="cuda", tiny=False)

    def captured(self, family, answer):
        steps = FakeSteps(self.folder, answer)
        self.is_there = repeat.capture(steps, self.PROGRAMS, self.OPTIONS, family, "bf16")
        return steps.kept.get(f"capture, {family}, bf16")

    @staticmethod
    def losses(last, implementation="cudnn"):
        return {"first_loss": 4.0, "last_loss": last, "implementations": {"conv2d": implementation, "pool": "hand:pool"}}

    def test_graph_and_calls_must_give_the_same_loss(self):
        same = self.captured("vendor", lambda words: self.losses(3.5))
        self.assertEqual((same["status"], same["nodes_of_the_vendor"]), ("ok", ["conv2d"]))
        other = self.captured("vendor", lambda words: self.losses(3.5 if "--calls" in words else 3.25))
        self.assertEqual(other["status"], "failed")
        self.assertIn("3.25", other["text"])

    def test_without_the_vendors_library_there_is_nothing_to_capture(self):
        self.assertEqual(self.captured("vendor", lambda words: self.losses(3.5, "hand:conv2d"))["status"], "skipped")
        self.assertFalse(self.is_there)
        self.assertEqual(self.captured("hand", lambda words: self.losses(3.5, "hand:conv2d"))["status"], "ok")
        self.assertTrue(self.is_there)

    def test_a_step_that_fails_is_no_capture(self):
        self.assertIsNone(self.captured("hand", lambda words: {**self.losses(3.5), "status": "failed"}))


class Repeat(Folder):
    """Runs whose checkpoints are given."""

    def repeated(self, values):
        def run_program(words):
            run = pathlib.Path(words[words.index("--out") + 1])
            run.mkdir()
            name = run.name.split()[0]
            header = json.dumps({"w": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}}).encode()
            (run / "last.safetensors").write_bytes(struct.pack("<Q", len(header)) + header + struct.pack("<f", values[name]))
            return {}
        steps = FakeSteps(self.folder, run_program)
        repeat.repeat(steps, runs.Runs(steps, Capture.PROGRAMS, Capture.OPTIONS, self.folder), "hand")
        return steps.kept["repeat hand"]

    def test_same_seed_same_bytes_and_other_seed_others(self):
        self.assertEqual(self.repeated({"once": 1, "twice": 1, "other": 2})["status"], "ok")

    def test_other_bytes_fail(self):
        self.assertIn("different bytes", self.repeated({"once": 1, "twice": 3, "other": 2})["text"])

    def test_a_seed_without_effect_fails(self):
        self.assertIn("another seed", self.repeated({"once": 1, "twice": 1, "other": 1})["text"])


class TrainingData(unittest.TestCase):
    def test_a_persons_pictures_are_trained_on_as_the_preset_says(self):
        def size(**options):
            return train.size_of_run(argparse.Namespace(**{"tiny": False, "data": None, "image_size": None, **options}))
        self.assertEqual(size(data="/cards", image_size=128), ["--image-size", "128"])
        self.assertEqual(size(), ["--epochs", "20"])
        self.assertEqual(size(tiny=True, data="/cards"), ["--epochs", "1"])


if __name__ == "__main__":
    unittest.main()
