"""Whether tasks are well, by their images' own checks, and what becomes of those that aren't."""

import pathlib
import re
import subprocess
import tempfile
import unittest
import urllib.request

import harness

SECOND = 1_000_000_000
COMPOSE = """
services:
  web:
    image: checked:1
  kept:
    image: checked:1
    restart: "no"
  unchecked:
    image: checked:1
    healthcheck: {disable: true}
  last:
    image: checked:1
    depends_on: {web: {condition: service_healthy}}
"""


class Health(unittest.TestCase):
    def setUp(self):
        self.cluster = harness.Cluster().start()
        self.addCleanup(self.cluster.close)
        harness.web_image(self.cluster, "checked:1", Healthcheck={
            "Test": ["CMD", "/bin/wget", "-qO-", "http://127.0.0.1/"], "Interval": SECOND // 2, "Timeout": 5 * SECOND,
            "Retries": 2})
        file = harness.write(self.cluster.folder, "ill/compose.yaml", COMPOSE)
        self.cluster.ok("up", "-f", file, "--yes")

    def statuses(self):
        return {task["spec"]["service"]: task["status"] for task in self.cluster.tasks("ill")}

    def health(self, service):
        return self.statuses()[service].get("health")

    def test_what_is_unhealthy_is_restarted(self):
        harness.wait_for("the last one's health", lambda: self.health("last") == "HEALTH_GOOD")
        self.assertEqual({s: t["health"] for s, t in self.statuses().items()},
                         {"web": "HEALTH_GOOD", "kept": "HEALTH_GOOD", "last": "HEALTH_GOOD",
                          "unchecked": "NOT_CHECKED"})
        before = self.statuses()
        for service in ("web", "kept", "unchecked"):
            self.cluster.ok("exec", f"ill/{service}", "--", "mv", "/www/index.html", "/www/away")
        harness.wait_for("its restart", lambda: self.statuses()["web"]["attempt"] > 1)
        harness.wait_for("the other's ill health", lambda: self.health("kept") == "HEALTH_BAD")
        table = self.cluster.run("health", "ill")
        self.assertEqual(table.code, 1, table)
        self.assertRegex(table.out, r"(?m)^ill/kept\.1 +unhealthy +exit code 1: wget: server returned error")
        # What it wrote is still there: only its program began anew.
        harness.wait_for("the container", lambda: self.cluster.run(
            "exec", "ill/web", "--", "mv", "/www/away", "/www/index.html").code == 0)
        harness.wait_for("its health", lambda: self.health("web") == "HEALTH_GOOD")
        after = self.statuses()
        self.assertNotEqual(after["web"]["pid"], before["web"]["pid"])
        for service in ("kept", "unchecked", "last"):
            self.assertEqual(after[service]["pid"], before[service]["pid"], service)
        self.assertGreaterEqual(after["web"]["restarts"], 1)
        self.assertRegex(after["web"]["lastEnd"], r"^failed its health check \d+ times: exit code 1: wget: ")
        events = [event["message"] for event in self.cluster.json("events")["events"]
                  if event["reason"] == "TaskRestarted"]
        self.assertRegex(events[0], r"^web\.1 failed its health check \d+ times: exit code 1: wget: .*; started again, once so far")


PROBED = """
services:
  web:
    image: serving:1
    command: [/bin/httpd, -f, -p, "80", -h, /www]
    ports: ["127.0.0.1:8085:80"]
    deploy: {replicas: 2}
    x-orchion:
      health:
        liveness: {tcp: 80, interval: 500ms}
        readiness: {http: "http://:80/ready", interval: 300ms, retries: 2}
        startup: {command: [test, -e, /www/index.html], interval: 300ms}
  raw:
    image: serving:1
    command: [/bin/nc, -ll, -p, "7000", -e, /bin/true]
    x-orchion: {health: {liveness: {tcp: 7000, interval: 500ms}}}
  nowhere:
    image: serving:1
    command: [/bin/sleep, "1000"]
    restart: "no"
    x-orchion: {health: {liveness: {http: {port: 9, path: /}, interval: 300ms, retries: 2}}}
  last:
    image: serving:1
    command: [/bin/sleep, "1000"]
    depends_on: {web: {condition: service_healthy}}
"""

ILL = """
services:
  ill:
    image: serving:1
    command: [/bin/httpd, -f, -p, "80", -h, /www]
    stop_grace_period: 1s
    x-orchion: {health: {liveness: {http: "http://:80/ready", interval: 300ms, retries: 2}}}
"""


GUESSED = """
services:
  web:
    image: nginx:1
  elsewhere:
    image: nginx:1
    command: [/bin/sh, -c, "while :; do read x; done"]
    stdin_open: true
  disabled:
    image: nginx:1
    healthcheck: {disable: true}
  program:
    command: [/bin/busybox, httpd, -f, -p, "127.0.0.1:8086", -h, /]
    x-orchion:
      executor: process
      health: {liveness: {http: "http://:8086/etc/hostname", interval: 500ms}}
"""


def answers():
    try:
        with urllib.request.urlopen("http://127.0.0.1:8085/", timeout=2) as response:
            return response.status == 200
    except OSError:
        return False


class Probes(unittest.TestCase):
    """Checks by HTTP, TCP and command, of real containers."""

    def setUp(self):
        self.cluster = harness.Cluster().start()
        self.addCleanup(self.cluster.close)
        with tempfile.TemporaryDirectory() as folder:
            root = harness.busybox_root(pathlib.Path(folder) / "root")
            archive = pathlib.Path(folder) / "root.tar"
            subprocess.run(["tar", "-C", root, "-cf", archive, "."], check=True)
            self.cluster.ok("image", "import", archive, "serving:1")

    def up(self, text):
        file = harness.write(self.cluster.folder, "probed/compose.yaml", text)
        self.cluster.ok("up", "-f", file, "--yes", "-d")

    def status(self, name):
        service, slot = name.split(".")
        for task in self.cluster.tasks("probed"):
            if task["spec"]["service"] == service and task["spec"]["slot"] == int(slot):
                return task["status"]
        return {}

    def addresses(self):
        """Of the tasks that the name `web` leads to, as a task of the stack finds them."""
        answer = self.cluster.run("exec", "probed/raw", "--", "nslookup", "tasks.web")
        return set(re.findall(r"Address: *([0-9.]+)$", answer.out.partition("Name:")[2], re.MULTILINE))

    def touch(self, task):
        self.cluster.ok("exec", f"probed/{task}", "--", "touch", "/www/ready")

    def test_names_and_ports_lead_to_what_is_ready(self):
        self.up(PROBED)
        harness.wait_for("their health", lambda: all(
            self.status(f"web.{n}").get("health") == "HEALTH_GOOD" for n in (1, 2)))
        harness.wait_for("their unreadiness", lambda: all(
            self.status(f"web.{n}").get("readiness") == "HEALTH_BAD" for n in (1, 2)))
        self.assertEqual(self.status("web.1")["attempt"], 1)
        self.assertEqual(self.addresses(), set())
        self.assertFalse(answers())
        self.assertNotEqual(self.status("last.1").get("state"), "RUNNING")
        table = self.cluster.run("health", "probed")
        self.assertEqual(table.code, 1, table)
        self.assertRegex(table.out, r"(?m)^probed/web\.1 +not ready +HTTP status 404")

        self.touch("web.2")
        harness.wait_for("its readiness", lambda: self.status("web.2").get("readiness") == "HEALTH_GOOD")
        harness.wait_for("its name", lambda: len(self.addresses()) == 1)
        harness.wait_for("its port", answers)
        harness.wait_for("what waits for it", lambda: self.status("last.1").get("state") == "RUNNING")
        self.touch("web.1")
        harness.wait_for("both names", lambda: len(self.addresses()) == 2)

        one = self.cluster.run("health", "probed/web.1")
        self.assertEqual(one.code, 0, one)
        self.assertRegex(one.out, r"(?m)^startup: good, test -e /www/index\.html$")
        self.assertRegex(one.out, r"(?m)^liveness: good, tcp 80$")
        self.assertRegex(one.out, r"(?m)^readiness: good, http://:80/ready$")
        self.assertRegex(one.out, r"HTTP status 200")
        self.assertRegex(one.out, r"names and published ports lead elsewhere after 2 failures in a row")
        probes = self.cluster.json("health", "probed/web.1")["probes"]
        self.assertEqual([probe["purpose"] for probe in probes], ["STARTUP", "LIVENESS", "READINESS"])
        self.assertEqual(self.status("raw.1")["health"], "HEALTH_GOOD")

        harness.wait_for("the one nowhere", lambda: self.status("nowhere.1").get("health") == "HEALTH_BAD")
        self.assertEqual(self.status("nowhere.1")["healthMessage"],
                         "nothing takes connections on port 9: Connection refused")
        nowhere = self.cluster.run("health", "probed/nowhere.1")
        self.assertEqual(nowhere.code, 1, nowhere)
        self.assertRegex(nowhere.out, r"is unhealthy and runs on, as its service says")

    def test_known_images_and_programs_of_the_node(self):
        harness.web_image(self.cluster, "nginx:1")
        self.up(GUESSED)
        harness.wait_for("its health", lambda: self.status("web.1").get("health") == "HEALTH_GOOD")
        self.assertRegex(self.cluster.ok("health", "probed/web.1"), r"(?m)^  chosen by +known image nginx$")
        harness.wait_for("the program's", lambda: self.status("program.1").get("health") == "HEALTH_GOOD")
        harness.wait_for("the others", lambda: all(
            self.status(f"{name}.1").get("state") == "RUNNING" for name in ("elsewhere", "disabled")))
        # Its port is another, perhaps on purpose: nobody is restarted for a guess.
        self.assertEqual(self.status("elsewhere.1")["health"], "HEALTH_STARTING")
        self.assertRegex(self.cluster.ok("health", "probed/elsewhere.1"), "only reports, until it succeeds")
        self.assertEqual(self.status("disabled.1")["health"], "NOT_CHECKED")
        self.assertRegex(self.cluster.ok("health", "probed/disabled.1"), "nothing checks it")

    def test_what_fails_by_http_is_restarted(self):
        self.up(ILL)
        harness.wait_for("its restart", lambda: self.status("ill.1").get("restarts", 0) >= 1)
        self.assertRegex(self.status("ill.1")["lastEnd"], r"^failed its health check( \d+ times)?: HTTP status 404")


if __name__ == "__main__":
    harness.main()
