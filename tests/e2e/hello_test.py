"""The README's example on the real binary, and that nothing of it is left afterwards."""

import subprocess
import unittest

import harness


class Hello(unittest.TestCase):
    def test_answers_from_both_containers_and_leaves_nothing(self):
        cluster = harness.Cluster().start()
        self.addCleanup(cluster.close)
        subprocess.run([harness.ROOT / "examples/hello/prepare"], check=True, stdout=subprocess.DEVNULL,
                       env=dict(cluster.environment(), ORCHION=str(harness.ORCHION)))
        before = harness.host_state(cluster)

        out = cluster.run("up", "-f", harness.ROOT / "examples/hello/compose.yaml", "--yes")
        self.assertEqual(out.code, 0, out)
        self.assertIn("http://localhost:8080", out.out + out.err)

        served = set()
        for _ in range(60):
            answer = harness.fetch("http://127.0.0.1:8080")
            self.assertIsNotNone(answer)
            self.assertIn("Hello from orchion (visit", answer)
            served.add(answer.splitlines()[-1])
            if len(served) == 2:
                break
        self.assertEqual(len(served), 2, "both web containers get a share of the connections")
        self.assertIn("Hello from orchion", harness.fetch("http://[::1]:8080") or "")

        states = {t["meta"]["name"]: t["status"]["state"] for t in cluster.tasks("hello")}
        self.assertEqual(set(states.values()), {"RUNNING"}, states)
        self.assertEqual(len(states), 3)

        cluster.ok("down", "--stack", "hello", "--volumes", "--yes")
        after = harness.host_state(cluster)
        self.maxDiff = None
        self.assertEqual(after, before, "nothing is left when `down` returns")
        self.assertIsNone(harness.fetch("http://127.0.0.1:8080", timeout=1))


if __name__ == "__main__":
    harness.main()
