"""Images go to a real registry and come back."""

import socket
import subprocess
import unittest
import urllib.request

import harness


class Registry(unittest.TestCase):
    def test_push_remove_pull_run(self):
        cluster = harness.Cluster().start()
        self.addCleanup(cluster.close)
        config = harness.write(cluster.folder, "registry.yml", f"""
version: 0.1
storage: {{filesystem: {{rootdirectory: {cluster.folder}/registry}}}}
http: {{addr: "127.0.0.1:5055"}}
""")
        registry = subprocess.Popen(["docker-registry", "serve", config], stdout=subprocess.DEVNULL,
                                    stderr=subprocess.DEVNULL)
        self.addCleanup(registry.wait)
        self.addCleanup(registry.terminate)
        harness.wait_for("the registry", lambda: harness.fetch("http://127.0.0.1:5055/v2/"))
        harness.busybox_image(cluster, "busybox-test:latest")
        cluster.ok("image", "push", "busybox-test:latest", "127.0.0.1:5055/team/busybox:1", "--plain-http")
        cluster.ok("image", "rm", "busybox-test:latest")
        self.assertNotIn("busybox", cluster.ok("image", "ls"))
        cluster.ok("image", "pull", "127.0.0.1:5055/team/busybox:1")
        self.assertIn("127.0.0.1:5055/team/busybox:1", cluster.ok("image", "ls"))
        file = harness.write(cluster.folder, "pulled/compose.yaml", """
services:
  one:
    image: 127.0.0.1:5055/team/busybox:1
    command: [sleep, "1000"]
    stop_signal: SIGKILL
""")
        cluster.ok("up", "-f", file, "--yes")
        self.assertEqual(cluster.ok("exec", "pulled/one", "--", "echo", "hi"), "hi\n")


if __name__ == "__main__":
    harness.main()
