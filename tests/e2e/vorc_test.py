"""A folder with VOrchestrator's file in it and nothing else, from `up` to `down`."""

import json
import unittest

import harness


class Vorc(unittest.TestCase):
    def setUp(self):
        self.cluster = harness.Cluster().start()
        self.addCleanup(self.cluster.close)
        harness.busybox_image(self.cluster, "box", applets=("sh", "httpd", "sleep"))
        # An image that serves by itself: the file can't say a command.
        harness.web_image(self.cluster, "page")
        self.folder = self.cluster.folder / "blog"
        self.folder.mkdir()
        self.write({"web": {"image": "page", "ports": ["8085:80"], "environment": {"KEY": "hunter2-vorc $HOME"}},
                    "my_db": {"image": "page", "environment": ["A=b"]}})

    def write(self, services):
        harness.write(self.folder, "vorc.json", json.dumps({"services": services}, indent="\t"))

    def run_here(self, *arguments):
        out = self.cluster.run(*arguments, cwd=self.folder)
        self.assertNotIn("hunter2-vorc", out.out + out.err)
        return out

    def test_runs_as_it_is(self):
        other = harness.write(self.cluster.folder / "other", "compose.yaml",
                              "services: {idle: {image: box, command: [sleep, '1000'], stop_signal: SIGKILL}}")
        self.cluster.ok("up", "-f", other, "--yes")

        out = self.run_here("up", "--yes", "--timeout", "60s")
        self.assertEqual(out.code, 0, out)
        self.assertIn("http://localhost:8085", out.out)
        self.assertIn("`my_db` is called `my-db` here", out.err)
        self.assertEqual(harness.fetch("http://127.0.0.1:8085"), "ok\n")
        self.assertEqual(self.run_here("ps", "-o", "name").out, "blog/my-db.1\nblog/web.1\n")
        self.assertEqual(self.cluster.ok("exec", "blog/web", "--", "env").count("KEY=hunter2-vorc $HOME\n"), 1)
        health = self.run_here("health")
        self.assertEqual(health.code, 0, health)
        self.assertIn("blog/web.1", health.out)
        self.assertIn("no changes", self.run_here("plan").out)

        self.write({"web": {"image": "page", "ports": ["8086:80"]}})
        file = self.folder / "vorc.json"
        plan = self.cluster.ok("plan", "-f", file)
        self.assertIn("! service web", plan)
        self.assertIn("- service my-db", plan)
        self.assertIn("published: 8086", self.cluster.ok("config", "-f", file).replace('"', ""))
        self.cluster.ok("up", "-f", file, "--yes")
        self.assertEqual(harness.fetch("http://127.0.0.1:8086"), "ok\n")
        self.assertEqual(self.cluster.ok("ps", "-f", file, "-o", "name"), "blog/web.1\n")

        self.cluster.ok("down", "-f", file, "--yes")
        self.assertIsNone(harness.fetch("http://127.0.0.1:8086", timeout=1))
        self.assertEqual(self.cluster.ok("stack", "ls", "-o", "name"), "other\n")
        self.assertEqual(self.run_here("health").code, 3)
        self.cluster.ok("stop-all", "--yes")
        self.assertEqual(self.cluster.ok("stack", "ls", "-o", "name"), "")

    def test_failures_are_exit_codes(self):
        self.write({"web": {"image": "page", "volumes": ["a:/b"]}})
        out = self.run_here("up", "--yes")
        self.assertEqual(out.code, 1, out)
        self.assertRegex(out.err, r"vorc\.json:\d+:\d+: `volumes` isn't a key of a service in vorc\.json")
        self.write({"web": {"image": "box"}})
        out = self.run_here("up", "--yes", "--timeout", "60s")
        self.assertEqual(out.code, 1, out)
        out = self.run_here("health")
        self.assertEqual(out.code, 1, out)


if __name__ == "__main__":
    harness.main()
