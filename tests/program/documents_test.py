"""The documents say what the program does: README's commands and the tour's lines are run, with fewer pictures and epochs than they
name, and the messages of docs/troubleshooting.md are the program's.

documents_test.py PROGRAM"""

import os
import pathlib
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import unittest

PROGRAM = pathlib.Path(sys.argv.pop(1)).resolve()
ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
README, TOUR, TROUBLES = (ROOT / name for name in ("README.md", "docs/tour.md", "docs/troubleshooting.md"))

# What makes a documented command quick, and leaves everything else of it.
SHORTER = ((r"--epochs \d+", "--epochs 1"), (r"--per-class \d+", "--per-class 1"), (r"--image-size \d+", "--image-size 16"),
           (r"(cudacards data make (?!.*--scenes).*)", r"\1 --size 32"), (r"(cudacards train (?!--resume).*)", r"\1 --image-size 16 --epochs 1"))
# README has placeholders; these are there in the folder that its commands run in.
PLACEHOLDERS = {"DATA": "cards", "photos": "cards", "RUN": "tiny", "DIR": "new", "SRC": "torch.safetensors", "F": "file",
                "folder": "cards/test"}


def shortened(command):
    for pattern, replacement in SHORTER:
        command = re.sub(pattern, replacement, command)
    # An option that is then there twice is meant once, the first time.
    for option in ("--epochs", "--image-size"):
        first, *others = command.split(f" {option} ")
        command = f" {option} ".join([first, *others[:1]]) + "".join(" " + " ".join(other.split()[1:]) for other in others[1:])
    return command.rstrip()


def fenced(path):
    """The lines of ``` blocks that name no language: those are to be typed."""
    lines, language = [], None
    for line in path.read_text(encoding="utf-8").splitlines():
        if line.startswith("```"):
            language = line[3:] if language is None else None
        elif language == "" and line.strip():
            lines.append(line.split("  #")[0].strip())
    return lines


class Documents(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        temporary = tempfile.TemporaryDirectory()
        cls.addClassCleanup(temporary.cleanup)
        cls.folder = pathlib.Path(temporary.name)
        cls.environment = os.environ | {"PATH": f"{PROGRAM.parent}:{os.environ['PATH']}", "XDG_CACHE_HOME": str(cls.folder / "cache")}

    def run_line(self, line, folder, **options):
        with self.subTest(line):
            outcome = subprocess.run(["bash", "-c", line], cwd=folder, env=self.environment, capture_output=True, text=True, check=False,
                                     **options)
            self.assertEqual(outcome.returncode, 0, f"{line}\n{outcome.stderr}")
            return outcome

    def test_commands_of_readme(self):
        folder = self.folder / "readme"
        folder.mkdir()
        self.run_line(shortened("cudacards data make cards --per-class 1"), folder)
        self.run_line(shortened("cudacards train cards --arch mlp --out tiny"), folder)
        self.run_line("cudacards train cards --arch mobilenetv2 --width 0.35 --preset notebook --image-size 32 --epochs 1 --out net && "
                      "cudacards export net --safetensors torch.safetensors", folder)
        self.run_line("cudacards data make scenes --scenes 1", folder)
        for name in ("table.jpg", "photo.jpg"):
            shutil.copy(folder / "scenes/0001.jpg", folder / name)
        shutil.copy(next((folder / "cards/test").rglob("*.jpg")), folder / "picture.jpg")
        commands = [line for line in fenced(README) if line.startswith("cudacards ")]
        self.assertGreater(len(commands), 2)
        commands += re.findall(r"^\| `(cudacards [^`]*)`", README.read_text(encoding="utf-8"), re.M)
        self.assertGreater(len(commands), 15)
        for command in commands:
            words = [PLACEHOLDERS.get(word, word) for word in shlex.split(shortened(command))]
            with open(folder / "picture.jpg", "rb") as picture:
                self.run_line(shlex.join(words), folder, stdin=picture)

    def test_targets_that_readme_names_are_there(self):
        targets = {target for document in (README, TOUR)
                   for target in re.findall(r"(?:^|`)make ([a-z][a-z-]*)", document.read_text(encoding="utf-8"), re.M)}
        self.assertLessEqual({"train", "test", "build", "install"}, targets)
        for target in targets:
            subprocess.run(["make", "-C", ROOT, "--dry-run", target], check=True, capture_output=True)

    def test_tour(self):
        folder = self.folder / "tour"
        folder.mkdir()
        lines = fenced(TOUR)
        self.assertGreater(len(lines), 8)
        for line in lines:
            if line.startswith("cudacards "):
                self.run_line(shortened(line), folder)
            else:  # what builds the program, and says where it is
                self.assertIn(line, ("make build", "export PATH=$PWD/build:$PATH"))
        self.assertTrue((folder / "runs/first/report.html").is_file())

    def test_documents_that_are_named_are_there(self):
        for document in (README, *(ROOT / "docs").glob("*.md")):
            text = document.read_text(encoding="utf-8")
            named = re.findall(r"\bdocs/[\w/-]+\.\w+", text)
            linked = [str((document.parent / link).resolve().relative_to(ROOT)) for link in re.findall(r"\]\((?!http)([^)#]+)\)", text)]
            for name in named + linked:
                self.assertTrue((ROOT / name).exists(), f"{document.name} names {name}")

    def test_messages_are_the_programs(self):
        said = ""
        for source in (path for room in ("host", "weights") for path in (ROOT / room).rglob("*.cpp")):
            literals = re.sub(r'"\s*\n\s*"', "", source.read_text(encoding="utf-8"))
            said += "\n".join(re.findall(r'"((?:[^"\\\n]|\\.)*)"', literals)) + "\n"
        messages = re.findall(r"^\| `([^`]*)`", TROUBLES.read_text(encoding="utf-8"), re.M)
        self.assertGreater(len(messages), 20)
        for message in messages:
            for part in filter(None, (part.strip(" :") for part in message.split("..."))):
                self.assertTrue(part in said, f"no source says \"{part}\"")


if __name__ == "__main__":
    unittest.main()
