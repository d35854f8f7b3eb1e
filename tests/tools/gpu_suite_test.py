"""Tests of the GPU suite's own machinery: results are merged, what is cut off or fails is kept, outputs are read."""

import json
import pathlib
import struct
import sys
import tempfile
import time
import unittest

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "tools"))
from gpu_suite_parts import bench, counters, record as recording, tables, tests, train  # noqa: E402
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

    def test_a_program_that_does_not_listen_is_killed(self):
        self.addCleanup(setattr, recording, "PATIENCE", recording.PATIENCE)
        recording.PATIENCE = 0.3
        output = run_for(["sh", "-c", "trap '' TERM; sleep 300 & wait; sleep 300"], 0.5)
        self.assertTrue(output.cut_off)
        self.assertLess(output.seconds, 30)

    def test_worst_step_decides(self):
        for statuses, expected in ((["ok", "skipped"], "ok"), (["ok", "partial"], "partial"), (["partial", "failed"], "failed"),
                                   (["skipped"], "skipped"), ([], "skipped")):
            self.assertEqual(summary_status({"status": status} for status in statuses), expected)


def output(text, code=0, cut_off=False):
    return Output(code, text, 1.0, cut_off)


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
        self.assertEqual((result["passed"], result.get("status")), (1, None))

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
        result = train.read_epochs(self.folder)(None)
        self.assertEqual((result["seconds_per_epoch"], result["first_epoch_seconds"], result["epochs"]), (3, 9, 4))
        self.assertAlmostEqual(result["best_val_accuracy"], 0.3)

    def write_checkpoint(self, name, out, value, tensor="w"):
        header = json.dumps({"__metadata__": {"config": out}, tensor: {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}}).encode()
        (self.folder / name).write_bytes(struct.pack("<Q", len(header)) + header + struct.pack("<f", value))
        return train.sha256(self.folder / name)

    def test_hash_is_of_the_tensors_alone(self):
        one = self.write_checkpoint("a", "runs/a", 1)
        self.assertEqual(one, self.write_checkpoint("b", "runs/somewhere-else", 1))
        self.assertNotEqual(one, self.write_checkpoint("c", "runs/a", 2))
        self.assertNotEqual(one, self.write_checkpoint("d", "runs/a", 1, tensor="v"))

    def test_no_epoch_is_a_failure(self):
        self.assertEqual(train.read_epochs(self.folder)(None)["status"], "failed")


if __name__ == "__main__":
    unittest.main()
