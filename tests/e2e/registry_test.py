"""Images go to a real registry and come back."""

import json
import socket
import subprocess
import unittest
import urllib.request

import harness


class Registry(unittest.TestCase):
    def start_registry(self, cluster, more=""):
        config = harness.write(cluster.folder, "registry.yml", f"""
version: 0.1
storage: {{filesystem: {{rootdirectory: {cluster.folder}/registry}}}}
http: {{addr: "127.0.0.1:5055"}}
{more}""")
        registry = subprocess.Popen(["docker-registry", "serve", config], stdout=subprocess.DEVNULL,
                                    stderr=subprocess.DEVNULL)
        self.addCleanup(registry.wait)
        self.addCleanup(registry.terminate)
        harness.wait_for("the registry", lambda: self.answers())

    def answers(self):
        try:
            socket.create_connection(("127.0.0.1", 5055), timeout=5).close()
            return True
        except OSError:
            return False

    def test_push_remove_pull_run(self):
        cluster = harness.Cluster().start()
        self.addCleanup(cluster.close)
        self.start_registry(cluster)
        harness.busybox_image(cluster, "busybox-test:latest")
        cluster.ok("image", "push", "busybox-test:latest", "127.0.0.1:5055/team/busybox:1", "--plain-http")
        cluster.ok("image", "rm", "busybox-test:latest")
        self.assertNotIn("busybox", cluster.ok("image", "ls"))
        cluster.ok("image", "pull", "127.0.0.1:5055/team/busybox:1")
        self.assertIn("127.0.0.1:5055/team/busybox:1", cluster.ok("image", "ls"))
        cluster.ok("image", "tag", "127.0.0.1:5055/team/busybox:1", "other:2")
        digests = {image["meta"]["name"]: image["status"]["digest"] for image in cluster.json("image", "ls")["images"]}
        self.assertEqual(digests["docker.io/library/other:2"], digests["127.0.0.1:5055/team/busybox:1"])
        archive = cluster.folder / "again.tar"
        subprocess.run(["skopeo", "--insecure-policy", "copy", "--quiet", "--src-tls-verify=false",
                        "docker://127.0.0.1:5055/team/busybox:1", f"docker-archive:{archive}:again:1"], check=True)
        self.assertEqual(cluster.ok("image", "load", "-i", archive), "docker.io/library/again:1\n")
        file = harness.write(cluster.folder, "pulled/compose.yaml", """
services:
  one:
    image: 127.0.0.1:5055/team/busybox:1
    command: [sleep, "1000"]
    stop_signal: SIGKILL
""")
        cluster.ok("up", "-f", file, "--yes")
        self.assertEqual(cluster.ok("exec", "pulled/one", "--", "echo", "hi"), "hi\n")

    def test_a_tag_that_moves_changes_nothing_that_was_deployed(self):
        cluster = harness.Cluster().start()
        self.addCleanup(cluster.close)
        self.start_registry(cluster)
        name = "127.0.0.1:5055/moving:1"
        file = harness.write(cluster.folder, "moving/compose.yaml", f"""
services:
  one:
    image: {name}
    command: [sleep, "1000"]
    stop_signal: SIGKILL
""")
        for applets in (("sh", "sleep"), ("sh", "sleep", "cat")):
            harness.busybox_image(cluster, "local:1", applets=applets)
            cluster.ok("image", "push", "local:1", name, "--plain-http")
            if len(applets) == 2:
                cluster.ok("up", "-f", file, "--yes")
        first = self.pins(cluster)
        self.assertEqual(len(first), 1)
        harness.wait_for("the revision's digest", lambda: self.revision(cluster)["status"]["imageDigest"] in first)
        # Now the name leads elsewhere, in the registry and on the node.
        cluster.ok("image", "pull", name)
        cluster.ok("scale", "moving/one=3")
        cluster.ok("wait", "moving/one")
        self.assertEqual(len(cluster.tasks("moving")), 3)
        self.assertEqual(self.pins(cluster), first)
        cluster.ok("restart", "moving/one")
        cluster.ok("wait", "moving/one")
        self.assertEqual(len(self.pins(cluster) - first), 1)
        self.assertEqual(cluster.ok("exec", "moving/one.1", "--", "cat", "/www/index.html"), "ok\n")

    def pins(self, cluster):
        return {task["status"]["imagePin"] for task in cluster.tasks("moving")}

    def revision(self, cluster):
        return json.loads(cluster.request("GET", "/v1/revisions?stack=moving")[2])["revisions"][0]

    def test_a_private_registry_is_entered_after_login(self):
        cluster = harness.Cluster().start()
        self.addCleanup(cluster.close)
        # alice:wonder, bcrypt
        users = harness.write(cluster.folder, "users",
                              "alice:$2b$04$Z.wthmDfj2CuVUuG/YdvOul0A.2IBBWVp1Rn2nYxdr6u4/majXVy2\n")
        self.start_registry(cluster, f"auth: {{htpasswd: {{realm: test, path: {users}}}}}")
        harness.busybox_image(cluster, "busybox-test:latest")
        push = ("image", "push", "busybox-test:latest", "127.0.0.1:5055/private:1", "--plain-http")
        login = ("image", "login", "127.0.0.1:5055", "-u", "alice", "--password-stdin")
        refused = cluster.run(*push)
        self.assertEqual(refused.code, 4, refused)
        self.assertIn("log in with `orchion image login 127.0.0.1:5055` on the node", refused.err)

        wrong = cluster.run(*login, stdin="looking-glass\n")
        self.assertEqual(wrong.code, 4, wrong)
        self.assertIn("127.0.0.1:5055 does not accept this user name and password: check both", wrong.err)
        self.assertEqual(cluster.run(*push).code, 4)

        cluster.ok(*login, stdin="wonder\n")
        file = cluster.data / "registry-auth.json"
        self.assertEqual(file.stat().st_mode & 0o777, 0o600)
        cluster.ok(*push)
        cluster.ok("image", "rm", "busybox-test:latest")
        cluster.ok("image", "pull", "127.0.0.1:5055/private:1")
        self.assertNotIn("wonder", cluster.log.read_text())


if __name__ == "__main__":
    harness.main()
