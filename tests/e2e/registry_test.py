"""Images go to a real registry and come back."""

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
