"""What is done for tasks that fail: reasons with their last lines, and each way of recovery, in real containers."""

import os
import re
import signal
import unittest

import harness
import lan

FAILS = """
services:
  hungry:
    image: busybox-test:latest
    command: [sh, -c, "echo filling the memory; exec dd if=/dev/zero of=/dev/null bs=64M count=1"]
    deploy: {resources: {limits: {memory: 8m}}}
  leaves:
    image: busybox-test:latest
    command: [sh, -c, "echo one; echo password is swordfish; printf '\\\\033[31mred\\\\033[0m'; exit 3"]
    environment: {DB_PASSWORD: swordfish}
  killed:
    image: busybox-test:latest
    command: [sh, -c, "echo at work; exec sleep 100000"]
  ill:
    image: busybox-test:latest
    command: [sh, -c, "echo listening nowhere; exec sleep 100000"]
    stop_signal: SIGKILL
    x-orchion: {health: {liveness: {tcp: 9, interval: 200ms, retries: 2}}}
  absent:
    image: busybox-test:latest
    command: [/bin/nothing-like-this]
"""

KEEPS = """
services:
  again:
    image: busybox-test:latest
    command: [sh, -c, "echo begun >> /data/begun; exec sleep 100000"]
    stop_signal: SIGKILL
  anew:
    image: busybox-test:latest
    command: [sh, -c, "echo begun >> /data/begun; exec sleep 100000"]
    stop_signal: SIGKILL
    x-orchion: {recovery: recreate}
  left:
    image: busybox-test:latest
    command: [sh, -c, "exec sleep 100000"]
    stop_signal: SIGKILL
    x-orchion: {recovery: nothing}
"""

MENDED = """
services:
  web:
    image: serving:1
    command: [/bin/httpd, -f, -p, "80", -h, /www]
    stop_signal: SIGKILL
    x-orchion:
      health: {liveness: {http: "http://:80/index.html", interval: 300ms, retries: 2}}
      recovery: {command: [mv, /www/away, /www/index.html]}
  beyond:
    image: serving:1
    command: [/bin/httpd, -f, -p, "80", -h, /www]
    stop_signal: SIGKILL
    x-orchion:
      health: {liveness: {http: "http://:80/index.html", interval: 300ms, retries: 2}}
      recovery: {command: "echo no spare part; exit 4"}
  spared:
    image: serving:1
    command: [/bin/httpd, -f, -p, "80", -h, /www]
    stop_signal: SIGKILL
    x-orchion:
      health: {liveness: {http: "http://:80/index.html", interval: 300ms, retries: 2}}
      recovery: nothing
"""

ONCE = """
services:
  once:
    image: busybox-test:latest
    command: [sh, -c, "echo cannot open the book; exit 3"]
    restart: "no"
    healthcheck: {test: [CMD, "true"], interval: 100s}
x-orchion:
  jobs:
    count:
      image: busybox-test:latest
      command: [sh, -c, "echo lost count; exit 5"]
"""

# Lives everywhere but on the first machine.
PICKY = """
services:
  web:
    image: busybox-test:latest
    command:
      - sh
      - -c
      - 'case "$$(ip addr)" in *10.88.0.1/*) echo not on this machine; exit 3;; esac; exec sleep 100000'
    network_mode: host
    stop_signal: SIGKILL
"""


class Recovery(unittest.TestCase):
    def setUp(self):
        self.cluster = harness.Cluster().start()
        self.addCleanup(self.cluster.close)
        harness.busybox_image(self.cluster, "busybox-test:latest")

    def up(self, text, *options):
        file = harness.write(self.cluster.folder, "shop/compose.yaml", text)
        return self.cluster.run("up", "-f", file, "--yes", "--timeout", "10s", *options)

    def task(self, service):
        tasks = [t for t in self.cluster.tasks("shop") if t["spec"]["service"] == service]
        return tasks[-1] if tasks else {"status": {}}

    def status(self, service):
        return self.task(service)["status"]

    def events(self, reason, service):
        return [e["message"] for e in self.cluster.json("events")["events"]
                if e["reason"] == reason and e["message"].startswith(service + ".")]

    def ended(self, service):
        """How it ended, of one that was started again."""
        harness.wait_for(f"{service} to end", lambda: self.status(service).get("lastEnd"))
        return self.cluster.json("inspect", f"shop/{service}.1")["status"]

    def kill(self, service):
        os.kill(int(self.status(service)["pid"]), signal.SIGKILL)

    def runs(self, service):
        return harness.wait_for(f"{service} to run", lambda: self.status(service).get("state") == "RUNNING")

    def inside(self, service, *command):
        return self.cluster.run("exec", f"shop/{service}", "--", *command)

    def test_each_failure_has_a_reason_and_its_last_lines(self):
        self.up(FAILS)
        hungry = self.ended("hungry")
        self.assertEqual(hungry["lastEnd"], "used more than its 8 MiB of memory and was killed: raise its limit")
        self.assertEqual(hungry["lastOutput"], ["filling the memory"])
        leaves = self.ended("leaves")
        self.assertEqual(leaves["lastEnd"], "exited with 3")
        self.assertEqual(leaves["lastOutput"], ["one", "password is <redacted>", "red"])
        self.runs("killed")
        self.kill("killed")
        killed = self.ended("killed")
        self.assertEqual(killed["lastEnd"], "was killed by signal 9")
        self.assertEqual(killed["lastOutput"], ["at work"])
        ill = self.ended("ill")
        self.assertRegex(ill["lastEnd"], r"^failed its health check 2 times: .*refused")
        self.assertEqual(ill["lastOutput"], ["listening nowhere"])
        self.assertRegex(self.ended("absent")["lastEnd"], r"/bin/nothing-like-this")

        # A crash loop says when it goes on.
        harness.wait_for("its pause", lambda: re.search(
            r"exited with 3; restarts in \d+\.\d s, after \d+ failures", self.cluster.ok("ps", "--stack", "shop")))
        self.assertRegex(self.events("TaskRestarted", "hungry")[0],
                         r'^hungry\.1 used more than its 8 MiB .*; it last said "filling the memory"$')
        self.assertRegex(self.events("TaskRestarted", "leaves")[0], r'^leaves\.1 exited with 3; .* last said "red"$')
        self.assertRegex(self.events("TaskUnhealthy", "ill")[0], r"^ill\.1 is unhealthy \(.*refused.*\) and is restarted$")

    def test_up_and_job_run_print_them(self):
        out = self.up(ONCE, "--wait")
        self.assertEqual(out.code, 1, out)
        self.assertIn("orchion: shop/once.1: exited with 3\n  | cannot open the book\n", out.err)
        self.assertEqual(self.events("TaskFailed", "once"),
                         ["once.1 failed: exited with 3; it stays as it is, as its service says; "
                          'it last said "cannot open the book"'])
        job = self.cluster.run("job", "run", "shop/count", "--wait")
        self.assertEqual(job.code, 5, job)
        self.assertRegex(job.err, r"exited with 5\ncount\.1\.0:\n  \| lost count\n")

    def test_restart_keeps_the_writable_layer_and_recreate_does_not(self):
        self.up(KEEPS)
        before = {service: self.task(service)["meta"]["uid"] for service in ("again", "anew", "left")}
        for service in ("again", "anew", "left"):
            self.runs(service)
            self.kill(service)
        harness.wait_for("the other container", lambda: self.task("anew")["meta"]["uid"] != before["anew"])
        self.runs("anew")
        harness.wait_for("the restart", lambda: self.status("again").get("restarts", 0) == 1)
        self.runs("again")
        self.assertEqual(self.task("again")["meta"]["uid"], before["again"])
        harness.wait_for("its file", lambda: self.inside("again", "cat", "/data/begun").out == "begun\nbegun\n")
        harness.wait_for("its file", lambda: self.inside("anew", "cat", "/data/begun").out == "begun\n")
        self.assertEqual(self.events("TaskReplaced", "anew"), ["anew.1 ended (was killed by signal 9) and is made anew"])
        self.assertEqual((self.status("left")["state"], self.status("left")["message"]),
                         ("FAILED", "was killed by signal 9"))
        self.assertEqual(self.task("left")["meta"]["uid"], before["left"])

    def test_a_command_mends_the_container(self):
        harness.web_image(self.cluster, "serving:1")
        out = self.up(MENDED)
        self.assertEqual(out.code, 0, out)
        services = ("web", "beyond", "spared")
        for service in services:
            harness.wait_for(f"{service}'s health", lambda: self.status(service).get("health") == "HEALTH_GOOD")
        before = {service: self.status(service)["pid"] for service in services}
        for service in services:
            self.cluster.ok("exec", f"shop/{service}", "--", "mv", "/www/index.html", "/www/away")
        harness.wait_for("the event", lambda: self.events("TaskUnhealthy", "web"))
        self.assertRegex(self.events("TaskUnhealthy", "web")[0], r"\(HTTP status 404.*\) and has its recovery command run$")
        harness.wait_for("its health", lambda: self.status("web").get("health") == "HEALTH_GOOD")
        self.assertEqual((self.status("web")["pid"], self.status("web")["attempt"]), (before["web"], 1))

        harness.wait_for("the restart", lambda: self.status("beyond").get("restarts", 0) > 0)
        self.assertRegex(self.status("beyond")["lastEnd"],
                         r"^failed its health check \d+ times: HTTP status 404.*; its recovery command failed: "
                         r"exit code 4: no spare part")
        harness.wait_for("the event", lambda: self.events("TaskUnhealthy", "spared"))
        self.assertRegex(self.events("TaskUnhealthy", "spared")[0], r"and stays as it is, as its service says$")
        self.assertEqual((self.status("spared")["pid"], self.status("spared")["health"]),
                         (before["spared"], "HEALTH_BAD"))

    def test_what_cannot_be_is_refused_with_its_place(self):
        out = self.up('services: {a: {image: b, restart: "no", x-orchion: {recovery: move}}}')
        self.assertRegex(out.err, r'compose\.yaml:1:\d+: `restart: "no"` leaves nothing to recover')
        out = self.up("services: {a: {image: b, x-orchion: {recovery: {command: mend}}}}")
        self.assertRegex(out.err, r"compose\.yaml:1:\d+: no check of this file says when to run the command")


class Moving(unittest.TestCase):
    def setUp(self):
        lan.make_wire()
        self.one = lan.Machine(1)
        self.addCleanup(self.one.close)
        self.one.start()
        self.two = lan.Machine(2)
        self.addCleanup(self.two.close)
        self.addCleanup(self.one.run, "stop-all", "--yes")
        harness.busybox_image(self.one, "busybox-test:latest")

    def events(self, reason):
        return [e["message"] for e in self.one.json("events")["events"] if e["reason"] == reason]

    def on_second(self):
        return [t for t in self.one.tasks("shop")
                if t["spec"].get("assignment", {}).get("node") == "machine-2" and t["status"]["state"] == "RUNNING"]

    def test_what_cannot_live_on_one_machine_moves_to_the_other(self):
        file = harness.write(self.one.folder, "shop/compose.yaml", PICKY)
        self.one.run("up", "-f", file, "--yes", "--timeout", "3s")
        harness.wait_for("five failures", lambda: self.one.tasks("shop")[-1]["status"].get("failures", 0) >= 5)
        self.assertEqual(self.events("TaskMoves"), [])
        self.two.join(self.one)
        harness.wait_for("its life on the other", self.on_second, 60)
        self.assertRegex(self.events("TaskMoves")[0],
                         r"^web\.1 failed \d+ times in a row on node machine-1 and is moved: exited with 3; "
                         r'.*it last said "not on this machine"$')

    def test_what_is_to_move_says_where_it_stays_and_moves_when_it_can(self):
        text = PICKY + "    x-orchion: {recovery: move}\n"
        file = harness.write(self.one.folder, "shop/compose.yaml", text)
        self.one.run("up", "-f", file, "--yes", "--timeout", "3s")
        harness.wait_for("the first failure", lambda: self.events("TaskNotMoved"))
        self.assertEqual(self.events("TaskNotMoved")[0], "web.1 stays on node machine-1, since no other can have it")
        self.two.join(self.one)
        harness.wait_for("its life on the other", self.on_second, 60)
        self.assertRegex(self.events("TaskReplaced")[0], r"^web\.1 ended \(exited with 3\) and is moved; it last said")


if __name__ == "__main__":
    harness.main()
