"""Tests of what packs the GPU bundle and of the empty root in which it is checked, with a program of a line. The real bundle:
Tools.GpuBundleStartsInAnEmptyRootLong."""

import contextlib
import io
import os
import pathlib
import subprocess
import sys
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "tools"))
from gpu_bundle_parts import empty_root, libraries  # noqa: E402
from gpu_bundle_parts.libraries import Failed  # noqa: E402


def compiled(code, target, *words):
    target.parent.mkdir(parents=True, exist_ok=True)
    subprocess.run(["c++", "-x", "c++", "-", "-o", str(target), *map(str, words)], input=code, text=True, check=True)


class Bundle(unittest.TestCase):
    """bundle/bin/hello, which needs bundle/lib/libword.so or one that lies elsewhere."""

    def setUp(self):
        temporary = tempfile.TemporaryDirectory()
        self.addCleanup(temporary.cleanup)
        self.folder = pathlib.Path(temporary.name)

    def build(self, library_folder, rpath):
        compiled('extern "C" const char* word() { return "hello"; }', self.folder / library_folder / "libword.so", "-shared", "-fPIC")
        compiled('#include <cstdio>\nextern "C" const char* word();\nint main(int argc, char**) { std::puts(word()); return argc - 1; }',
                 self.folder / "bundle/bin/hello", f"-L{self.folder / library_folder}", "-lword", f"-Wl,-rpath,{rpath}",
                 "-static-libstdc++", "-static-libgcc")
        archive = self.folder / "bundle.tar"
        subprocess.run(["tar", "-C", self.folder, "-cf", archive, "bundle"], check=True)
        return archive

    def unpacked(self, archive):
        (self.folder / "root").mkdir()
        return empty_root.EmptyRoot(archive, self.folder / "root")

    def test_only_what_is_not_of_the_system_is_packed(self):
        self.build("bundle/lib", "$ORIGIN/../lib")
        self.assertEqual({path.name for path in libraries.needed(self.folder / "bundle/bin/hello")}, {"libword.so"})

    def test_nvidias_libraries_and_the_c_library_stay_where_they_are(self):
        for name in ("libc.so.6", "libm.so.6", "ld-linux-x86-64.so.2", "libcuda.so.1", "libcudnn.so.9", "libcublasLt.so.13"):
            self.assertTrue(libraries.OF_THE_SYSTEM.match(name), name)
        for name in ("libstdc++.so.6", "libgomp.so.1", "libdnnl.so.2", "libcrypto.so.3", "libcurl.so.4"):
            self.assertFalse(libraries.OF_THE_SYSTEM.match(name), name)

    def test_a_library_that_is_missing_is_named(self):
        self.build("elsewhere", "/nowhere")
        with self.assertRaisesRegex(Failed, "needs libword.so, which is not installed here"):
            libraries.needed(self.folder / "bundle/bin/hello")

    def test_newest_glibc(self):
        self.build("bundle/lib", "$ORIGIN/../lib")
        self.assertRegex(libraries.newest_glibc([self.folder / "bundle/bin/hello"]), r"^2\.\d+$")

    def test_a_program_starts_with_what_the_bundle_and_the_c_library_are(self):
        root = self.unpacked(self.build("bundle/lib", "$ORIGIN/../lib"))
        self.assertTrue(any(name.startswith("libc.") for name in root.files_of_the_system()))
        self.assertNotIn("libword.so", root.files_of_the_system())
        if not empty_root.is_permitted():
            self.skipTest("this user may not change the root")
        with contextlib.redirect_stdout(io.StringIO()):
            self.assertEqual(root.expect(0, "^hello$", "hello")[0], "hello\n")
            with self.assertRaisesRegex(Failed, "left with code 1, expected 0"):
                root.expect(0, "hello", "hello", "one more")
            with self.assertRaisesRegex(Failed, "/bye/"):
                root.expect(0, "bye", "hello")

    def test_a_library_of_this_system_is_no_part_of_the_bundle(self):
        archive = self.build("elsewhere", self.folder / "elsewhere")
        with self.assertRaisesRegex(Failed, "libword.so, which hello needs, is taken from this system"):
            self.unpacked(archive)

    def test_no_file_is_a_failure_in_words(self):
        done = subprocess.run([sys.executable, ROOT / "tools/make_gpu_bundle.py", "--check", self.folder / "none.tar.xz"],
                              capture_output=True, text=True, check=False)
        self.assertEqual((done.returncode, done.stderr), (1, f"make_gpu_bundle: {self.folder}/none.tar.xz: no such file\n"))

    def test_a_user_without_rights_may_do_it_in_a_namespace_of_their_own_or_is_told(self):
        words = empty_root.change_root("/somewhere")
        self.assertEqual("--map-root-user" in words, os.geteuid() != 0)
        self.assertEqual(words[-1], "/somewhere")

    def test_the_fakes_are_built_for_the_folders_of_pythons_packages(self):
        empty_root.build_fake("cudnn.cpp", self.folder / "nvidia/cudnn/lib", "libcudnn.so.9", 90500)
        names = subprocess.run(["objdump", "-T", self.folder / "nvidia/cudnn/lib/libcudnn.so.9"], capture_output=True, text=True, check=True)
        self.assertIn("cudnnGetVersion", names.stdout)


class ShrinkPictures(unittest.TestCase):
    def test_pictures_keep_their_folders_and_lose_their_size(self):
        try:
            from PIL import Image
        except ImportError:
            self.skipTest("no Pillow")
        with tempfile.TemporaryDirectory() as name:
            folder = pathlib.Path(name)
            (folder / "from/train/joker").mkdir(parents=True)
            Image.new("RGB", (40, 30), (200, 10, 10)).save(folder / "from/train/joker/a.png")
            (folder / "from/train/joker/b.jpg").write_text("no picture", encoding="utf-8")
            done = subprocess.run([sys.executable, ROOT / "tools/shrink_pictures.py", folder / "from", folder / "to", "--size", "16"],
                                  capture_output=True, text=True, check=False)
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertEqual([path.name for path in folder.glob("to/train/joker/*")], ["a.jpg"])
            self.assertIn("b.jpg is left out", done.stderr)
            with Image.open(folder / "to/train/joker/a.jpg") as small:
                self.assertEqual(small.size, (16, 16))

    def test_wrong_words_are_told_in_a_line(self):
        done = subprocess.run([sys.executable, ROOT / "tools/shrink_pictures.py", "/no/such/folder", "/tmp/none", "--size", "16"],
                              capture_output=True, text=True, check=False)
        self.assertNotEqual(done.returncode, 0)
        self.assertRegex(done.stderr.splitlines()[-1], "no such|is no folder|needs Pillow")


if __name__ == "__main__":
    unittest.main()
