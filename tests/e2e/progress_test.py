"""What a terminal shows while something goes on, and what a pipe gets instead."""

import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import termios
import unittest

import harness

COMPOSE = """
name: shop
services:
  web:
    image: busybox-test:latest
    command: [sleep, "100000"]
    stop_signal: SIGKILL
    depends_on: {first: {condition: service_completed_successfully}}
  first:
    image: busybox-test:latest
    command: [sleep, "1"]
"""

UP = re.compile(r"\x1b\[(\d+)A")


class Progress(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.cluster = harness.Cluster().start()
        cls.addClassCleanup(cls.cluster.close)
        harness.busybox_image(cls.cluster, "busybox-test:latest")
        cls.file = harness.write(cls.cluster.folder, "compose.yaml", COMPOSE)

    def on_terminal(self, *arguments, columns=60, pieces=(), **variables):
        """What a terminal of that width is sent, and the exit code. `pieces` come through a pipe: each is the bytes and
        what must be seen before the next."""
        environment = {k: v for k, v in self.cluster.environment().items() if k != "NO_COLOR"}
        environment |= {"TERM": "xterm"} | variables
        pieces = list(pieces)
        out, into = os.pipe()
        pid, fd = pty.fork()
        if pid == 0:
            if pieces:
                os.dup2(out, 0)
            os.close(into)
            fcntl.ioctl(1, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
            os.execve(harness.ORCHION, [str(harness.ORCHION), *map(str, arguments), "--yes"], environment)
        os.close(out)
        source = open(into, "wb", buffering=0)
        self.addCleanup(source.close)
        seen = b""
        wanted = b""
        while True:
            if wanted is not None and wanted in seen:
                if pieces:
                    data, wanted = pieces.pop(0)
                    source.write(data)
                else:
                    source.close()
                    wanted = None
            self.assertTrue(select.select([fd], [], [], 60)[0], seen)
            try:
                piece = os.read(fd, 4096)
            except OSError:  # nobody has the other end any more
                break
            if not piece:
                break
            seen += piece
        os.close(fd)
        code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        return seen.decode().replace("\r\n", "\n"), code

    def screen(self, text):
        """The lines that are left on the screen."""
        lines, row = [""], 0
        for piece in re.split(r"(\x1b\[\d*[A-Za-z]|\n|\r)", text):
            if match := UP.fullmatch(piece):
                row -= int(match[1])
                self.assertGreaterEqual(row, 0, "nothing above is touched")
            elif piece == "\n":
                row += 1
                if row == len(lines):
                    lines.append("")
            elif piece == "\x1b[J":
                del lines[row:]
                lines.append("")
            elif piece == "\r":
                lines[row] = ""
            elif not piece.startswith("\x1b"):
                lines[row] += piece
        return lines

    def test_up_and_down(self):
        text, code = self.on_terminal("up", "-f", self.file)
        self.assertEqual(code, 0, text)
        self.assertRegex(text, UP, "lines are drawn in their place")
        self.assertIn("\x1b[32m✔\x1b[0m", text)
        self.assertIn("1s", text)
        shown = self.screen(text)
        self.assertEqual([line for line in shown if line.startswith("✔")], ["✔ web    1/1", "✔ first  1/1"], shown)
        text, code = self.on_terminal("down", "--stack", "shop")
        self.assertEqual(code, 0, text)
        shown = self.screen(text)
        self.assertIn("✔ web    gone", shown)
        self.assertIn("shop is gone", shown)

    def test_narrow_terminals_and_those_without_colour(self):
        self.addCleanup(self.cluster.run, "down", "--stack", "shop", "--yes")
        text, code = self.on_terminal("up", "-f", self.file, columns=20, NO_COLOR="1")
        self.assertEqual(code, 0, text)
        self.assertNotRegex(text, r"\x1b\[\d+m")
        self.assertRegex(text, UP)
        drawn = re.findall(r"\r([^\n\x1b]*)\x1b\[K", text)
        self.assertTrue(drawn)
        self.assertLess(max(map(len, drawn)), 20)

    def test_other_places_get_lines(self):
        self.addCleanup(self.cluster.run, "down", "--stack", "shop", "--yes")
        piped = self.cluster.run("up", "-f", self.file, "--yes")
        self.assertNotIn("\x1b", piped.err)
        self.assertIn("shop: web 1/1, first 0/1", piped.err)
        for arguments, variables in ((["--progress", "plain"], {}), ([], {"TERM": "dumb"})):
            text, code = self.on_terminal("restart", "shop/web", *arguments, **variables)
            self.assertEqual((code, text), (0, "shop/web runs\n"))
        text, code = self.on_terminal("restart", "shop/web", "--progress", "quiet")
        self.assertEqual((code, text), (0, ""))
        text, code = self.on_terminal("restart", "shop/web")
        self.assertEqual((code, self.screen(text)), (0, ["✔ web  1/1", ""]))
        forced = self.cluster.run("restart", "shop/web", "--progress", "tty")
        self.assertRegex(forced.err, UP)

    def test_images(self):
        archive = self.cluster.folder / "big.tar"
        layer = self.cluster.folder / "layer"
        layer.mkdir()
        (layer / "data").write_bytes(os.urandom(4 << 20))
        subprocess.run(["tar", "-C", layer, "-cf", archive, "."], check=True)
        text, code = self.on_terminal("image", "import", archive, "big:1", columns=100)
        self.assertEqual(code, 0, text)
        self.assertIn("of 4 MiB sent (", text)
        self.assertRegex("\n".join(self.screen(text)), "✔ big:1  4 MiB sent, unpacking  [0-9]+s\n")
        data = archive.read_bytes()
        text, code = self.on_terminal("image", "import", "-", "big:2", columns=100, pieces=[
            (data[:2 << 20], b" 2 MiB sent  "), (data[2 << 20:], b"")])
        self.assertEqual(code, 0, text)
        text, code = self.on_terminal("image", "pull", "127.0.0.1:5/none:1", columns=100)
        self.assertNotEqual(code, 0)
        self.assertIn("✖ 127.0.0.1:5/none:1  pulling", "\n".join(self.screen(text)))


if __name__ == "__main__":
    harness.main()
