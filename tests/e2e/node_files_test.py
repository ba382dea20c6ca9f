"""What the node's own files give to containers: devices by their CDI names, in every runtime, and hooks."""

import json
import os
import pathlib
import subprocess
import unittest

import engines
import harness

CDI = pathlib.Path("/run/cdi")
NAMES = ("oci", "docker", "podman", "containerd")
VARIABLES = {"docker": "DOCKER_HOST", "podman": "CONTAINER_HOST", "containerd": "CONTAINERD_ADDRESS"}
SPEC = {
    "cdiVersion": "0.6.0",
    "kind": "example.com/plain",
    "containerEdits": {"env": ["PLAIN=yes"]},
    "devices": [
        {"name": "null", "containerEdits": {
            "deviceNodes": [{"path": "/dev/hole", "hostPath": "/dev/null"}, {"path": "/dev/fuse"}],
            "mounts": [{"hostPath": "/usr/share/common-licenses", "containerPath": "/opt/licenses",
                        "options": ["ro", "nosuid", "nodev", "bind"]}],
            "additionalGids": [4242]}},
        {"name": "guarded", "containerEdits": {
            "hooks": [{"hookName": "createRuntime", "path": "/bin/true"}]}},
    ],
}
SCRIPT = "echo x > /dev/hole && test -c /dev/fuse && echo $PLAIN; id -G; ls /opt/licenses; touch /opt/licenses/x || echo ro"


def own_cdi_folder(test):
    """An empty one, in this mount namespace."""
    made = not CDI.exists()
    CDI.mkdir(exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "cdi", CDI], check=True)
    test.addCleanup(lambda: made and CDI.rmdir())
    test.addCleanup(subprocess.run, ["umount", CDI], check=True)


class NodeFiles(unittest.TestCase):
    def setUp(self):
        if not os.path.exists("/dev/fuse"):
            subprocess.run(["mknod", "/dev/fuse", "c", "10", "229"], check=True)
        own_cdi_folder(self)
        sockets = {}
        for kind, variable in VARIABLES.items():
            engine = engines.Engine(kind).start()
            self.addCleanup(engine.close)
            sockets[variable] = engine.socket
        self.cluster = harness.Cluster(engines=sockets)
        self.addCleanup(self.cluster.close)
        self.cluster.start()
        harness.busybox_image(self.cluster, "box", applets=("sh", "sleep", "ls", "id", "touch", "test", "echo"))

    def compose(self, services):
        return harness.write(self.cluster.folder, "n/compose.yaml", json.dumps({"name": "n", "services": services}))

    def service(self, executor, device):
        return {"image": "box", "command": ["sleep", "1000"], "stop_signal": "SIGKILL", "devices": [device],
                "x-orchion": {"executor": executor}}

    def test_devices_have_what_their_vendor_says_in_every_runtime(self):
        (CDI / "plain.json").write_text(json.dumps(SPEC))
        file = self.compose({name: self.service(name, "example.com/plain=null") for name in NAMES})
        self.cluster.ok("up", "-f", file, "--yes")
        for name in NAMES:
            with self.subTest(name):
                said = self.cluster.ok("exec", f"n/{name}", "--", "sh", "-c", SCRIPT)
                self.assertTrue(said.startswith("yes\n"), said)
                self.assertIn("4242", said)
                self.assertIn("GPL-3", said)
                self.assertTrue(said.endswith("ro\n"), said)
        self.cluster.ok("down", "--stack", "n", "--yes")

    def failure(self, services):
        self.cluster.run("up", "-f", self.compose(services), "--yes", "--detach")
        try:
            return harness.wait_for("the failure to be told", lambda: next(
                (t["status"]["message"] for t in self.cluster.tasks("n") if t["status"].get("message")), None))
        finally:
            self.cluster.ok("down", "--stack", "n", "--yes")

    def test_what_is_not_there_is_told(self):
        message = self.failure({"a": self.service("oci", "example.com/plain=none")})
        self.assertIn("this node has no device example.com/plain=none: the files in /etc/cdi and /var/run/cdi have", message)
        (CDI / "plain.json").write_text(json.dumps(SPEC))
        self.assertIn("docker can't call the hook /bin/true",
                      self.failure({"a": self.service("docker", "example.com/plain=guarded")}))

    def test_the_nodes_hooks_are_called(self):
        hooks = self.cluster.data / "hooks.d"
        hooks.mkdir()
        told = self.cluster.folder / "told"
        (hooks / "tell.json").write_text(json.dumps({
            "version": "1.0.0",
            "hook": {"path": "/bin/sh", "args": ["sh", "-c", f"cat >> {told}; echo >> {told}"]},
            "when": {"annotations": {"^com\\.example\\.tell$": "^yes$"}},
            "stages": ["createRuntime"]}))
        services = {name: self.service(name, "/dev/null") for name in ("oci", "containerd")}
        services["oci"]["annotations"] = {"com.example.tell": "yes"}
        self.cluster.ok("up", "-f", self.compose(services), "--yes")
        states = [json.loads(line) for line in told.read_text().splitlines() if line]
        uids = {t["spec"]["service"]: t["meta"]["uid"] for t in self.cluster.tasks("n")}
        self.assertEqual([state["id"] for state in states], [uids["oci"]])
        self.assertEqual(states[0]["annotations"]["com.example.tell"], "yes")
        self.cluster.ok("down", "--stack", "n", "--yes")


if __name__ == "__main__":
    harness.main()
