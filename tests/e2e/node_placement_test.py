"""What is placed on nodes: taints keep tasks away and move them, labels choose, and what is reserved stays free."""

import json
import unittest

import harness
import lan

IMAGE = "busybox-test:latest"


class NodePlacement(unittest.TestCase):
    def setUp(self):
        lan.make_wire()
        self.one, self.two = lan.Machine(1), lan.Machine(2)
        self.addCleanup(self.one.close)
        self.one.start()
        self.addCleanup(self.two.close)
        self.addCleanup(self.one.run, "stop-all", "--yes")
        harness.busybox_image(self.one, IMAGE)
        self.two.join(self.one)
        harness.wait_for("both nodes", lambda: lan.ready(self.one) == {"machine-1", "machine-2"})

    def up(self, name, replicas=2, detach=False, **more):
        service = {"image": IMAGE, "command": ["sleep", "1d"], "stop_signal": "SIGKILL", **more}
        service["deploy"] = {"replicas": replicas, **service.get("deploy", {})}
        file = harness.write(self.one.folder / name, "compose.yaml", json.dumps({"name": name, "services": {"web": service}}))
        self.one.ok("up", "-f", file, "--yes", *(["--detach"] if detach else []))

    def places(self, stack):
        """Of each running task its uid and node."""
        return {t["meta"]["uid"]: t["spec"]["assignment"]["node"] for t in self.one.tasks(stack)
                if t["status"]["state"] == "RUNNING" and t["spec"]["desiredState"] == "DESIRED_RUNNING"}

    def nodes(self, stack):
        return sorted(self.places(stack).values())

    def test_taints_keep_tasks_away_and_move_them(self):
        said = self.one.run("node", "taint", "machine-2", "gpu=only:NoSchedule")
        self.assertEqual((said.code, said.err), (0, "machine-2 has the taints gpu=only:no-new-tasks\n"), said)
        self.up("plain", 3)
        self.assertEqual(self.nodes("plain"), ["machine-1"] * 3)
        self.up("tolerant", 2, **{"x-orchion": {"tolerations": ["gpu=only"]}})
        self.assertEqual(self.nodes("tolerant"), ["machine-1", "machine-2"])

        # What is there stays where new ones don't come, and leaves where none may be.
        before = self.places("plain")
        self.one.ok("node", "taint", "machine-1", "old:NoSchedule")
        self.up("late", 1, detach=True)
        harness.wait_for("the reason", lambda: any(
            "1 has the taint gpu=only:no-new-tasks" in t["spec"].get("placementMessage", "") and
            "1 has the taint old:no-new-tasks" in t["spec"]["placementMessage"] for t in self.one.tasks("late")))
        self.assertEqual(self.places("plain"), before)
        self.one.ok("node", "taint", "machine-2", "gpu-")
        harness.wait_for("a place", lambda: self.nodes("late") == ["machine-2"])
        self.one.ok("node", "taint", "machine-1", "old:NoExecute")
        harness.wait_for("all to have moved", lambda: self.nodes("plain") == ["machine-2"] * 3, 60)
        events = self.one.ok("events", "--stack", "plain")
        self.assertIn("leaves node machine-1, which has the taint old:no-tasks", events)
        refused = self.one.run("node", "taint", "machine-2", "gpu-")
        self.assertEqual((refused.code, refused.err),
                         (3, "orchion: node machine-2 has no taint gpu: see `orchion node inspect machine-2`\n"), refused)
        self.one.ok("node", "taint", "machine-1", "old-")
        self.assertEqual(lan.nodes(self.one)["machine-1"]["spec"].get("taints", []), [])

    def test_labels_choose(self):
        self.one.ok("node", "label", "machine-2", "disk=ssd", "rank=1")
        self.up("fast", 2, deploy={"placement": {"constraints": ["node.labels.disk == ssd"]}})
        self.assertEqual(self.nodes("fast"), ["machine-2"] * 2)
        self.one.ok("node", "label", "machine-2", "rank-")
        self.assertEqual(lan.nodes(self.one)["machine-2"]["spec"]["labels"], {"disk": "ssd"})

    def test_what_is_reserved_stays_free(self):
        has = int(lan.nodes(self.one)["machine-2"]["status"]["capabilities"]["nanoCpus"]) / 1e9
        self.one.ok("node", "drain", "machine-1")
        said = self.one.run("node", "reserve", "machine-2", "--cpus", str(has - 0.25), "--memory", "64m")
        self.assertEqual(said.code, 0, said)
        self.up("busy", 2, detach=True, deploy={"resources": {"reservations": {"cpus": "0.2"}}})
        harness.wait_for("one of both", lambda: self.nodes("busy") == ["machine-2"] and any(
            "lacks processors (need 0.2, free 0.05)" in t["spec"].get("placementMessage", "")
            for t in self.one.tasks("busy")))
        self.one.ok("node", "reserve", "machine-2", "--cpus", "0")
        harness.wait_for("room for both", lambda: self.nodes("busy") == ["machine-2"] * 2)
        self.assertEqual(lan.nodes(self.one)["machine-2"]["spec"]["reserved"]["memoryBytes"], str(64 << 20))
        too_much = self.one.run("node", "reserve", "machine-2", "--cpus", str(has + 1))
        self.assertEqual(too_much.code, 1, too_much)
        self.assertIn("more than the", too_much.err)


if __name__ == "__main__":
    harness.main()
