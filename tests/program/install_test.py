"""What `make install` installs runs where it was installed, and nothing of it depends on the build folder.

install_test.py BUILD"""

import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest

BUILD = pathlib.Path(sys.argv.pop(1)).resolve()


class Install(unittest.TestCase):
    def setUp(self):
        temporary = tempfile.TemporaryDirectory()
        self.addCleanup(temporary.cleanup)
        self.prefix = pathlib.Path(temporary.name) / "first place"
        subprocess.run(["cmake", "--install", BUILD, "--prefix", self.prefix], check=True, capture_output=True)

    def test_program_and_documents(self):
        for file in ("bin/cudacards", "share/doc/cudacards/README.md", "share/doc/cudacards/docs/formats.md"):
            self.assertTrue((self.prefix / file).is_file(), file)

    def test_program_finds_the_emulator_wherever_it_is_moved(self):
        moved = self.prefix.with_name("second place")
        shutil.move(self.prefix, moved)
        if not list(moved.glob("lib*/**/libcudacards_emulated.so")):
            self.skipTest("this build has no emulator")
        outcome = subprocess.run([moved / "bin/cudacards", "doctor"], check=True, capture_output=True, text=True,
                                 env=os.environ | {"LD_LIBRARY_PATH": ""}, cwd="/")
        self.assertRegex(outcome.stdout, r"emulator +yes")


if __name__ == "__main__":
    unittest.main()
