"""`userns_mode: auto`: containers whose root is nobody on the node, by crun and by runc."""

import os
import pathlib
import signal
import unittest

import harness

NAMES = ("crun", "runc")
SERVICE = """
  in-{name}:
    image: busybox-test:latest
    runtime: {name}
    userns_mode: auto
    command: [sh, -c, "id -u > /kept/{name}; echo {name} is ready; exec httpd -f -p 80 -h /www"]
    stop_signal: SIGKILL
    ports: ["{port}:80"]
    volumes: ["kept:/kept", "./given:/given:ro"]
    secrets: [key]
    healthcheck: {{test: [CMD, wget, -qO-, "http://127.0.0.1/"], interval: 1s}}"""
COMPOSE = f"""
services:{"".join(SERVICE.format(name=name, port=18080 + i) for i, name in enumerate(NAMES))}
  plain:
    image: busybox-test:latest
    command: [sleep, "100000"]
    stop_signal: SIGKILL
    volumes: ["kept:/kept"]
volumes: {{kept: {{}}}}
secrets: {{key: {{file: ./key}}}}
"""
REFUSED = """
services:
  everything: {image: busybox-test:latest, userns_mode: auto, privileged: true}
"""


def users_of(pid):
    """First user, first group and how many, as the kernel has them."""
    inside, first, count = map(int, pathlib.Path(f"/proc/{pid}/uid_map").read_text().split())
    assert inside == 0, inside
    return first, count


class Users(unittest.TestCase):
    def setUp(self):
        self.cluster = harness.Cluster().start()
        self.addCleanup(self.cluster.close)
        harness.busybox_image(self.cluster, "busybox-test:latest")
        self.file = harness.write(self.cluster.folder, "own/compose.yaml", COMPOSE)
        folder = self.file.parent
        (folder / "key").write_text("hunter2\n")
        (folder / "given").mkdir()
        (folder / "given" / "file").write_text("given\n")

    def statuses(self):
        return {t["spec"]["service"]: t["status"] for t in self.cluster.tasks("own")}

    def pids(self):
        return {service: status.get("pid") for service, status in self.statuses().items()}

    def inside(self, name, script):
        return self.cluster.ok("exec", f"own/in-{name}", "--", "sh", "-c", script)

    def test_root_inside_is_nobody_outside(self):
        null = os.stat("/dev/null").st_uid
        self.cluster.ok("up", "-f", self.file, "--yes")
        pids = self.pids()
        ranges = {users_of(pids[f"in-{name}"]) for name in NAMES}
        self.assertEqual(len(ranges), len(NAMES), "no two have the same")
        self.assertEqual(users_of(pids["plain"])[0], 0)
        for first, count in ranges:
            self.assertGreaterEqual(first, 100_000)
            self.assertEqual(count, 65536)
        (volume,) = (self.cluster.data / "volumes").glob("*/data")
        for index, name in enumerate(NAMES):
            with self.subTest(name):
                status = pathlib.Path(f"/proc/{pids[f'in-{name}']}/status").read_text()
                self.assertIn(f"\nUid:\t{users_of(pids[f'in-{name}'])[0]}\t", status)
                harness.wait_for("its page", lambda: self.page(18080 + index) == "ok\n")
                self.assertEqual(self.inside(name, "id -u; cat /given/file /run/secrets/key"), "0\ngiven\nhunter2\n")
                other = NAMES[1 - index]
                self.assertEqual(self.inside(name, f"wget -qO- http://in-{other}/; cat /kept/{other}"), "ok\n0\n")
                self.assertEqual((volume / name).stat().st_uid, 0)
                harness.wait_for("its health", lambda: self.statuses()[f"in-{name}"].get("health") == "HEALTH_GOOD")
                self.copies(name)
        self.assertEqual(os.stat("/dev/null").st_uid, null)

        self.cluster.stop(signal.SIGKILL)
        self.cluster.start()
        harness.wait_for("its tasks to be adopted", lambda: self.pids() == pids)
        self.assertEqual(self.inside("crun", "id -u"), "0\n")
        self.cluster.ok("down", "--stack", "own", "--yes", "--volumes")
        run = pathlib.Path("/run/orchion-" + (self.cluster.data / "cluster-id").read_text()[:6])
        self.assertFalse((run / "mounts").exists())
        self.assertEqual(list((self.cluster.data / "containers").glob("containers/*")), [])
        self.assertNotIn(str(self.cluster.folder), pathlib.Path("/proc/self/mountinfo").read_text())

    def page(self, port):
        try:
            return harness.fetch(f"http://127.0.0.1:{port}/index.html")
        except OSError:
            return None

    def copies(self, name):
        """Both ways: inside, owners are the container's numbers."""
        sent = self.file.parent / "sent"
        sent.write_text("sent\n")
        self.cluster.ok("cp", sent, f"own/in-{name}:/tmp/sent")
        self.assertEqual(self.inside(name, "cat /tmp/sent; echo back > /tmp/back; ls -ln /tmp/sent").split()[:4],
                         ["sent", "-rw-r--r--", "1", "0"])
        back = self.file.parent / f"back-{name}"
        self.cluster.ok("cp", f"own/in-{name}:/tmp/back", back)
        self.assertEqual(back.read_text(), "back\n")
        self.assertEqual(back.stat().st_uid, 0)

    def test_what_cannot_go_together_is_refused(self):
        refused = self.cluster.run("up", "-f", harness.write(self.cluster.folder, "no/compose.yaml", REFUSED), "--yes")
        self.assertNotEqual(refused.code, 0)
        self.assertIn("remove one of both", refused.err + refused.out)


if __name__ == "__main__":
    harness.main()
