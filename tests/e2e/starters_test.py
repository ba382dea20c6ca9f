"""Every starter of `orchion init`, written into a folder and planned by a real server."""

import json
import os
import unittest

import harness


class Starters(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.cluster = harness.Cluster().start()
        cls.addClassCleanup(cls.cluster.close)

    def init(self, name):
        folder = self.cluster.folder / self._testMethodName / name
        made = self.cluster.run("init", name, "--dir", folder, "-o", "json")
        self.assertEqual(made.code, 0, made)
        return folder, json.loads(made.out)["files"]

    def test_each_is_planned_as_it_is(self):
        starters = self.cluster.json("init", "--list")["starters"]
        self.assertEqual(len(starters), 10)
        for starter in starters:
            with self.subTest(starter["name"]):
                folder, files = self.init(starter["name"])
                self.assertEqual(files, starter["files"])
                for path in files:
                    original = harness.ROOT / "examples/starters" / starter["name"] / path
                    if original.exists():
                        self.assertEqual((folder / path).read_bytes(), original.read_bytes(), path)
                plan = self.cluster.run("plan", cwd=folder)
                self.assertEqual((plan.code, plan.err), (0, ""), plan)
                self.assertIn("+ service", plan.out)
                config = self.cluster.run("config", cwd=folder)
                self.assertEqual(config.code, 0, config)
                for path in files:
                    if path.startswith("secrets/") and not path.endswith(".gitignore"):
                        secret = (folder / path).read_text()
                        self.assertEqual(os.stat(folder / path).st_mode & 0o777, 0o600)
                        self.assertNotIn(secret, plan.out + config.out + config.err)

    def test_changed_variables_are_obeyed(self):
        folder, _ = self.init("static-site")
        (folder / ".env").write_text("HTTP_PORT=8099\n")
        self.assertIn("8099", self.cluster.ok("config", cwd=folder))

    def test_static_site_runs(self):
        # Another program under the image's name: what is tried is the starter's file.
        harness.web_image(self.cluster, "docker.io/library/nginx:1-alpine", pages="/usr/share/nginx/html")
        folder, _ = self.init("static-site")
        out = self.cluster.run("up", "--yes", "--timeout", "60s", cwd=folder)
        self.addCleanup(self.cluster.run, "down", "--stack", "static-site", "--yes")
        self.assertEqual(out.code, 0, out)
        self.assertIn("<h1>It works</h1>", harness.fetch("http://127.0.0.1:8080"))
        self.cluster.ok("wait", "--for", "healthy", cwd=folder)
        self.assertEqual(self.cluster.ok("health", cwd=folder).count("healthy"), 2)


if __name__ == "__main__":
    harness.main()
