"""The machine's clock jumps, forward and back, under server, agent and containers: nothing is done because of it."""

import subprocess
import time
import unittest

import harness
import machine

COMPOSE = """
name: timely
services:
  web:
    image: box
    command: [httpd, -f, -p, "80", -h, /www]
    stop_signal: SIGKILL
    ports: ["18082:80"]
    healthcheck: {test: [CMD, wget, -q, -O, /dev/null, "http://127.0.0.1/"], interval: 1s, timeout: 20s}
    deploy: {replicas: 2}
x-orchion:
  jobs:
    often:
      image: box
      command: ["true"]
      schedule: {cron: "* * * * *"}
"""

# Two lengths of what a node may be silent for.
SECONDS = 60


class Clock(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.machine = machine.Machine().start()
        harness.busybox_image(cls.machine, "box")
        clean = cls.machine.state()
        cls.addClassCleanup(cls.machine.down, "timely", clean)
        cls.machine.ok("up", "-f", harness.write(cls.machine.folder, "compose.yaml", COMPOSE), "--yes")

    def runs(self):
        """Those that began; a slot that the clock jumped over is recorded, too, as one that was missed."""
        runs = self.machine.json("job", "history", "--stack", "timely").get("runs", [])
        return sum(run.get("status", {}).get("state") != "RUN_MISSED" for run in runs)

    def events(self, reason):
        return len(self.machine.json("events", "--reason", reason).get("events", []))

    def web(self):
        return {task["meta"]["uid"]: (*machine.identity(task["status"]["pid"]), task["status"]["attempt"])
                for task in self.machine.tasks("timely") if task["spec"].get("service") == "web"}

    def check_after(self, jump):
        before, runs = self.web(), self.runs()
        self.assertEqual(len(before), 2)
        subprocess.run(["date", "--set", jump], check=True, stdout=subprocess.DEVNULL)
        begun = time.monotonic()
        while time.monotonic() < begun + SECONDS:
            self.assertTrue(self.machine.is_ready())
            self.assertEqual(harness.fetch("http://127.0.0.1:18082/index.html"), "ok\n")
            time.sleep(1)
        self.assertEqual(self.web(), before, "a container was touched")
        self.assertEqual(self.events("NodeLost"), 0)
        # One slot was due in this minute, one may have been passed over by the jump, and one lies on the edge.
        self.assertLessEqual(self.runs() - runs, 3)
        self.machine.ok("scale", "timely/web=3")
        harness.wait_for("a third task", lambda: self.machine.running("timely") and len(self.web()) == 3)
        self.machine.ok("scale", "timely/web=2")
        harness.wait_for("two again", lambda: len(self.web()) == 2)

    def test_an_hour_forward_and_two_back(self):
        self.check_after("+1 hour")
        self.check_after("-2 hours")
        subprocess.run(["date", "--set", "+1 hour"], check=True, stdout=subprocess.DEVNULL)


if __name__ == "__main__":
    unittest.main(verbosity=2)
