"""What runs goes on when orchion is killed, and is adopted when it is back."""

import os
import pathlib
import signal
import unittest

import harness

COMPOSE = """
services:
  web:
    image: busybox-test:latest
    command: [httpd, -f, -p, "80", -h, /www]
    stop_signal: SIGKILL
    ports: ["18080:80"]
    deploy: {replicas: 3}
"""


def identities(cluster):
    """What must not change: which container, which process, since when, at which attempt."""
    result = {}
    for task in cluster.tasks("shop"):
        pid = task["status"]["pid"]
        started = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[19]
        result[task["meta"]["uid"]] = (pid, started, task["status"]["attempt"])
    return result


class Survive(unittest.TestCase):
    def setUp(self):
        self.cluster = harness.Cluster().start()
        self.addCleanup(self.cluster.close)
        harness.busybox_image(self.cluster, "busybox-test:latest")
        self.file = harness.write(self.cluster.folder, "shop/compose.yaml", COMPOSE)
        self.cluster.ok("up", "-f", self.file, "--yes")

    def test_killed_again_and_again(self):
        before = identities(self.cluster)
        self.assertEqual(len(before), 3)
        for _ in range(int(os.environ.get("ORCHION_KILLS", "3"))):
            self.cluster.stop(signal.SIGKILL)
            self.assertEqual(harness.fetch("http://127.0.0.1:18080/index.html"), "ok\n",
                             "published ports are the kernel's: they answer without orchion")
            self.cluster.start()
            harness.wait_for("all tasks to be running",
                             lambda: all(t["status"]["state"] == "RUNNING" for t in self.cluster.tasks("shop")))
            self.assertEqual(identities(self.cluster), before)

    def test_stopped_in_order(self):
        before = identities(self.cluster)
        self.cluster.stop(signal.SIGTERM)
        self.assertEqual(harness.fetch("http://127.0.0.1:18080/index.html"), "ok\n")
        self.cluster.start()
        self.assertEqual(identities(self.cluster), before)

    def test_a_killed_container_is_started_again(self):
        task = self.cluster.tasks("shop")[0]
        os.kill(int(task["status"]["pid"]), signal.SIGKILL)

        def restarted():
            now = next(t for t in self.cluster.tasks("shop") if t["meta"]["uid"] == task["meta"]["uid"])
            return now["status"]["attempt"] == 2 and now["status"]["state"] == "RUNNING"
        harness.wait_for("the second attempt", restarted)

    def test_a_container_that_died_while_orchion_was_away(self):
        task = self.cluster.tasks("shop")[0]
        self.cluster.stop(signal.SIGKILL)
        os.kill(int(task["status"]["pid"]), signal.SIGKILL)
        self.cluster.start()

        def restarted():
            now = next(t for t in self.cluster.tasks("shop") if t["meta"]["uid"] == task["meta"]["uid"])
            return now["status"]["attempt"] == 2 and now["status"]["state"] == "RUNNING"
        harness.wait_for("the second attempt", restarted)


if __name__ == "__main__":
    harness.main()
