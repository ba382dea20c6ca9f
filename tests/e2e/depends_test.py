"""What waits for something else, and `up`, which waits for both."""

import unittest

import harness

COMPOSE = """
services:
  migrate:
    image: busybox-test:latest
    command: [sh, -c, "%s"]
    restart: "no"
  web:
    image: busybox-test:latest
    command: [sleep, "100000"]
    stop_signal: SIGKILL
    depends_on:
      migrate: {condition: service_completed_successfully}
"""


class Depends(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.cluster = harness.Cluster().start()
        cls.addClassCleanup(cls.cluster.close)
        harness.busybox_image(cls.cluster, "busybox-test:latest")

    def up(self, command):
        file = harness.write(self.cluster.folder, "waits/compose.yaml", COMPOSE % command)
        self.addCleanup(self.cluster.run, "down", "--stack", "waits", "--yes")
        return self.cluster.run("up", "-f", file, "--yes")

    def test_up_waits_for_a_slow_dependency(self):
        # Longer than an obstacle has to last to count.
        result = self.up("sleep 5")
        self.assertEqual(result.code, 0, result)
        self.assertEqual({t["spec"]["service"] for t in self.cluster.tasks("waits")}, {"migrate", "web"})

    def test_up_names_a_dependency_that_failed(self):
        result = self.up("exit 3")
        self.assertEqual(result.code, 1, result)
        self.assertRegex(result.err, r"waits/migrate\.1: exited with 3")


if __name__ == "__main__":
    harness.main()
