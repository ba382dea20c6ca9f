"""What goes wrong is one sentence that says what to do, the right exit code, and nothing half-made."""

import os
import pathlib
import socket
import subprocess
import tempfile
import unittest

import harness

SERVICE = """
services:
  web:
    image: {image}
    command: [httpd, -f, -p, "80", -h, /www]
    stop_signal: SIGKILL
    {more}
"""


class BadInput(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.cluster = harness.Cluster().start()
        cls.addClassCleanup(cls.cluster.close)
        harness.busybox_image(cls.cluster, "busybox-test:latest")

    def setUp(self):
        self.folder = self.cluster.folder / "bad"
        self.addCleanup(self.cluster.run, "down", "--stack", "bad", "--yes")

    def up(self, text, *arguments):
        return self.cluster.run("up", "-f", harness.write(self.folder, "compose.yaml", text), "--yes", "--timeout", "15s",
                                *arguments)

    def nothing_made(self):
        stacks = [s["meta"]["name"] for s in self.cluster.json("stack", "ls")["stacks"]]
        self.assertNotIn("bad", stacks)

    def test_broken_yaml(self):
        result = self.up("services:\n  web:\n   image: [unclosed\n")
        self.assertEqual(result.code, 1, result)
        self.assertRegex(result.err, r"compose\.yaml:\d+:\d+")
        self.nothing_made()

    def test_unsupported_and_misspelt_keys_all_at_once(self):
        result = self.up("services:\n  web:\n    image: a\n    credential_spec: {}\n    comand: [x]\n")
        self.assertEqual(result.code, 1, result)
        self.assertIn("compose.yaml:4", result.err)
        self.assertIn("credential_spec", result.err)
        self.assertIn("compose.yaml:5", result.err)
        self.assertIn("command", result.err)
        self.nothing_made()

    def test_missing_file(self):
        result = self.cluster.run("up", "-f", "/nonexistent/compose.yaml", "--yes")
        self.assertEqual(result.code, 3, result)
        self.assertIn("/nonexistent/compose.yaml", result.err)
        self.assertEqual(len(result.err.strip().splitlines()), 1, result)

    def test_missing_image(self):
        result = self.up(SERVICE.format(image="127.0.0.1:1/no/such:1", more=""))
        self.assertNotEqual(result.code, 0, result)
        self.assertIn("127.0.0.1:1/no/such:1", result.err)

    def test_port_in_use(self):
        with socket.socket() as taken:
            taken.bind(("0.0.0.0", 18999))
            taken.listen()
            result = self.up(SERVICE.format(image="busybox-test:latest", more='ports: ["18999:80"]'))
            self.assertNotEqual(result.code, 0, result)
            self.assertIn("18999", result.err)
            self.assertIn("taken", result.err)

    def test_command_that_does_not_exist(self):
        result = self.up("services:\n  web:\n    image: busybox-test:latest\n    command: [/no/such]\n    restart: \"no\"\n")
        self.assertNotEqual(result.code, 0, result)
        self.assertIn("/no/such", result.err)

    def note_of(self, text):
        """What `ps` says about a task that ended for good."""
        self.up(text)

        def ended():
            tasks = self.cluster.tasks("bad")
            status = tasks[0].get("status", {}) if tasks else {}
            return status if status.get("state") == "FAILED" else None
        status = harness.wait_for("the task to fail", ended)
        self.assertIn(status["message"], self.cluster.ok("ps", "--stack", "bad"))
        return status

    def test_exit_code_is_reported(self):
        status = self.note_of("services:\n  web:\n    image: busybox-test:latest\n    command: [sh, -c, exit 3]\n"
                              "    restart: \"no\"\n")
        self.assertEqual(status["exitCode"], 3)
        self.assertIn("3", status["message"])

    def test_out_of_memory_is_reported(self):
        status = self.note_of(SERVICE.format(image="busybox-test:latest", more="mem_limit: 16m\n    restart: \"no\"").replace(
            '[httpd, -f, -p, "80", -h, /www]', '[sh, -c, "dd if=/dev/zero of=/dev/null bs=64M count=4"]'))
        self.assertIn("memory", status["message"])

    def test_server_that_is_gone(self):
        result = self.cluster.run("ps", env={"ORCHION_DATA": str(self.cluster.folder / "nowhere")})
        self.assertEqual(result.code, 6, result)
        self.assertIn("orchion server", result.err)

    def test_wrong_usage(self):
        self.assertEqual(self.cluster.run("frobnicate").code, 2)
        self.assertEqual(self.cluster.run("ps", "--no-such-flag").code, 2)

    def test_second_server_on_the_same_data(self):
        result = self.cluster.run("server", "--data", self.cluster.data, "--http", "127.0.0.1:0", "--grpc", "127.0.0.1:0")
        self.assertEqual(result.code, 1, result)
        self.assertIn("already", result.err)

    def test_not_loopback_without_tls(self):
        for flag in ("--http", "--grpc"):
            result = self.cluster.run("server", "--data", self.cluster.folder / "other", flag, "0.0.0.0:4700")
            self.assertNotEqual(result.code, 0, result)
            self.assertIn("TLS", result.err)

    def test_no_runtime_binary(self):
        # A PATH without crun and runc, and none in the usual folders of this mount namespace.
        with tempfile.TemporaryDirectory() as empty:
            hidden = [p for p in ("/usr/bin/crun", "/usr/sbin/runc", "/usr/bin/runc") if pathlib.Path(p).exists()]
            script = "".join(f"mount --bind /dev/null {p}; " for p in hidden)
            run = subprocess.run(
                ["unshare", "--mount", "sh", "-c",
                 f"{script} exec {harness.ORCHION} server --data {empty}/d --http 127.0.0.1:0 --grpc 127.0.0.1:0"],
                capture_output=True, text=True, timeout=30)
            self.assertNotEqual(run.returncode, 0)
            self.assertIn("crun", run.stderr)
            self.assertIn("install", run.stderr)

    def test_not_root(self):
        with tempfile.TemporaryDirectory() as home:
            os.chmod(home, 0o777)
            run = subprocess.run(["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups",
                                  harness.ORCHION, "server", "--data", f"{home}/d", "--http", "127.0.0.1:0",
                                  "--grpc", "127.0.0.1:0"], capture_output=True, text=True, timeout=30,
                                 env={"PATH": os.environ["PATH"], "HOME": home})
            self.assertNotEqual(run.returncode, 0)
            self.assertIn("root", run.stderr)

    def test_no_space(self):
        folder = tempfile.mkdtemp()
        self.addCleanup(os.rmdir, folder)
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=12m", "tmpfs", folder], check=True)
        self.addCleanup(subprocess.run, ["umount", "-l", folder])
        small = harness.Cluster(["--http", "127.0.0.1:0", "--grpc", "127.0.0.1:0"])
        small.data = pathlib.Path(folder) / "data"
        small.start()
        self.addCleanup(small.close)
        with open(pathlib.Path(folder) / "filler", "wb") as filler:
            try:
                while True:
                    filler.write(b"x" * 65536)
                    filler.flush()
            except OSError:
                pass
        archive = self.cluster.folder / "image.tar"
        subprocess.run(["tar", "-C", "/", "-cf", archive, "bin/busybox"], check=True)
        result = small.run("image", "import", archive, "big:1")
        self.assertNotEqual(result.code, 0, result)
        self.assertRegex(result.err, "space|full")
        os.unlink(pathlib.Path(folder) / "filler")
        small.ok("image", "import", archive, "big:1")


if __name__ == "__main__":
    harness.main()
