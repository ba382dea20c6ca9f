"""What became of a task: each change with its time, node, reason and actor, also when it is gone."""

import datetime
import json
import os
import signal
import unittest

import harness

COMPOSE = """
services:
  web:
    image: busybox-test:latest
    command: [sleep, "100000"]
    stop_signal: SIGKILL
"""

CRASHING = """
services:
  crash:
    image: busybox-test:latest
    command: [sh, -c, "exit 3"]
    restart: always
    deploy: {restart_policy: {condition: any, delay: 10ms}}
"""


def moment(change):
    text = change["time"].rstrip("Z")
    whole, _, fraction = text.partition(".")
    return datetime.datetime.fromisoformat(whole), fraction.ljust(9, "0")


class Timeline(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.cluster = harness.Cluster().start()
        cls.addClassCleanup(cls.cluster.close)
        harness.busybox_image(cls.cluster, "busybox-test:latest")
        cls.node = cls.cluster.json("node", "ls")["nodes"][0]["meta"]["name"]

    def up(self, stack, text):
        folder = self.cluster.folder / stack
        harness.write(folder, "compose.yaml", text)
        self.addCleanup(self.cluster.run, "down", "--stack", stack, "--yes")
        return folder

    def timeline(self, stack, name, previous=False):
        status, _, body = self.cluster.request(
            "GET", f"/v1/stacks/{stack}/tasks/{name}/timeline" + ("?previous=true" if previous else ""))
        self.assertEqual(status, 200, body)
        return json.loads(body)

    def task(self, stack):
        return self.cluster.json("ps", "--stack", stack)["tasks"][0]

    def steps(self, timeline):
        return [(change["reason"], change["actor"]) for change in timeline["changes"]]

    def assert_in_order(self, timeline):
        moments = [moment(change) for change in timeline["changes"]]
        self.assertEqual(moments, sorted(moments))
        for change in timeline["changes"]:
            self.assertTrue(change["taskUid"])
            self.assertEqual(change["node"], "" if change["reason"] == "Created" else self.node, change)

    def kill_and_wait(self, stack, name):
        task = self.task(stack)
        os.kill(int(task["status"]["pid"]), signal.SIGKILL)
        harness.wait_for("its next attempt", lambda: self.timeline(stack, name)["attempt"] == 2 and
                         self.timeline(stack, name)["state"] == "RUNNING")

    def test_from_the_first_to_the_last(self):
        user, agent = "user admin", f"agent {self.node}"
        folder = self.up("shop", COMPOSE)
        self.cluster.ok("up", "--yes", cwd=folder)
        first = self.task("shop")["meta"]
        begin = [("Created", user), ("Placed", "controller services"), ("Preparing", agent), ("Starting", agent),
                 ("Running", agent)]
        self.assertEqual(self.steps(self.timeline("shop", "web.1")), begin)

        self.kill_and_wait("shop", "web.1")
        killed = self.timeline("shop", "web.1")
        again = begin + [("Killed", agent), ("Restarting", agent), ("Running", agent)]
        self.assertEqual(self.steps(killed), again)
        self.assertEqual([change["attempt"] for change in killed["changes"]], [0, 0, 1, 1, 1, 1, 2, 2])
        self.assertEqual((killed["changes"][5]["exitCode"], killed["changes"][5]["message"]), (137, "was killed by signal 9"))
        self.assertEqual(killed["image"], "busybox-test:latest")
        self.assert_in_order(killed)

        self.cluster.ok("restart", "shop/web")
        second = self.timeline("shop", "web.1")
        self.assertNotEqual(second["taskUid"], first["uid"])
        self.assertEqual(second["changes"][0]["actor"], user)
        self.assertIn("in place of " + first["name"], second["changes"][0]["message"])
        harness.wait_for("the first to be gone", lambda: self.timeline("shop", first["name"])["gone"])
        gone = self.timeline("shop", first["name"])
        self.assertEqual(self.steps(gone), again + [("Restarted", user), ("Stopping", agent), ("Stopped", agent),
                                                    ("Removed", agent)])
        self.assert_in_order(gone)
        both = self.timeline("shop", "web.1", previous=True)
        self.assertEqual(len(both["changes"]), len(gone["changes"]) + len(second["changes"]))
        self.assert_in_order(both)

        table = self.cluster.ok("inspect", "shop/web.1", "--previous")
        for words in ("shop/web.1", "busybox-test:latest", "Killed: was killed by signal 9", "Restarted", user, agent,
                      "Removed"):
            self.assertIn(words, table)
        self.assertNotIn("Killed", self.cluster.ok("inspect", "shop/web.1"), "that was another task")
        self.assertIn("and gone", self.cluster.ok("inspect", f"shop/{first['name']}"))
        self.assertEqual(self.cluster.json("inspect", "shop/web.1")["meta"]["uid"], second["taskUid"])
        self.assertEqual(self.cluster.json("inspect", "shop/web.1", "--previous"), both)

        self.cluster.ok("down", "--stack", "shop", "--yes")
        self.check_after_down(first, second)
        self.cluster.stop(signal.SIGKILL)
        self.cluster.start()
        self.check_after_down(first, second)
        self.assertEqual(self.timeline("shop", first["name"]), gone)

    def check_after_down(self, first, second):
        last = self.timeline("shop", "web.1")
        self.assertEqual((last["taskUid"], last["gone"]), (second["taskUid"], True))
        self.assertIn(("ServiceRemoved", "user admin"), self.steps(last))
        self.assertEqual(last["changes"][-1]["reason"], "Removed")
        self.assertEqual({change["taskUid"] for change in self.timeline("shop", "web.1", previous=True)["changes"]},
                         {first["uid"], second["taskUid"]})
        self.assertIn("ServiceRemoved", self.cluster.ok("inspect", "shop/web.1"))

    def test_a_crash_loop_stays_small(self):
        folder = self.up("loop", CRASHING)
        self.cluster.run("up", "--yes", "-d", cwd=folder)
        harness.wait_for("many attempts", lambda: self.cluster.tasks("loop") and
                         self.timeline("loop", "crash.1")["attempt"] > 15)
        timeline = self.timeline("loop", "crash.1")
        task = self.task("loop")
        self.assertLessEqual(len(task["status"]["changes"]), 32)
        left_out = sum(change["leftOut"] for change in timeline["changes"])
        self.assertGreater(left_out, 0)
        seen = left_out + len(timeline["changes"])
        self.assertGreaterEqual(seen, 3 * 15, "every change was counted")
        self.assertEqual([change["reason"] for change in timeline["changes"][2:4]], ["Preparing", "Starting"])
        exits = [change for change in timeline["changes"] if change["reason"] == "Exited"]
        self.assertTrue(exits and all(change["exitCode"] == 3 for change in exits))
        self.assertIn("more, not kept", self.cluster.ok("inspect", "loop/crash.1"))

    def test_it_survives_the_agent(self):
        folder = self.up("kept", COMPOSE)
        self.cluster.ok("up", "--yes", cwd=folder)
        self.kill_and_wait("kept", "web.1")
        before = self.timeline("kept", "web.1")
        self.cluster.stop(signal.SIGKILL)
        self.cluster.start()
        after = self.timeline("kept", "web.1")
        self.assertEqual(self.steps(after), self.steps(before))

    def test_what_never_was_is_not_found(self):
        result = self.cluster.run("inspect", "nope/web.1")
        self.assertEqual(result.code, 3, result)
        self.assertIn("no record", result.err)

    def test_events_are_picked(self):
        folder = self.up("picked", COMPOSE)
        self.cluster.ok("up", "--yes", cwd=folder)
        self.cluster.ok("restart", "picked/web")
        everything = self.cluster.ok("events", "picked")
        self.assertIn("TaskUpdated", everything)
        self.assertIn("ServiceMade", everything)
        of_task = self.cluster.ok("events", "picked/web.1", "--reason", "taskupdated", "--node", self.node)
        self.assertIn("TaskUpdated", of_task)
        self.assertNotIn("ServiceMade", of_task)
        self.assertNotIn("TaskUpdated", self.cluster.ok("events", "picked/other"))
        self.assertNotIn("TaskUpdated", self.cluster.ok("events", "picked", "--since", "2100-01-01T00:00:00Z"))


if __name__ == "__main__":
    harness.main()
