"""Everything without root: the server, its containers, their networks and ports belong to an ordinary user."""

import http.server
import os
import pathlib
import shutil
import signal
import socketserver
import stat
import subprocess
import tempfile
import threading
import unittest

import harness

USER, UID, SUBORDINATE = "tess", 4242, 3000000
OUTSIDE = "198.51.100.1"  # an address of the machine that isn't its loopback

COMPOSE = """
services:
  web:
    image: busybox-test:latest
    command: [httpd, -f, -p, "80", -h, /www]
    stop_signal: SIGKILL
    ports: ["18080:80", "127.0.0.1:18081:80", "18053:53/udp"]
    volumes: ["notes:/data"]
  idle:
    image: busybox-test:latest
    command: [sleep, "10000"]
    stop_signal: SIGKILL
    user: "1000:1000"
volumes: {notes: {}}
"""


def add_user():
    """An ordinary user with subordinate ids, in this test's mounts alone."""
    for name, line in (("passwd", f"{USER}:x:{UID}:{UID}::/nowhere:/bin/sh"), ("group", f"{USER}:x:{UID}:"),
                       ("subuid", f"{USER}:{SUBORDINATE}:65536"), ("subgid", f"{USER}:{SUBORDINATE}:65536")):
        real = pathlib.Path("/etc") / name
        real.touch()
        changed = pathlib.Path("/tmp") / f"orchion-rootless-{os.getpid()}-{name}"
        changed.write_text(real.read_text() + line + "\n")
        changed.chmod(0o644)
        subprocess.run(["mount", "--bind", changed, real], check=True)
        changed.unlink()


def as_user(*command):
    return ["setpriv", f"--reuid={UID}", f"--regid={UID}", "--clear-groups", *command]


class RootlessCluster(harness.Cluster):
    def __init__(self, **options):
        super().__init__(prefix=as_user(), **options)
        os.chown(self.folder, UID, UID)

    def environment(self):
        return super().environment() | {"HOME": str(self.folder), "XDG_RUNTIME_DIR": str(self.folder)}

    def processes(self):
        """Every process of the user and of its subordinates: pid → command line."""
        found = {}
        for entry in pathlib.Path("/proc").glob("[0-9]*"):
            try:
                uid = entry.stat().st_uid
                command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode().strip()
            except OSError:
                continue
            if (uid == UID or SUBORDINATE <= uid < SUBORDINATE + 65536) and command:
                found[int(entry.name)] = command
        return found

    def one(self, name):
        return next(pid for pid, command in self.processes().items() if name in command)

    def close(self):
        super().close()
        for pid in self.processes():  # none, unless a test failed
            os.kill(pid, signal.SIGKILL)


class Page(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"outside\n")

    def log_message(self, *_):
        pass


def serve_outside():
    server = socketserver.ThreadingTCPServer((OUTSIDE, 18090), Page)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


def open_tun():
    """Anybody may open /dev/net/tun, as udev has it on every Debian; on a machine without udev in this file's own mount
    namespace alone."""
    tun = pathlib.Path("/dev/net/tun")
    if tun.stat().st_mode & 0o666 == 0o666:
        return
    node = pathlib.Path(tempfile.mkdtemp()) / "tun"
    os.mknod(node, stat.S_IFCHR, os.makedev(10, 200))
    os.chmod(node, 0o666)
    subprocess.run(["mount", "--bind", node, tun], check=True)
    shutil.rmtree(node.parent, ignore_errors=True)


class Rootless(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        add_user()
        open_tun()
        subprocess.run(["ip", "link", "add", "outside", "type", "bridge"], check=True)
        subprocess.run(["ip", "address", "add", f"{OUTSIDE}/24", "dev", "outside"], check=True)
        subprocess.run(["ip", "link", "set", "outside", "up"], check=True)
        cls.outside = serve_outside()

    @classmethod
    def tearDownClass(cls):
        cls.outside.shutdown()
        cls.outside.server_close()

    def setUp(self):
        self.cluster = RootlessCluster().start()
        self.addCleanup(self.cluster.close)

    def up(self, text=COMPOSE):
        harness.busybox_image(self.cluster, "busybox-test:latest")
        self.file = harness.write(self.cluster.folder, "shop/compose.yaml", text)
        self.cluster.ok("up", "-f", self.file, "--yes")
        if "18080" in text:
            self.wait_for_web()

    def wait_for_web(self):
        harness.wait_for("the server in the container",
                         lambda: harness.fetch("http://127.0.0.1:18080/index.html", 1) == "ok\n")

    def inside(self, *command, task="idle"):
        return self.cluster.ok("exec", "--stack", "shop", task, "--", *command)

    def test_a_stack_runs_as_the_user(self):
        self.up()
        self.assertEqual(harness.fetch("http://127.0.0.1:18081/index.html"), "ok\n", "published on 127.0.0.1")
        self.assertEqual(harness.fetch("http://[::1]:18080/index.html"), "ok\n")
        self.assertEqual(harness.fetch(f"http://{OUTSIDE}:18080/index.html"), "ok\n")
        self.assertIsNone(harness.fetch(f"http://{OUTSIDE}:18081/index.html", 1))
        self.assertEqual(self.inside("wget", "-qO-", "http://web/index.html"), "ok\n", "by name")
        self.assertEqual(self.inside("wget", "-qO-", f"http://{OUTSIDE}:18090/"), "outside\n", "the way out")
        self.assertEqual(self.inside("id").split()[0], "uid=1000(web)")
        # The machine's own loopback, and what is published there alone, are not theirs.
        for address in ("203.0.113.127:18081", "203.0.113.2:18081"):
            result = self.cluster.run("exec", "--stack", "shop", "idle", "--", "wget", "-T", "1", "-qO-",
                                      f"http://{address}/index.html")
            self.assertNotEqual(result.code, 0, result)

        tasks = {task["spec"]["service"]: task for task in self.cluster.tasks("shop")}
        owners = {name: os.stat(f"/proc/{task['status']['pid']}").st_uid for name, task in tasks.items()}
        self.assertEqual(owners, {"web": UID, "idle": SUBORDINATE + 999})

        self.inside("sh", "-c", "echo kept > /data/note", task="web")
        self.cluster.ok("cp", "web:/data/note", self.cluster.folder / "note", "--stack", "shop")
        self.assertEqual((self.cluster.folder / "note").read_text(), "kept\n")
        self.cluster.ok("down", "--stack", "shop", "--yes")
        self.cluster.ok("up", "-f", self.file, "--yes")
        self.assertEqual(self.inside("cat", "/data/note", task="web"), "kept\n")

    def test_what_runs_survives_the_server(self):
        self.up()
        before = {t["meta"]["uid"]: t["status"]["pid"] for t in self.cluster.tasks("shop")}
        for how in (signal.SIGKILL, signal.SIGTERM):
            self.cluster.stop(how)
            self.assertEqual(harness.fetch("http://127.0.0.1:18080/index.html"), "ok\n", "without a server")
            self.cluster.start()
            harness.wait_for("both tasks to be running",
                             lambda: [t["status"]["state"] for t in self.cluster.tasks("shop")] == ["RUNNING"] * 2)
            self.assertEqual({t["meta"]["uid"]: t["status"]["pid"] for t in self.cluster.tasks("shop")}, before)
            self.assertEqual(harness.fetch("http://127.0.0.1:18080/index.html"), "ok\n")
            self.assertEqual(self.inside("wget", "-qO-", "http://web/index.html"), "ok\n")

    def test_the_way_out_comes_back(self):
        self.up()
        os.kill(self.cluster.one("slirp4netns"), signal.SIGKILL)
        self.wait_for_web()
        self.assertEqual(self.inside("wget", "-qO-", f"http://{OUTSIDE}:18090/"), "outside\n")
        self.assertEqual(harness.fetch("http://127.0.0.1:18081/index.html"), "ok\n")

    def test_ports_that_cannot_be_had(self):
        harness.busybox_image(self.cluster, "busybox-test:latest")
        for port, words in (("80:80", "without root: publish one from 1024 on"),
                            (f"{OUTSIDE}:18070:80", "leave 198.51.100.1 out"),
                            ("18090:80", "taken on this machine by")):
            file = harness.write(self.cluster.folder, "ports/compose.yaml",
                                 "services: {web: {image: busybox-test:latest, command: [sleep, '100'], "
                                 f"stop_signal: SIGKILL, ports: ['{port}']}}}}\n")
            result = self.cluster.run("up", "-f", file, "--yes")
            self.assertEqual(result.code, 1, result)
            self.assertIn(words, result.err)
            self.cluster.ok("down", "--stack", "ports", "--yes")

    def test_limits_are_refused_where_there_are_no_groups(self):
        # This user has no systemd that would give any; with one: tests/e2e/vm/inside/rootless_test.py.
        harness.busybox_image(self.cluster, "busybox-test:latest")
        file = harness.write(self.cluster.folder, "limits/compose.yaml",
                             "services: {web: {image: busybox-test:latest, command: [sleep, '100'], mem_limit: 64m}}\n")
        result = self.cluster.run("up", "-f", file, "--yes")
        self.assertEqual(result.code, 1, result)
        self.assertIn("runs without root, and has no control groups", result.err)
        self.assertIn("leave `mem_limit` out", result.err)

    def test_users_of_a_container_s_own_are_refused(self):
        harness.busybox_image(self.cluster, "busybox-test:latest")
        file = harness.write(self.cluster.folder, "users/compose.yaml",
                             "services: {web: {image: busybox-test:latest, command: [sleep, '100'], userns_mode: auto}}\n")
        result = self.cluster.run("up", "-f", file, "--yes")
        self.assertEqual(result.code, 1, result)
        self.assertIn("lacks users of its own", result.err)

    def test_nothing_stays_when_nothing_runs(self):
        self.up()
        self.cluster.ok("down", "--stack", "shop", "--yes", "--volumes")
        self.cluster.stop()
        harness.wait_for("the last process", lambda: not self.cluster.processes())
        # And all begins anew.
        self.cluster.start()
        self.cluster.ok("up", "-f", self.file, "--yes")
        self.wait_for_web()

    def test_what_is_missing_is_said(self):
        self.cluster.stop()
        subuid = pathlib.Path("/etc/subuid")  # this test's own: see add_user()
        self.addCleanup(subuid.write_text, subuid.read_text())
        subuid.write_text("")
        result = self.cluster.run("server")
        self.assertEqual(result.code, 1)
        self.assertIn("sudo usermod --add-subuids 100000-165535 --add-subgids 100000-165535 tess", result.err)


if __name__ == "__main__":
    harness.main()
