"""What tasks use: a container that is known to burn, hold, write and receive so much is said to do so."""

import fcntl
import json
import os
import pty
import re
import select
import signal
import struct
import subprocess
import termios
import time
import unittest

import harness

MIB = 1 << 20
COMPOSE = """
name: shop
services:
  web:
    image: busybox-test:latest
    command: [sh, -c, "dd if=/dev/zero of=/www/big bs=1M count=8; exec httpd -f -p 80 -h /www"]
    stop_signal: SIGKILL
  load:
    image: busybox-test:latest
    command:
      - sh
      - -c
      - |
        dd if=/dev/zero of=/dev/shm/held bs=1M count=24
        dd if=/dev/zero of=/data/written bs=1M count=16 conv=fsync
        until wget -q -O /data/received http://web/big; do sleep 0.1; done
        sleep 100000 &
        touch /tmp/ready
        exec yes > /dev/null
    stop_signal: SIGKILL
    mem_limit: 128m
    cpus: 0.5
  idle:
    image: busybox-test:latest
    command: [sleep, "100000"]
    stop_signal: SIGKILL
  host:
    image: busybox-test:latest
    command: [sleep, "100000"]
    stop_signal: SIGKILL
    network_mode: host
"""
SERVICES = ["host", "idle", "load", "web"]


class Usage(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.cluster = harness.Cluster().start()
        cls.addClassCleanup(cls.cluster.close)
        harness.busybox_image(cls.cluster, "busybox-test:latest")
        cls.cluster.ok("up", "-f", harness.write(cls.cluster.folder, "compose.yaml", COMPOSE))
        harness.wait_for("the load to be there", lambda: cls.cluster.run(
            "exec", "shop/load", "--", "test", "-e", "/tmp/ready").code == 0)

    def usages(self, query=""):
        status, _, text = self.cluster.request("GET", "/v1/usage" + query)
        self.assertEqual(status, 200, text)
        return {usage["service"]: usage for usage in json.loads(text)["tasks"]}

    def cpu_seconds(self, pid):
        with open(f"/proc/{pid}/stat") as file:
            fields = file.read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def follow(self, *arguments):
        process = subprocess.Popen([harness.ORCHION, "top", "-f", *arguments], stdout=subprocess.PIPE, text=True,
                                   env=self.cluster.environment())
        self.addCleanup(process.stdout.close)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        return process

    def test_figures_are_right(self):
        usages = self.usages()
        self.assertEqual(sorted(usages), SERVICES)
        load, web, idle, host = (usages[name] for name in ("load", "web", "idle", "host"))
        self.assertEqual((load["stack"], load["slot"]), ("shop", 1))
        task = next(task for task in self.cluster.tasks("shop") if task["spec"]["service"] == "load")
        self.assertEqual((load["task"], load["taskUid"], load["node"]), (
            task["meta"]["name"], task["meta"]["uid"], task["spec"]["assignment"]["node"]))

        self.assertEqual(int(load["memoryLimitBytes"]), 128 * MIB)
        self.assertEqual(int(idle["memoryLimitBytes"]), 0)
        self.assertTrue(24 * MIB <= int(load["memoryBytes"]) < 48 * MIB, load)
        self.assertTrue(0 < int(idle["memoryBytes"]) < 16 * MIB, idle)
        self.assertTrue(16 * MIB <= int(load["diskWrittenBytes"]) < 40 * MIB, load)
        self.assertLess(int(idle["diskWrittenBytes"]), MIB)
        self.assertTrue(8 * MIB <= int(load["networkReceivedBytes"]) < 10 * MIB, load)
        self.assertTrue(8 * MIB <= int(web["networkSentBytes"]) < 10 * MIB, web)
        self.assertEqual((host["networkReceivedBytes"], host["networkSentBytes"]), ("0", "0"))
        self.assertEqual((load["processes"], idle["processes"]), (2, 1))

    def test_processor_time_is_the_process_s_own(self):
        pid = next(task["status"]["pid"] for task in self.cluster.tasks("shop") if task["spec"]["service"] == "load")
        before, said_before = self.cpu_seconds(pid), int(self.usages()["load"]["cpuNanoseconds"]) / 1e9
        harness.wait_for("it to have run for a second", lambda: self.cpu_seconds(pid) > before + 1)
        usage = self.usages()["load"]
        after, said_after = self.cpu_seconds(pid), int(usage["cpuNanoseconds"]) / 1e9
        self.assertAlmostEqual(said_after - said_before, after - before, delta=0.3)
        self.assertTrue(0.05 < usage["cpuCores"] < 0.9, f"half a processor is what it may have: {usage}")
        self.assertLess(self.usages()["idle"]["cpuCores"], 0.1)

    def test_a_part_is_asked_for(self):
        self.assertEqual(list(self.usages("?stack=shop&service=idle")), ["idle"])
        self.assertEqual(self.cluster.request("GET", "/v1/usage?stack=nope")[0], 404)
        self.assertEqual(self.cluster.request("GET", "/v1/usage/watch?intervalMs=1")[0], 400)

    def test_top_prints_once_without_a_terminal(self):
        table = self.cluster.ok("top", "shop", "--sort", "name").splitlines()
        self.assertRegex(table[0], "^TASK +CPU +MEMORY +NETWORK IN / OUT +DISK READ / WRITTEN +PROCESSES$")
        self.assertEqual([line.split()[0] for line in table[1:]], [f"shop/{name}.1" for name in SERVICES])
        self.assertRegex(table[3], r"%  \d[\d.]* MiB / 128 MiB  ")
        self.assertTrue(self.cluster.ok("top").splitlines()[1].startswith("shop/load.1"), "the busiest stands first")
        data = self.cluster.json("top", "shop/idle")
        self.assertEqual([usage["service"] for usage in data["tasks"]], ["idle"])
        self.assertEqual(set(data["tasks"][0]), set(self.usages()["idle"]), "as REST has it")
        self.assertEqual(self.cluster.ok("top", "shop/load", "-o", "name"), "shop/load.1\n")
        self.assertIn("shop/web.1\n", self.cluster.ok("top", "-o", "name", "--stack", "shop"))
        self.assertEqual(self.cluster.ok("top", "-o", "template={service}", "shop/web"), "web\n")
        self.assertEqual(self.cluster.run("top", "nope").code, 3)
        self.assertEqual(self.cluster.run("top", "shop/web.1").code, 2)
        self.assertEqual(self.cluster.run("top", "--interval", "1ms").code, 2)

    def test_a_stream_has_tasks_that_begin_and_loses_those_that_end(self):
        process = self.follow("shop/idle", "-o", "json", "--interval", "200ms")
        slots = lambda: sorted(usage["slot"] for usage in json.loads(process.stdout.readline())["tasks"])
        self.assertEqual(slots(), [1])
        self.cluster.ok("scale", "shop/idle=3")
        harness.wait_for("the new ones", lambda: slots() == [1, 2, 3])
        self.cluster.ok("scale", "shop/idle=1")
        harness.wait_for("them to be gone", lambda: slots() == [1])
        process.send_signal(signal.SIGINT)
        self.assertEqual(process.wait(30), 130)

    def test_a_stream_goes_on_over_a_restart_of_the_server(self):
        process = self.follow("shop/idle", "-o", "json", "--interval", "200ms")
        before = json.loads(process.stdout.readline())["tasks"][0]
        self.cluster.stop()
        self.cluster.start()
        after = harness.wait_for("what comes after", lambda: next(
            (usage for usage in json.loads(process.stdout.readline())["tasks"] if usage["at"] > before["at"]), None))
        self.assertEqual(after["taskUid"], before["taskUid"])

    def test_nobody_watches_nothing_is_read(self):
        """The agent samples only while somebody looks."""
        def is_probed():
            folder = f"/proc/{self.cluster.process.pid}/fd"
            links = []
            for name in os.listdir(folder):
                try:
                    links.append(os.readlink(f"{folder}/{name}"))
                except FileNotFoundError:  # closed meanwhile
                    pass
            return any(re.fullmatch(r"/proc/\d+", link) for link in links)
        process = self.follow("-o", "json", "--interval", "200ms")
        process.stdout.readline()
        self.assertTrue(is_probed())
        process.kill()
        harness.wait_for("the last sample", lambda: not is_probed())

    def terminal(self, *arguments):
        """`top` on a terminal of its own: its descriptor, the other end's, the process. How it was set before is
        in `self.before`."""
        mine, theirs = pty.openpty()
        self.addCleanup(os.close, mine)
        self.addCleanup(os.close, theirs)
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 100, 0, 0))
        self.before = termios.tcgetattr(theirs)
        process = subprocess.Popen([harness.ORCHION, "top", *arguments], stdin=theirs, stdout=theirs, stderr=theirs,
                                   env=self.cluster.environment() | {"TERM": "xterm"}, start_new_session=True)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        return mine, theirs, process

    def read_until(self, fd, text):
        seen = b""
        deadline = time.monotonic() + 30
        while text not in seen:
            self.assertTrue(select.select([fd], [], [], max(deadline - time.monotonic(), 0))[0], seen)
            seen += os.read(fd, 65536)
        return seen

    def test_on_a_terminal_it_is_live_and_a_key_ends_it(self):
        for key, code in ((b"q", 0), (b"\x03", 130)):
            with self.subTest(key):
                fd, theirs, process = self.terminal("shop", "--interval", "200ms")
                screen = self.read_until(fd, b"shop/load.1").decode()
                self.assertIn("4 tasks on 1 node: ", screen)
                self.assertIn("q ends it", screen)
                self.read_until(fd, b"\x1b[6A\r4 tasks")
                os.write(fd, key)
                self.assertEqual(process.wait(30), code)
                self.assertEqual(termios.tcgetattr(theirs)[:4], self.before[:4], "the terminal is as it was")

    def test_once_on_a_terminal(self):
        fd, _, process = self.terminal("--no-stream")
        self.assertNotIn(b"\x1b[", self.read_until(fd, b"shop/idle.1"))
        self.assertEqual(process.wait(30), 0)


if __name__ == "__main__":
    harness.main()
