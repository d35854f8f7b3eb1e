"""Tests of README's performance table: made of the newest results, and never silently old."""

import json
import pathlib
import subprocess
import sys
import tempfile
import unittest

TOOL = pathlib.Path(__file__).resolve().parent.parent.parent / "tools" / "performance_table.py"


def cpu_result(date, ms):
    def row(program, value):
        return {"program": program, "precision": "fp32", "ms_per_step": value, "peak_rss_bytes": value, "rounds": [{"batch": 32}]}
    return {"date": date, "commit": "abc", "device": {"cpu": "Some CPU", "threads": 2},
            "results": [row("cudacards", ms), row("pytorch", 3 * ms), row("keras", 2 * ms)]}


def gpu_result(date, ms):
    problem = {"arch": "cnn", "mode": "train", "batch": 32, "precision": "bf16", "errors": {},
               "results": [{"name": "cudacards", "ms_per_step": ms}, {"name": "pytorch eager", "ms_per_step": 4 * ms}],
               "ratios": {"pytorch eager": 4.0}}
    return {"date": date, "commit": "abc", "device": {"name": "NVIDIA X1"}, "parts": {"peers": {"steps": {"s": {"problems": [problem]}}}}}


class PerformanceTable(unittest.TestCase):
    def setUp(self):
        temporary = tempfile.TemporaryDirectory()
        self.addCleanup(temporary.cleanup)
        self.folder = pathlib.Path(temporary.name)
        self.readme = self.folder / "README.md"
        self.readme.write_text("before\n<!-- made by `make performance-table` -->\nold\n<!-- end of the performance table -->\nafter\n",
                               encoding="utf-8")

    def tool(self, *words):
        return subprocess.run([sys.executable, str(TOOL), "--readme", str(self.readme), "--results", str(self.folder), *words],
                              capture_output=True, text=True, check=False)

    def add(self, name, data):
        (self.folder / name).write_text(json.dumps(data), encoding="utf-8")

    def test_without_results_nothing_is_claimed(self):
        self.assertEqual(self.tool().returncode, 0)
        text = self.readme.read_text(encoding="utf-8")
        self.assertEqual(text.count("not measured yet"), 7)  # six lines on the CPU, the GPU
        self.assertTrue(text.startswith("before\n") and text.endswith("after\n") and "old" not in text)

    def test_newest_result_counts(self):
        self.add("cpu-cnn-2026-02-01-z.json", cpu_result("2026-02-01", 200))
        self.add("cpu-cnn-2026-03-01-a.json", cpu_result("2026-03-01", 100))
        self.tool()
        text = self.readme.read_text(encoding="utf-8")
        self.assertIn("| 100.0 ms | 300.0 ms, 3.00x | 200.0 ms, 2.00x | - | 1/3.0 and 1/2.0 |", text)
        self.assertNotIn("400.0 ms", text)

    def test_sizes_and_inference_have_lines_of_their_own(self):
        def add(what, ms, peer):
            rows = [{"program": program, "precision": precision, "ms_per_step": value, "peak_rss_bytes": value, "rounds": [{"batch": 1}]}
                    for program, precision, value in [("cudacards", "fp32", ms), ("cudacards", "bf16", ms / 2), (peer, "fp32", 2 * ms)]]
            self.add(f"cpu-mobilenetv2-0.35{what}-2026-03-01-a.json",
                     {"date": "2026-03-01", "commit": "a", "device": {"cpu": "X", "threads": 2}, "results": rows})
        add("", 100, "pytorch")
        add("-128px", 40, "pytorch")
        add("-infer-batch1", 1, "onnxruntime")
        self.tool()
        text = self.readme.read_text(encoding="utf-8")
        self.assertIn("| mobilenetv2 0.35 training step, batch 1, fp32 | X, 2 threads, 2026-03-01 | 100.0 ms | 200.0 ms, 2.00x | - | - |", text)
        self.assertIn("| mobilenetv2 0.35 training step at 128 px, batch 1, fp32 | X, 2 threads, 2026-03-01 | 40.0 ms |", text)
        # A peer of one precision stands against both of ours.
        self.assertIn("| mobilenetv2 0.35 inference, batch 1, fp32 | X, 2 threads, 2026-03-01 | 1.00 ms | - | - | 2.00 ms, 2.00x |", text)
        self.assertIn("| mobilenetv2 0.35 inference, batch 1, bf16 | X, 2 threads, 2026-03-01 | 0.500 ms | - | - | 2.00 ms (fp32), 4.00x |",
                      text)

    def test_gpu_result_with_figures_makes_a_table(self):
        self.add("gpu-x1-2026-03-01-abc.json", gpu_result("2026-03-01", 0.25))
        self.add("gpu-x1-2026-04-01-abc.json", {"date": "2026-04-01", "commit": "c", "device": {"name": "X"}, "parts": {}})  # no figures
        self.tool()
        text = self.readme.read_text(encoding="utf-8")
        self.assertIn("On NVIDIA X1 (2026-03-01, commit abc; `bench/results/gpu-x1-2026-03-01-abc.json`)", text)
        self.assertIn("| cnn training step, batch 32, bf16 | 0.250 ms | 1.00 ms (4.00x) |", text)

    def test_check_notices_and_changes_nothing(self):
        self.tool()
        self.assertEqual(self.tool("--check").returncode, 0)
        self.add("cpu-mlp-2026-03-01-a.json", cpu_result("2026-03-01", 100))
        before = self.readme.read_text(encoding="utf-8")
        done = self.tool("--check")
        self.assertEqual(done.returncode, 1)
        self.assertIn("make performance-table", done.stderr)
        self.assertEqual(self.readme.read_text(encoding="utf-8"), before)

    def test_readme_without_a_place_for_it_is_refused(self):
        self.readme.write_text("nothing\n", encoding="utf-8")
        self.assertEqual(self.tool().returncode, 1)


if __name__ == "__main__":
    unittest.main()
