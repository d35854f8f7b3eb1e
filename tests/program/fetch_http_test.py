"""cudacards weights fetch over HTTP, from a server on 127.0.0.1: whole, cut off, without ranges, moved, gone, another file.

fetch_http_test.py PROGRAM"""

import hashlib
import http.server
import os
import pathlib
import random
import subprocess
import sys
import tempfile
import threading
import unittest

PROGRAM = pathlib.Path(sys.argv.pop(1)).resolve()
CONTENT = random.Random(1).randbytes(300_003)


class Server(http.server.ThreadingHTTPServer):
    """Gives CONTENT at /file. `requests` are the paths and Range headers it was asked for, in order."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.requests, self.cut_after, self.has_ranges, self.content = [], None, True, CONTENT

    def url(self, path):
        return f"http://127.0.0.1:{self.server_port}{path}"


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        asked = self.headers.get("Range")
        self.server.requests.append((self.path, asked))
        if self.path == "/moved":
            self.send_response(302)
            self.send_header("Location", self.server.url("/file"))
            self.end_headers()
        elif self.path == "/round":
            self.send_response(302)
            self.send_header("Location", "/round")
            self.end_headers()
        elif self.path == "/to-a-file":
            self.send_response(302)
            self.send_header("Location", "file:///etc/passwd")
            self.end_headers()
        elif self.path == "/file":
            self.send_file(int(asked.removeprefix("bytes=").split("-")[0]) if asked and self.server.has_ranges else 0)
        else:
            self.send_error(404)

    def send_file(self, begin):
        content = self.server.content
        self.send_response(206 if begin else 200)
        self.send_header("Content-Length", str(len(content) - begin))
        if begin:
            self.send_header("Content-Range", f"bytes {begin}-{len(content) - 1}/{len(content)}")
        self.end_headers()
        self.wfile.write(content[begin:self.server.cut_after])

    def log_message(self, *_):
        pass


class Fetch(unittest.TestCase):
    def setUp(self):
        temporary = tempfile.TemporaryDirectory()
        self.addCleanup(temporary.cleanup)
        self.folder = pathlib.Path(temporary.name)
        self.file, self.part = self.folder / "w.bin", self.folder / "w.bin.part"
        self.server = Server()
        self.addCleanup(self.server.server_close)
        thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        self.addCleanup(thread.join)
        self.addCleanup(self.server.shutdown)

    def fetch(self, path="/file"):
        manifest = self.folder / "MANIFEST"
        manifest.write_text(f'[w]\ndescription = "words"\nfile = "w.bin"\nurl = "{self.server.url(path)}"\nsize = {len(CONTENT)}\n'
                            f'sha256 = "{hashlib.sha256(CONTENT).hexdigest()}"\nlicence = "none"\n', encoding="utf-8")
        outcome = subprocess.run([PROGRAM, "weights", "fetch", "w", "--manifest", manifest, "--dir", self.folder],
                                 capture_output=True, text=True, check=False, env=os.environ | {"no_proxy": "127.0.0.1"})
        announced, *errors = outcome.stderr.splitlines()
        self.assertEqual(announced, f"w: {self.server.url(path)}, 0.3 MiB, licence none")
        self.assertEqual(len(errors), 1 if outcome.returncode else 0, outcome.stderr)
        return outcome

    def assert_fetched(self, outcome):
        self.assertEqual(outcome.returncode, 0, outcome.stderr)
        self.assertEqual(self.file.read_bytes(), CONTENT)
        self.assertFalse(self.part.exists())

    def test_whole_file(self):
        outcome = self.fetch()
        self.assert_fetched(outcome)
        self.assertEqual(outcome.stdout, f"{self.file}\n")
        self.assert_fetched(self.fetch())
        self.assertEqual(self.server.requests, [("/file", None)], "what is there is not asked for again")

    def test_redirection_is_followed(self):
        self.assert_fetched(self.fetch("/moved"))

    def test_redirections_without_end_and_to_local_files_are_refused(self):
        for path, why in (("/round", "redirects"), ("/to-a-file", "rotocol")):
            outcome = self.fetch(path)
            self.assertEqual(outcome.returncode, 1)
            self.assertIn("cannot fetch http://127.0.0.1", outcome.stderr)
            self.assertIn(why, outcome.stderr)
        self.assertFalse(self.file.exists())

    def test_goes_on_where_the_connection_was_cut(self):
        self.server.cut_after = 100_000
        outcome = self.fetch()
        self.assertEqual(outcome.returncode, 1)
        self.assertIn(f"100000 of {len(CONTENT)} bytes are kept in {self.part}", outcome.stderr)
        self.assertFalse(self.file.exists())
        self.server.cut_after = None
        self.assert_fetched(self.fetch())
        self.assertEqual(self.server.requests[-1], ("/file", "bytes=100000-"))

    def test_begins_anew_where_the_server_has_no_ranges(self):
        self.part.write_bytes(b"x" * 1000)
        self.server.has_ranges = False
        self.assert_fetched(self.fetch())

    def test_another_file_is_removed(self):
        self.server.content = CONTENT[:-1] + bytes([CONTENT[-1] ^ 1])
        outcome = self.fetch()
        self.assertEqual(outcome.returncode, 1)
        self.assertIn("gave another file, which was removed", outcome.stderr)
        self.assertFalse(self.file.exists() or self.part.exists())

    def test_longer_file_is_not_read_to_its_end(self):
        self.server.content = CONTENT + b"more"
        outcome = self.fetch()
        self.assertEqual(outcome.returncode, 1)
        self.assertIn(f"gives more than the {len(CONTENT)} bytes", outcome.stderr)
        self.assertFalse(self.file.exists() or self.part.exists())

    def test_missing_file_and_missing_server(self):
        outcome = self.fetch("/gone")
        self.assertEqual(outcome.returncode, 1)
        self.assertIn("404", outcome.stderr)
        self.assertFalse(self.part.exists(), "nothing came, nothing is kept")
        self.server.shutdown()
        self.server.server_close()
        outcome = self.fetch()
        self.assertEqual(outcome.returncode, 1)
        self.assertIn("cannot fetch http://127.0.0.1", outcome.stderr)


if __name__ == "__main__":
    unittest.main()
