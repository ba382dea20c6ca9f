"""Many nodes, watchers and clients at once: `orchion bench cluster` and `orchion bench load`, made small. The limits are far
from what is measured (docs/benchmarks.md): what breaks them is badly wrong."""

import os
import pathlib
import unittest

import harness


class Load(unittest.TestCase):
    def setUp(self):
        self.cluster = harness.Cluster()
        self.addCleanup(self.cluster.close)
        os.environ["TMPDIR"] = str(self.cluster.folder)
        self.addCleanup(os.environ.pop, "TMPDIR")

    def left(self):
        return [path.name for path in pathlib.Path(self.cluster.folder).glob("orchion-bench-*")]

    def test_tasks_of_many_nodes_come_to_run(self):
        found = self.cluster.json("bench", "cluster", "--nodes", "100", "--tasks", "5000", "--replicas", "500",
                                  "--timeout", "120")
        self.assertEqual(found["sessions"], 100, "a session was cut")
        self.assertLessEqual(found["decided"]["seconds"], found["running"]["seconds"])
        self.assertGreater(found["running"]["tasksPerSecond"], 250)
        self.assertLess(found["psMilliseconds"]["p99"], 2000)
        self.assertLess(found["serverPeakRssBytes"], 300 << 20)
        self.assertEqual(self.left(), [])

    def test_everybody_is_answered_soon(self):
        found = self.cluster.json("bench", "load", "--nodes", "200", "--watchers", "40", "--writes", "60", "--callers",
                                  "50", "--requests", "75", "--seconds", "15")
        self.assertEqual((found["requestsFailed"], found["watchesEnded"], found["sessions"]), (0, 0, 200), found)
        self.assertGreater(found["heartbeatMilliseconds"]["count"], 200)
        self.assertTrue(found["slowWatcherResynced"], "who doesn't read is told to list again")
        self.assertGreater(found["readMilliseconds"]["count"], 400)
        self.assertGreater(found["writeMilliseconds"]["count"], 600)
        # Two changes of one stack may come in one commit's wake: all but a few are seen by each.
        self.assertGreater(found["watchMilliseconds"]["count"], 40 * found["writeMilliseconds"]["count"] * 0.9)
        for way in ("httpWatchMilliseconds", "grpcWatchMilliseconds"):
            self.assertGreater(found[way]["count"], 0.4 * found["watchMilliseconds"]["count"])
            self.assertLess(found[way]["p99"], 1500)
        self.assertLess(found["heartbeatMilliseconds"]["p99"], 500)
        self.assertLess(found["readMilliseconds"]["p99"], 500)
        self.assertLess(found["writeMilliseconds"]["p99"], 1000)
        self.assertEqual(self.left(), [])

    def test_nobody_waits_for_ever(self):
        result = self.cluster.run("bench", "cluster", "--nodes", "50", "--tasks", "100000", "--timeout", "1")
        self.assertEqual(result.code, 7, result)
        self.assertIn("the benchmark took longer than", result.err)
        self.assertEqual(self.left(), [])


if __name__ == "__main__":
    harness.main()
