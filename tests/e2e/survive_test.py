"""What runs goes on when orchion is killed, and is adopted when it is back."""

import os
import pathlib
import signal
import subprocess
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


class Watchers(unittest.TestCase):
    """Those who look on while the server is killed."""

    def setUp(self):
        self.cluster = harness.Cluster().start()
        self.addCleanup(self.cluster.close)

    def apply(self, name):
        """A stack without tasks: what is made and removed shows in events only."""
        status, _, _ = self.cluster.request("PUT", f"/v1/stacks/{name}", body={"spec": {"volumes": [{"name": "a"}]}})
        self.assertEqual(status, 200)

    def follow(self, *arguments):
        process = subprocess.Popen([harness.ORCHION, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                   env=self.cluster.environment(), text=True)
        self.addCleanup(process.stdout.close)
        self.addCleanup(process.stderr.close)
        self.addCleanup(process.wait, 10)
        self.addCleanup(process.terminate)
        return process

    def listed(self):
        """What `events` says of volumes: the truth to compare with."""
        return [e["meta"]["name"] for e in self.cluster.json("events")["events"] if e["kind"] == "Volume"]

    def test_events_miss_and_double_nothing(self):
        self.apply("before")
        follower = self.follow("events", "-f")
        seen = []

        def read_until(stack):
            for line in follower.stdout:
                if "VolumeMade" in line:
                    seen.append(line.split()[2])
                if f"{stack}/" in line and "VolumeMade" in line:
                    return
            self.fail(f"the follower ended: {follower.stderr.read()}")
        read_until("before")
        for i in range(3):
            self.apply(f"up-{i}")
            self.cluster.stop(signal.SIGKILL)
            self.cluster.start()
            self.apply(f"again-{i}")
            read_until(f"again-{i}")
        self.assertEqual(seen, ["before/a", *(f"{which}-{i}/a" for i in range(3) for which in ("up", "again"))])
        self.assertEqual(len(seen), len(self.listed()))

    def test_a_server_that_stays_away_ends_the_follower_with_a_sentence(self):
        self.apply("before")
        follower = self.follow("events", "-f")
        self.assertTrue(follower.stdout.readline())
        self.cluster.stop(signal.SIGKILL)
        self.assertEqual(follower.wait(60), 6)
        said = follower.stderr.read()
        self.assertIn("the connection to the server is lost, trying again", said)
        self.assertIn("the server went away and did not come back", said)

    def test_up_waits_through_a_restart(self):
        harness.busybox_image(self.cluster, "busybox-test:latest")
        slow = harness.write(self.cluster.folder, "slow/compose.yaml", """
services:
  first: {image: busybox-test:latest, command: [sleep, "2"]}
  then:
    image: busybox-test:latest
    command: [sleep, "100000"]
    stop_signal: SIGKILL
    depends_on: {first: {condition: service_completed_successfully}}
""")
        up = self.follow("up", "-f", slow, "--yes")
        harness.wait_for("the first task", lambda: any(t["status"]["state"] == "RUNNING"
                                                       for t in self.cluster.tasks("slow")))
        self.cluster.stop(signal.SIGKILL)
        self.cluster.start()
        self.assertEqual(up.wait(60), 0, up.stderr.read())
        self.assertEqual([t["status"]["state"] for t in self.cluster.tasks("slow")
                          if t["spec"]["service"] == "then"], ["RUNNING"])


if __name__ == "__main__":
    harness.main()
