"""Tests of bench/compare_gpu.py: turns, ratios and files, with contestants whose times are given."""

import argparse
import json
import pathlib
import stat
import sys
import tempfile
import time
import unittest

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "bench"))
import compare_gpu  # noqa: E402

OPTIONS = argparse.Namespace(tiny=False, rounds=3)
WHAT = ("cnn", "train", 32, "bf16")


class Timed:
    """A contestant that takes its times from a list, the last one for good."""

    def __init__(self, name, *milliseconds):
        self.name, self.milliseconds, self.error, self.asked = name, list(milliseconds), "", []

    def ask(self, request, _):
        self.asked.append(request)
        if self.error:
            return {"error": self.error}
        return {"ms_per_step": self.milliseconds.pop(0) if len(self.milliseconds) > 1 else self.milliseconds[0]}


class Turns(unittest.TestCase):
    def run_turns(self, found, *turns):
        problem, rounds = compare_gpu.Problem(OPTIONS, WHAT), []
        for against in turns:
            problem.run(compare_gpu.in_turn(found, against), time.monotonic() + 60, lambda: rounds.append(problem.result()))
        return problem.result(), rounds

    def test_ratios_are_of_the_turn_in_which_both_were_asked(self):
        # cudacards' machine slows down between the turns: 4 variants x (1 to prepare + 3 rounds) at 2 ms, then 4 ms.
        ours = Timed("cudacards", *[2] * 16, 4)
        found = {"cudacards": ours, "pytorch": Timed("pytorch", 6), "pytorch compile": Timed("pytorch compile", 6)}
        result, _ = self.run_turns(found, "pytorch", "pytorch compile")
        self.assertEqual((result["ratios"]["pytorch eager"], result["ratios"]["pytorch compile"]), (3, 1.5))
        ms = {row["name"]: row["ms_per_step"] for row in result["results"]}
        self.assertEqual((ms["cudacards"], ms["pytorch eager"], ms["pytorch compile"]), (3, 6, 6))
        self.assertEqual(ms.keys(), {*compare_gpu.OURS, *compare_gpu.PYTORCH, *compare_gpu.PYTORCH_COMPILED})

    def test_a_turn_against_the_compiled_peer_asks_cudacards_as_users_run_it(self):
        ours = Timed("cudacards", 2)
        self.run_turns({"cudacards": ours, "pytorch compile": Timed("pytorch compile", 6)}, "pytorch compile")
        self.assertEqual({(request["impl"], request["graph"], request["tune"]) for request in ours.asked}, {("auto", True, True)})

    def test_results_are_there_after_each_round(self):
        _, rounds = self.run_turns({"cudacards": Timed("cudacards", 2), "pytorch": Timed("pytorch", 6)}, "pytorch")
        self.assertEqual(len(rounds), OPTIONS.rounds)
        self.assertEqual(rounds[0]["ratios"]["pytorch eager"], 3)

    def test_one_who_fails_is_named_and_the_others_are_timed(self):
        broken = Timed("pytorch", 6)
        broken.error = "out of memory"
        result, _ = self.run_turns({"cudacards": Timed("cudacards", 2), "pytorch": broken}, "pytorch")
        self.assertEqual(result["errors"]["pytorch eager"], "out of memory")
        self.assertEqual([row["name"] for row in result["results"]], list(compare_gpu.OURS))
        self.assertNotIn("pytorch eager", result["ratios"])

    def test_the_first_turns_are_the_cnns_and_compiling_comes_after_them(self):
        first = compare_gpu.TURNS[:4]
        self.assertEqual({(what[0], what[1], against) for what, against in first}, {("cnn", "train", "pytorch")})
        self.assertEqual({what[3] for what, _ in first}, {"bf16", "fp32"})
        self.assertEqual(compare_gpu.TURNS[4], (WHAT, "pytorch compile"))

    def test_what_is_left_out_has_its_reason(self):
        compiled = Timed("pytorch compile", 6)
        found = {"cudacards": Timed("cudacards", 2), "pytorch compile": compiled}
        self.assertEqual(compare_gpu.why_not("pytorch compile", found, 200), "")
        self.assertEqual(compare_gpu.why_not("pytorch compile", found, 50), "no time to compile")
        self.assertEqual(compare_gpu.why_not("pytorch", found, 5), "no time")
        compiled.error = "no answer in 120 s"
        self.assertEqual(compare_gpu.why_not("pytorch compile", found, 200), "no answer in 120 s")
        self.assertEqual(compare_gpu.why_not("pytorch compile", {}, 200), compare_gpu.NO_PEER)


SERVER = """#!/usr/bin/env python3
import json, sys
print(json.dumps({"ready": True}), flush=True)
for line in sys.stdin:
    request = json.loads(line)
    print(json.dumps({"ms_per_step": 2.0 if request["graph"] else 8.0, "version": request["impl"]}), flush=True)
"""


class Program(unittest.TestCase):
    def test_asks_processes_and_writes_the_file(self):
        with tempfile.TemporaryDirectory() as folder:
            step, out = pathlib.Path(folder) / "step", pathlib.Path(folder) / "out.json"
            step.write_text(SERVER, encoding="utf-8")
            step.chmod(step.stat().st_mode | stat.S_IXUSR)
            words, errors = sys.argv, sys.stderr
            sys.argv = ["compare_gpu.py", "--step", str(step), "--device", "cpu", "--tiny", "--out", str(out)]
            sys.stderr = open("/dev/null", "w", encoding="utf-8")
            try:
                code = compare_gpu.main()
            finally:
                sys.stderr.close()
                sys.argv, sys.stderr = words, errors
            found = json.loads(out.read_text(encoding="utf-8"))
        self.assertEqual(code, 0)
        self.assertEqual([problem["arch"] for problem in found["problems"]], [what[0] for what in compare_gpu.TINY])
        self.assertEqual(found["problems"][0]["ratios"]["cudacards, no graph"], 4)
        self.assertEqual(found["left_out"], [])


if __name__ == "__main__":
    unittest.main()
