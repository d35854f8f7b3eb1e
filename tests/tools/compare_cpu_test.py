"""Tests of bench/compare_cpu.py: who takes part in what, what stands against what, and under which name it is kept."""

import argparse
import json
import pathlib
import stat
import subprocess
import sys
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "bench"))
import compare_cpu  # noqa: E402


def options(**changes):
    return argparse.Namespace(**{"arch": "cnn", "mode": "train", "image_size": 224, "batch": 32, "pytorch": "P", "keras": "K",
                                 "onnxruntime": "O", **changes})


def row(program, precision, ms):
    return {"program": program, "precision": precision, "ms_per_step": ms, "peak_rss_bytes": 10 * ms}


# A contestant of any kind: its time is by precision, and what it was asked for is in its answer.
CONTESTANT = """#!{python}
import json, sys
words = dict(zip(sys.argv[1::2], sys.argv[2::2]))
assert words["--mode"] == "infer" and words["--batch"] == "1", sys.argv
print(json.dumps({{"ms_per_step": {{"fp32": 2.0, "bf16": 1.0}}[words["--precision"]], "ms_per_step_min": 1, "variant": {{}}, "batch": 1,
                   "peak_rss_bytes": 1, "cpu": "Some CPU"}}))
"""
# An interpreter that measures by itself: 4 ms, whatever it is asked for.
INTERPRETER = """#!{python}
import json, sys
assert sys.argv[1].endswith("onnxruntime_step.py") and "--onnx" in sys.argv and sys.argv[sys.argv.index("--precision") + 1] == "fp32"
print(json.dumps({{"ms_per_step": 4.0, "ms_per_step_min": 4, "variant": {{"optimization": "all"}}, "batch": 1, "peak_rss_bytes": 2,
                   "version": "1", "cpu": "Some CPU"}}))
"""


class Names(unittest.TestCase):
    def test_what_differs_from_the_usual_step_is_in_the_name(self):
        self.assertEqual(compare_cpu.subject(options()), "cnn")
        self.assertEqual(compare_cpu.subject(options(image_size=128)), "cnn-128px")
        self.assertEqual(compare_cpu.subject(options(arch="mobilenetv2-0.35", image_size=128, mode="infer", batch=1)),
                         "mobilenetv2-0.35-128px-infer-batch1")


class Peers(unittest.TestCase):
    def left_out(self, **changes):
        return {peer for peer in compare_cpu.PEERS if compare_cpu.why_left_out(options(**changes), peer)}

    def test_each_takes_part_in_what_it_has(self):
        self.assertEqual(self.left_out(), {"onnxruntime"})
        self.assertEqual(self.left_out(arch="mobilenetv2-0.35"), {"keras", "onnxruntime"})
        self.assertEqual(self.left_out(mode="infer"), {"keras"})
        self.assertEqual(self.left_out(mode="infer", pytorch=None), {"keras", "pytorch"})


class Ratios(unittest.TestCase):
    def test_same_precision_and_the_best_of_each(self):
        rows = [row("cudacards", "fp32", 4), row("cudacards", "bf16", 2), row("pytorch", "fp32", 6), row("pytorch", "bf16", 8)]
        self.assertEqual({r["precision"]: r["speed"] for r in compare_cpu.ratios(rows)}, {"fp32": 1.5, "bf16": 4, "best": 3})

    def test_onnx_runtime_has_one_precision_against_each_of_ours(self):
        rows = [row("cudacards", "fp32", 4), row("cudacards", "bf16", 2), row("onnxruntime", "fp32", 6)]
        self.assertEqual({r["precision"]: r["speed"] for r in compare_cpu.ratios(rows)}, {"fp32": 1.5, "bf16": 3, "best": 3})

    def test_a_precision_that_was_not_asked_for_is_left_out(self):
        rows = [row("cudacards", "bf16", 2), row("onnxruntime", "fp32", 6)]
        self.assertEqual({r["precision"] for r in compare_cpu.ratios(rows)}, {"bf16", "best"})


class WholeRun(unittest.TestCase):
    def setUp(self):
        temporary = tempfile.TemporaryDirectory()
        self.addCleanup(temporary.cleanup)
        self.folder = pathlib.Path(temporary.name)

    def program(self, name, text):
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text.format(python=sys.executable), encoding="utf-8")
        path.chmod(path.stat().st_mode | stat.S_IXUSR)
        return str(path)

    def compare(self, *words):
        return subprocess.run([sys.executable, str(ROOT / "bench" / "compare_cpu.py"), "--arch", "mobilenetv2-0.35", "--mode", "infer",
                               "--batch", "1", "--build", str(self.folder), "--results", str(self.folder), "--rounds", "2", *words],
                              capture_output=True, text=True, check=False)

    def test_inference_against_onnx_runtime_is_written_down(self):
        self.program("bench/step", CONTESTANT)
        done = self.compare("--onnxruntime", self.program("python", INTERPRETER), "--onnx", "cards.onnx")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("pytorch is left out: no --pytorch PYTHON", done.stderr)
        [path] = self.folder.glob("cpu-mobilenetv2-0.35-infer-batch1-*.json")
        data = json.loads(path.read_text(encoding="utf-8"))
        self.assertEqual({r["precision"]: r["speed"] for r in data["ratios"]}, {"fp32": 2, "bf16": 4, "best": 4})
        self.assertEqual([len(r["rounds"]) for r in data["results"]], [2, 2, 2])

    def test_words_in_front_are_those_of_the_rounds(self):
        self.program("bench/step", CONTESTANT)
        self.assertEqual(self.compare("--prefix", "env A=1", "--precision", "fp32").returncode, 0)
        [path] = self.folder.glob("cpu-*.json")
        [result] = json.loads(path.read_text(encoding="utf-8"))["results"]
        self.assertTrue(result["command"].startswith("env A=1 "), result["command"])

    def test_a_variant_that_is_known_is_not_looked_for(self):
        self.program("bench/step", CONTESTANT)
        peer = self.program("python", INTERPRETER.replace('assert ', 'assert "--sweep" not in sys.argv and '))
        words = ("--onnxruntime", peer, "--onnx", "cards.onnx", "--precision", "fp32")
        self.assertEqual(self.compare(*words).returncode, 1)
        done = self.compare(*words, "--variant", "onnxruntime:fp32:optimization=all,allocator=glibc")
        self.assertEqual(done.returncode, 0, done.stderr)
        [path] = self.folder.glob("cpu-*.json")
        command = json.loads(path.read_text(encoding="utf-8"))["results"][1]["command"]
        self.assertTrue(command.endswith("--optimization all --allocator glibc"), command)

    def test_a_variant_of_nobody_is_refused(self):
        for text in ("tensorflow:fp32:a=b", "pytorch:fp16:a=b", "pytorch:fp32", "pytorch:fp32:compile"):
            done = self.compare("--variant", text)
            self.assertEqual((done.returncode, f'"{text}" is not PEER' in done.stderr), (2, True), done.stderr)

    def test_onnx_runtime_needs_a_network(self):
        done = self.compare("--onnxruntime", "python")
        self.assertEqual(done.returncode, 2)
        self.assertIn("--onnxruntime needs --onnx FILE", done.stderr)

    def test_a_contestant_that_fails_is_an_error(self):
        self.program("bench/step", "#!/bin/sh\necho out of order >&2; exit 1\n")
        done = self.compare()
        self.assertEqual(done.returncode, 1)
        self.assertIn("out of order", done.stderr)


if __name__ == "__main__":
    unittest.main()
