"""GPUs of nodes: a file describes them, tasks are placed where there are some, and each gets its own."""

import json
import os
import pathlib
import stat
import unittest

import harness
import lan

IMAGE = "busybox-test:latest"
GPUS = """
gpus:
  - {id: fake-0, vendor: example, model: Example 24, memory: 24GiB, devices: [/dev/orchion-test-gpu0]}
  - {id: fake-1, vendor: example, model: Example 16, memory: 16GiB, devices: [/dev/orchion-test-gpu1]}
"""


class Gpus(unittest.TestCase):
    def setUp(self):
        for number in range(2):
            device = pathlib.Path(f"/dev/orchion-test-gpu{number}")
            device.unlink(missing_ok=True)
            os.mknod(device, stat.S_IFCHR | 0o600, os.makedev(1, 3))
            self.addCleanup(device.unlink)
        lan.make_wire()
        self.one, self.two = lan.Machine(1), lan.Machine(2)
        self.addCleanup(self.one.close)
        self.one.start()
        self.addCleanup(self.two.close)
        self.addCleanup(self.one.run, "stop-all", "--yes")
        harness.busybox_image(self.one, IMAGE)
        self.two.data.mkdir(0o700)
        harness.write(self.two.data, "gpus.yaml", GPUS)
        self.two.join(self.one)
        harness.wait_for("both nodes", lambda: lan.ready(self.one) == {"machine-1", "machine-2"})

    def up(self, name, replicas=1, **more):
        service = {"image": IMAGE, "command": ["sleep", "1d"], "stop_signal": "SIGKILL", "deploy": {"replicas": replicas},
                   **more}
        file = harness.write(self.one.folder / name, "compose.yaml", json.dumps({"name": name, "services": {"web": service}}))
        self.one.ok("up", "-f", file, "--yes", "--detach")

    def running(self, stack):
        return [t for t in self.one.tasks(stack) if t["status"]["state"] == "RUNNING"]

    def shares(self, stack):
        """Of each running task the GPUs it was assigned."""
        return sorted((gpu["id"], gpu["shareMilli"]) for task in self.running(stack)
                      for gpu in task["spec"]["assignment"]["gpus"])

    def why_not(self, stack):
        return "".join(t["spec"].get("placementMessage", "") for t in self.one.tasks(stack))

    def test_each_task_gets_its_own(self):
        gpus = lan.nodes(self.one)["machine-2"]["status"]["capabilities"]["gpus"]
        self.assertEqual([(g["id"], g["model"], g["memoryBytes"]) for g in gpus],
                         [("fake-0", "Example 24", str(24 << 30)), ("fake-1", "Example 16", str(16 << 30))])
        self.assertIn("Example 24", self.one.ok("node", "inspect", "machine-2"))

        self.up("whole", 2, gpus=[{"count": 1}])
        harness.wait_for("both tasks", lambda: self.shares("whole") == [("fake-0", 1000), ("fake-1", 1000)])
        for task in self.running("whole"):
            self.assertEqual(task["spec"]["assignment"]["node"], "machine-2")
            own = task["spec"]["assignment"]["gpus"][0]["id"].replace("fake-", "")
            name = f"whole/web.{task['spec']['slot']}"
            self.assertEqual(self.one.ok("exec", name, "--", "sh", "-c", "cd /dev; echo orchion*"), f"orchion-test-gpu{own}\n")

        # Taken is taken, until it is given back.
        self.up("late", gpus="all")
        harness.wait_for("the reason", lambda: "2 lack GPUs (need all that it has, can give 0)" in self.why_not("late"))
        self.one.ok("down", "--stack", "whole", "--yes")
        harness.wait_for("all of them", lambda: self.shares("late") == [("fake-0", 1000), ("fake-1", 1000)])
        self.one.ok("down", "--stack", "late", "--yes")

        # Two have a half each of the one that has the memory; what nobody has is said.
        self.up("shares", 2, **{"x-orchion": {"gpus": {"share": 0.5, "memory": "10g", "models": ["Example 24"]}}})
        harness.wait_for("both halves", lambda: self.shares("shares") == [("fake-0", 500), ("fake-0", 500)])
        self.up("other", gpus=[{"driver": "nvidia", "count": 1}])
        harness.wait_for("the reason", lambda: "other GPUs (Example 16, Example 24)" in self.why_not("other"))

    def test_a_file_that_says_nothing_is_refused(self):
        self.two.run("agent", "--stop")
        harness.write(self.two.data, "gpus.yaml", "gpus: [{id: a}]")
        refused = self.two.run("agent", "--background")
        self.assertEqual(refused.code, 1, refused)
        self.assertIn("gpus.yaml: GPU 1 needs its `memory`, as 24GiB: mend it, or remove it", refused.err)


if __name__ == "__main__":
    harness.main()
