"""A reader that goes away, as in `cudacards ... | head`, ends a command quietly, whether it was writing or had files to finish.

closed_pipe_test.py PROGRAM"""

import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import unittest

PROGRAM = pathlib.Path(sys.argv.pop(1)).resolve()


class ClosedPipe(unittest.TestCase):
    def end_of(self, *words, cwd=None):
        process = subprocess.Popen([PROGRAM, *words], cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        process.stdout.close()
        with process.stderr:
            errors = process.stderr.read()
        self.assertNotIn("cudacards:", errors)
        return process.wait()

    def test_while_results_are_written(self):
        self.assertEqual(self.end_of("summary"), -signal.SIGPIPE)

    def test_when_files_are_finished_first(self):
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder)
            subprocess.run([PROGRAM, "data", "make", "deck", "--per-class", "1", "--size", "32"], cwd=path, check=True, capture_output=True)
            for copy in range(300):  # more pairs than a buffer holds
                shutil.copy(path / "deck/train/joker/001.jpg", path / f"deck/train/joker/a{copy:03}.jpg")
            for words in (["--top", "1"], ["--top", "100000", "--json"]):
                self.assertEqual(self.end_of("data", "duplicates", "deck", *words, cwd=path), 128 + signal.SIGPIPE)


if __name__ == "__main__":
    unittest.main()
