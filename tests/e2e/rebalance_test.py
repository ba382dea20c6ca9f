"""A machine joins, and tasks move to it: planned, carried out one by one, and not felt by who uses them."""

import collections
import signal
import subprocess
import threading
import unittest

import harness
import lan
import two_machines_test

SHOP = """
services:
  web:
    image: busybox-test:latest
    command: [httpd, -f, -p, "80", -h, /www]
    stop_signal: SIGKILL
    ports: ["18080:80"]
    deploy: {replicas: 6}
    healthcheck: {test: [CMD, wget, -q, -O, /dev/null, "http://127.0.0.1/"], interval: 1s, start_interval: 100ms, start_period: 20s}
  console:
    image: busybox-test:latest
    command: [sleep, "1000"]
    stop_signal: SIGKILL
    deploy: {placement: {constraints: [node.name == machine-1]}}
"""

# It has its machine's host name: on the third it never gets well.
PICKY = """
services:
  web:
    image: busybox-test:latest
    command: [sleep, "1000"]
    stop_signal: SIGKILL
    uts: host
    deploy: {replicas: 6}
    healthcheck: {test: [CMD-SHELL, "test $$(hostname) != machine-3"], interval: 300ms, retries: 2}
"""

# Asks by the service's virtual address until it is told to stop: how often it was answered, and how often not.
ASK = """
good=0; bad=0
while [ ! -e /tmp/enough ]; do
  if wget -q -O /dev/null http://web/; then good=$((good + 1)); else bad=$((bad + 1)); fi
done
echo $good $bad
"""


class Rebalance(two_machines_test.Machines):
    def stand_on_two_of_three(self, compose):
        """The stack on two machines, each with three tasks of its service; then a third comes."""
        harness.busybox_image(self.one, "busybox-test:latest")
        self.machine(2).join(self.one)
        harness.wait_for("two nodes", lambda: len(lan.ready(self.one)) == 2)
        file = harness.write(self.one.folder, "shop/compose.yaml", compose)
        self.one.ok("up", "-f", file, "--yes", "--wait")
        self.assertEqual(self.places(), {"machine-1": 3, "machine-2": 3})
        self.three = self.machine(3)
        self.three.join(self.one)
        harness.wait_for("three nodes", lambda: len(lan.ready(self.one)) == 3)

    def webs(self):
        return {t["meta"]["uid"]: t for t in self.one.tasks("shop") if t["spec"]["service"] == "web"}

    def places(self):
        return dict(collections.Counter(t["spec"]["assignment"]["node"] for t in self.webs().values()))

    def events(self, reason):
        return [e["message"] for e in self.one.json("events")["events"] if e["reason"] == reason]

    def test_tasks_move_to_a_machine_that_joined(self):
        self.stand_on_two_of_three(SHOP)
        before = self.webs()
        told = self.one.run("node", "rebalance", "--dry-run")
        self.assertEqual(told.code, 0, told)
        self.assertEqual([line.split()[2] for line in told.out.splitlines()], ["TO", "machine-3", "machine-3"], told)
        self.assertIn("node machine-1 has 4 tasks and node machine-3 none", told.out)
        self.assertIn("nothing was moved", told.err)
        planned = self.one.json("node", "rebalance", "--dry-run")
        self.assertEqual({n["node"]: (n["tasks"], n["tasksAfter"]) for n in planned["nodes"]},
                         {"machine-1": (4, 3), "machine-2": (3, 2), "machine-3": (0, 2)})
        self.assertEqual(self.webs().keys(), before.keys())

        # Whoever asks meanwhile, from outside by the published port and from inside by the virtual address.
        asked, enough = collections.Counter(), threading.Event()

        def ask():
            while not enough.is_set():
                asked[harness.fetch("http://10.88.0.1:18080/index.html")] += 1
        outside = threading.Thread(target=ask)
        outside.start()
        self.addCleanup(enough.set)
        inside = subprocess.Popen([*self.one.prefix, "sh", "-c", 'exec "$@"', "-", str(harness.ORCHION), "exec",
                                   "shop/console", "--", "sh", "-c", ASK], env=self.one.environment(),
                                  stdout=subprocess.PIPE, text=True)
        self.addCleanup(lambda: inside.poll() is None and inside.kill())

        moved = self.one.run("node", "rebalance", "--max-moves", "1")
        self.assertEqual(moved.code, 0, moved)
        self.assertIn("moved 1 of 1 task\n", moved.err)
        self.assertEqual(self.places(), {"machine-1": 2, "machine-2": 3, "machine-3": 1})
        moved = self.one.run("node", "rebalance")
        self.assertEqual(moved.code, 0, moved)
        self.assertIn("moved 1 of 1 task\n", moved.err)
        self.assertEqual(self.places(), {"machine-1": 2, "machine-2": 2, "machine-3": 2})
        self.assertEqual(len(self.webs().keys() & before.keys()), 4, "the others stay")

        self.one.ok("exec", "shop/console", "--", "touch", "/tmp/enough")
        good, bad = map(int, inside.communicate(timeout=30)[0].split())
        enough.set()
        outside.join()
        print(f"{good} requests inside and {asked['ok' + chr(10)]} outside were answered while two tasks moved")
        self.assertEqual((bad, set(asked)), (0, {"ok\n"}), asked)
        self.assertGreater(min(good, asked["ok\n"]), 50)

        self.assertIn("nothing to move", self.one.run("node", "rebalance").err)
        self.assertEqual(len(self.events("TaskMoved")), 2)
        self.assertIn("to node machine-3, since node", self.events("TaskMoves")[0])
        self.assertEqual(self.one.run("node", "rebalance", "--max-moves", "101").code, 2)

    def test_what_gets_not_well_there_stays_and_a_server_that_dies_forgets_nothing(self):
        self.stand_on_two_of_three(PICKY)
        before = self.webs()
        failed = self.one.run("node", "rebalance")
        self.assertEqual(failed.code, 1, failed)
        self.assertIn("did not move: it stays on machine-", failed.err)
        self.assertIn("its check fails there", failed.err)
        self.assertIn("moved 0 of 2 tasks", failed.err)
        harness.wait_for("what was tried to be gone", lambda: self.webs().keys() == before.keys())
        self.assertEqual({uid: t["status"]["attempt"] for uid, t in self.webs().items()},
                         {uid: t["status"]["attempt"] for uid, t in before.items()})
        self.assertEqual(len(self.events("TaskNotMoved")), 1)
        self.assertIn("stays on node", self.events("TaskNotMoved")[0])

        # Well everywhere from now on. The moves are asked for, and the server is killed.
        lan.run(*self.three.prefix, "hostname", "elsewhere")
        self.assertIn("2 moves asked for", self.one.run("node", "rebalance", "--detach").err)
        self.one.stop(signal.SIGKILL)
        self.one.start()
        harness.wait_for("the moves to be done",
                         lambda: self.places() == {"machine-1": 2, "machine-2": 2, "machine-3": 2})


if __name__ == "__main__":
    harness.main()
