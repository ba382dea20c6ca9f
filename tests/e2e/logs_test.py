#!/usr/bin/env python3
"""Output of containers: searched, filtered, followed, kept, and none of it lost."""

import json
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import threading
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).parent))
import harness  # noqa: E402
from harness import wait_for, write  # noqa: E402

# Words of a service, in its own log.
STORY = r"""
name: story
services:
  web:
    image: box:1
    command: ["sh", "-c", "cat /story/web; sleep 100000"]
    volumes: ["FOLDER:/story:ro"]
    stop_grace_period: 0s
  db:
    image: box:1
    command: ["sh", "-c", "cat /story/db >&2; sleep 100000"]
    volumes: ["FOLDER:/story:ro"]
    stop_grace_period: 0s
"""

WEB = """\
INFO started
{"level":"error","msg":"cannot pay","user":{"id":7},"status":500}
{"level":"info","msg":"paid","user":{"id":8},"status":200}
2026/11/22 12:00:00 [warn] 1#1: slow
a.b*c
aXbbc
"""
DB = """\
2026-11-22 12:00:00.123 UTC [1] LOG:  ready
2026-11-22 12:00:01.123 UTC [1] FATAL:  no such role
"""


class LogsTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.cluster = harness.Cluster().start()
        cls.addClassCleanup(cls.cluster.close)
        cls.folder = tempfile.TemporaryDirectory(prefix="orchion-e2e-logs-")
        cls.addClassCleanup(cls.folder.cleanup)
        harness.busybox_image(cls.cluster, "box:1", applets=("sh", "cat", "sleep", "echo", "seq", "head", "tr", "dd"))

    def up(self, text, name):
        path = write(self.folder.name, f"{name}.yaml", text.replace("FOLDER", self.folder.name))
        self.cluster.ok("up", "-f", str(path))
        self.addCleanup(self.cluster.run, "down", "-f", str(path), "--yes")

    def logs(self, *arguments):
        return self.cluster.ok("logs", *arguments).splitlines()

    def story(self, name="story"):
        write(self.folder.name, "web", WEB)
        write(self.folder.name, "db", DB)
        self.up(STORY.replace("name: story", f"name: {name}"), name)
        wait_for("all lines", lambda: len(self.logs("--stack", name)) == 8)

    def test_chooses_lines(self):
        self.story()
        plain = lambda *arguments: [line.partition(" | ")[2] for line in self.logs("--stack", "story", *arguments)]
        web = WEB.splitlines()
        self.assertEqual(plain("--grep", "a.b[*]c"), ["a.b*c"])
        self.assertEqual(plain("--grep", "a.bb?"), web[4:])
        self.assertEqual(plain("--fixed", "--grep", "a.b*c"), ["a.b*c"])
        self.assertEqual(sorted(plain("--level", "error")), [DB.splitlines()[1], web[1]])
        self.assertEqual(len(plain("--level", "warn")), 3)
        self.assertEqual(plain("--field", "user.id=7"), [web[1]])
        self.assertEqual(plain("--field", "status=200", "--field", "user.id=7"), [])
        self.assertEqual(self.logs("story/web", "-n", "1"), ["web.1 | aXbbc"])
        self.assertEqual(self.logs("story/web", "-n", "1", "--no-prefix"), ["aXbbc"])
        self.assertRegex(self.logs("story/web", "-n", "1", "-t")[0], r"^20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z web\.1 \| aXbbc$")

    def test_says_what_lines_say_of_themselves(self):
        self.story()
        lines = [json.loads(line) for line in self.logs("story/web", "-o", "json")]
        self.assertEqual((lines[0]["level"], lines[0]["line"]), ("LOG_LEVEL_INFO", "INFO started"))
        self.assertEqual((lines[1]["level"], lines[1]["message"]), ("LOG_LEVEL_ERROR", "cannot pay"))
        self.assertEqual(lines[1]["fields"], {"level": "error", "user.id": "7", "status": "500"})
        self.assertEqual((lines[0]["stack"], lines[0]["service"], lines[0]["slot"], lines[0]["stream"]),
                         ("story", "web", 1, "STDOUT"))
        db = json.loads(self.logs("story/db", "-n", "1", "-o", "json")[0])
        self.assertEqual(db["stream"], "STDERR")
        self.assertEqual(self.logs("--task", db["taskUid"], "-n", "1"), ["story/db.1 | " + DB.splitlines()[1]])
        self.assertEqual(sorted({line.partition(" | ")[0] for line in self.logs("--node", db["node"])}),
                         ["story/db.1", "story/web.1"])
        self.assertEqual(len(self.logs("--all")), 8)
        self.assertEqual(self.logs("--node", "elsewhere"), [])

    def test_plain_text_for_curl(self):
        self.story()
        status, headers, text = self.cluster.request("GET", "/v1/logs/text?stack=story&service=web&tail=2")
        self.assertEqual((status, headers["Content-Type"]),
                         (200, "text/plain; charset=utf-8"))
        self.assertEqual(text, "web.1 | a.b*c\nweb.1 | aXbbc\n")

    def test_tasks_that_are_gone_are_still_heard(self):
        self.story("past")
        gone = json.loads(self.logs("past/web", "-n", "1", "-o", "json")[0])["taskUid"]
        self.cluster.ok("restart", "past/web")
        wait_for("the new task's lines", lambda: self.logs("past/web", "-n", "1") == ["web.1 | aXbbc"])
        self.assertEqual(len(self.logs("past/web")), 6)
        self.assertEqual(len(self.logs("past/web", "--previous")), 12)
        self.cluster.ok("down", "--stack", "past", "--yes")
        refused = self.cluster.run("logs", "past/web")
        self.assertEqual(refused.code, 3)
        self.assertIn("--previous", refused.err)
        self.assertEqual(len(self.logs("past/web", "--previous", "--task", gone)), 6)
        self.assertEqual(len(self.logs("--stack", "past", "--previous", "--level", "fatal")), 1)
        self.cluster.stop(signal.SIGKILL)
        self.cluster.start()
        self.assertEqual(len(self.logs("past/web", "--previous", "--task", gone)), 6)

    def test_a_follower_goes_on_with_what_replaces_a_task(self):
        self.up("""
name: turns
services:
  web:
    image: box:1
    command: ["sh", "-c", "echo here; sleep 100000"]
    stop_grace_period: 0s
""", "turns")
        follower = subprocess.Popen([harness.ORCHION, "logs", "-f", "turns/web", "-o", "json"], text=True,
                                    stdout=subprocess.PIPE, env=self.cluster.environment())
        self.addCleanup(follower.wait)
        self.addCleanup(follower.kill)
        first = json.loads(follower.stdout.readline())["taskUid"]
        self.cluster.ok("restart", "turns/web")
        second = json.loads(follower.stdout.readline())["taskUid"]
        self.assertNotEqual(first, second)
        self.cluster.ok("scale", "turns/web=2")
        self.assertEqual(json.loads(follower.stdout.readline())["slot"], 2)
        self.cluster.ok("down", "--stack", "turns", "--yes")
        self.assertEqual(follower.stdout.readline(), "", "nothing is left that could say more")
        self.assertEqual(follower.wait(30), 0)

    def test_a_follower_waits_for_what_is_made_anew(self):
        # After five failures the next task comes after more than a second.
        path = write(self.folder.name, "anew.yaml", """
name: anew
services:
  web:
    image: box:1
    command: ["sh", "-c", "echo here; exit 3"]
    x-orchion: {recovery: recreate}
""")
        self.cluster.run("up", "-f", str(path), "--timeout", "1s")
        self.addCleanup(self.cluster.run, "down", "-f", str(path), "--yes")
        follower = subprocess.Popen([harness.ORCHION, "logs", "-f", "anew/web", "-o", "json"], text=True,
                                    stdout=subprocess.PIPE, env=self.cluster.environment())
        self.addCleanup(follower.stdout.close)
        self.addCleanup(follower.wait)
        self.addCleanup(follower.kill)
        seen = set()
        while len(seen) < 5:
            line = follower.stdout.readline()
            self.assertTrue(line, f"it ended after {len(seen)} tasks")
            seen.add(json.loads(line)["taskUid"])

    def test_a_flood_is_kept_whole_through_rotation_and_kills(self):
        """Lines come quicker than segments are sealed, while the server is killed again and again."""
        count = 300_000
        self.up(f"""
name: flood
services:
  web:
    image: box:1
    command: ["sh", "-c", "seq {count}; sleep 100000"]
    stop_grace_period: 0s
    logging: {{options: {{max-size: 100m}}}}
""", "flood")
        for _ in range(3):
            self.cluster.stop(signal.SIGKILL)
            self.cluster.start()
        wait_for("the last line", lambda: self.logs("flood/web", "-n", "1", "--no-prefix") == [str(count)], 60)
        self.assertEqual(self.logs("flood/web", "--no-prefix"), [str(n) for n in range(1, count + 1)])
        self.assertEqual(self.logs("flood/web", "--no-prefix", "--grep", "^123456$"), ["123456"])
        folder, = self.cluster.data.glob("**/logs/*/00000001.log")
        wait_for("sealed segments", lambda: sum(path.stat().st_size for path in folder.parent.glob("*.log")) < 1_500_000)

    def test_64_mib_without_a_newline(self):
        self.up("""
name: stream
services:
  web:
    image: box:1
    command: ["sh", "-c", "dd if=/dev/zero bs=65536 count=1024 2>/dev/null | tr '\\\\0' x; echo; echo end; sleep 100000"]
    stop_grace_period: 0s
    logging: {options: {max-size: 200m}}
""", "stream")
        wait_for("its end", lambda: self.logs("stream/web", "-n", "1", "--no-prefix") == ["end"], 60)
        lines = self.logs("stream/web", "--no-prefix")
        self.assertEqual(sum(len(line) for line in lines), (64 << 20) + 3)
        self.assertLessEqual(max(len(line) for line in lines), 64 << 10)
        self.assertEqual(len(self.logs("stream/web", "--grep", "y")), 0)

    def test_a_regular_expression_of_doom_takes_linear_time(self):
        self.up("""
name: doom
services:
  web:
    image: box:1
    command: ["sh", "-c", "dd if=/dev/zero bs=60000 count=100 2>/dev/null | tr '\\\\0' a; echo; echo end; sleep 100000"]
    stop_grace_period: 0s
""", "doom")
        wait_for("its end", lambda: self.logs("doom/web", "-n", "1", "--no-prefix") == ["end"], 60)
        began = time.monotonic()
        self.assertEqual(self.logs("doom/web", "--grep", "(a*)*(a|aa)+(a+)+$b"), [])
        self.assertLess(time.monotonic() - began, 10 * harness.PATIENCE)
        self.assertEqual(self.cluster.run("logs", "doom/web", "--grep", "(").code, 2)
        self.assertEqual(self.cluster.run("logs", "doom/web", "--grep", "a{1000}{1000}").code, 2)

    def test_a_line_is_seen_at_once(self):
        os.mkfifo(pathlib.Path(self.folder.name) / "in")
        self.up("""
name: quick
services:
  web:
    image: box:1
    command: ["sh", "-c", "exec cat /pipe/in"]
    volumes: ["FOLDER:/pipe"]
    stop_grace_period: 0s
""", "quick")
        follower = subprocess.Popen([harness.ORCHION, "logs", "-f", "quick/web", "--no-prefix"], text=True,
                                    stdout=subprocess.PIPE, env=self.cluster.environment())
        self.addCleanup(follower.wait)
        self.addCleanup(follower.kill)
        with open(pathlib.Path(self.folder.name) / "in", "w", buffering=1) as pipe:
            pipe.write("warm up\n")
            self.assertEqual(follower.stdout.readline(), "warm up\n")
            times = []
            for number in range(50):
                began = time.monotonic()
                pipe.write(f"{number}\n")
                self.assertEqual(follower.stdout.readline(), f"{number}\n")
                times.append(time.monotonic() - began)
        times.sort()
        print(f"  a line is seen after {times[25] * 1000:.2f} ms, at the 90th percentile {times[45] * 1000:.2f}",
              file=sys.stderr)
        self.assertLess(times[25], 0.005 * harness.PATIENCE)


if __name__ == "__main__":
    harness.main()
