"""orchion without root, as a unit of a user's own systemd: what it gives away of cgroup v2 limits the containers."""

import os
import pathlib
import pwd
import shutil
import subprocess
import unittest

import harness
import machine

USER = "tess"
MIB = 1 << 20
COMPOSE = """
name: own
services:
  web:
    image: box
    command: [httpd, -f, -p, "80", -h, /www]
    stop_signal: SIGKILL
    mem_limit: 64m
    cpus: 0.25
    pids_limit: 16
    ports: ["28080:80"]
"""
EATER = """
name: eats
services:
  eater:
    image: box
    command: [dd, if=/dev/zero, of=/dev/null, bs=200M, count=1]
    restart: "no"
    mem_limit: 32m
    memswap_limit: 32m
"""


class Own(harness.Cluster):
    """The server of an ordinary user, who never logs in."""

    def __init__(self):
        subprocess.run(["useradd", "--create-home", "--shell", "/bin/sh", USER], check=True)
        subprocess.run(["loginctl", "enable-linger", USER], check=True)
        self.user = pwd.getpwnam(USER)
        super().__init__(prefix=["setpriv", f"--reuid={USER}", f"--regid={USER}", "--init-groups"])
        self.folder.chmod(0o755)
        home = pathlib.Path(self.user.pw_dir)
        self.data = home / ".local/share/orchion"
        unit = home / ".config/systemd/user/orchion.service"
        binary = home / ".local/bin/orchion"
        for target, source in ((unit, harness.ROOT / "deploy/systemd/user/orchion.service"), (binary, harness.ORCHION)):
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(source, target)
        subprocess.run(["chown", "-R", f"{USER}:{USER}", home], check=True)
        # The machine's own server has the usual addresses.
        unit.write_text(unit.read_text().replace("orchion server",
                                                 "orchion server --http 127.0.0.1:5600 --grpc 127.0.0.1:5601"))
        harness.wait_for("the user's systemd", lambda: pathlib.Path(self.environment()["XDG_RUNTIME_DIR"],
                                                                    "systemd/private").exists())

    def environment(self):
        runtime = f"/run/user/{self.user.pw_uid}"
        return {"PATH": os.environ["PATH"], "HOME": self.user.pw_dir, "USER": USER, "XDG_RUNTIME_DIR": runtime,
                "DBUS_SESSION_BUS_ADDRESS": f"unix:path={runtime}/bus", "NO_COLOR": "1", "LC_ALL": "C.UTF-8"}

    def systemctl(self, *arguments):
        return subprocess.run([*self.prefix, "systemctl", "--user", *arguments], env=self.environment(), check=True,
                              capture_output=True, text=True).stdout.strip()

    def start(self):
        self.systemctl("daemon-reload")
        self.systemctl("start", "orchion")
        harness.wait_for("the server to be ready", lambda: "READY" in self.run("node", "ls", "-o", "json").out)
        return self

    def log_tail(self):
        return subprocess.run(["journalctl", f"_UID={self.user.pw_uid}", "--lines", "40", "--output", "cat"],
                              capture_output=True, text=True).stdout

    def status(self, stack, service):
        return next(t["status"] for t in self.tasks(stack) if t["spec"]["service"] == service)


class Rootless(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.own = Own().start()
        harness.busybox_image(cls.own, "box")
        cls.own.ok("up", "-f", harness.write(cls.own.folder, "own/compose.yaml", COMPOSE), "--yes")

    @classmethod
    def tearDownClass(cls):
        cls.own.ok("down", "--stack", "own", "--yes")
        cls.own.systemctl("stop", "orchion")
        harness.wait_for("the last of its processes",
                         lambda: subprocess.run(["pgrep", "--uid", USER, "--full", "orchion-shim|slirp4netns"]).returncode == 1)

    def page(self):
        return harness.fetch("http://127.0.0.1:28080/index.html", 1) == "ok\n"

    def test_limits_hold(self):
        group = machine.group_of(self.own.status("own", "web")["pid"])
        self.assertIn(f"/user@{self.own.user.pw_uid}.service/", str(group))
        self.assertRegex(str(group), r"/orchion-\d+\.scope/")
        figures = {name: (group / name).read_text().strip() for name in ("memory.max", "cpu.max", "pids.max")}
        self.assertEqual(figures, {"memory.max": str(64 * MIB), "cpu.max": "25000 100000", "pids.max": "16"})
        usage = self.own.json("top", "own")["tasks"][0]
        self.assertGreater(int(usage["memoryBytes"]), 0)

    def test_beyond_its_memory_it_is_killed_and_that_is_said(self):
        self.own.run("up", "-f", harness.write(self.own.folder, "eats/compose.yaml", EATER), "--yes")
        harness.wait_for("its end", lambda: self.own.status("eats", "eater")["state"] == "FAILED")
        status = self.own.status("eats", "eater")
        self.assertEqual((status["exitCode"], status.get("oomKilled")), (137, True), status)
        self.own.ok("down", "--stack", "eats", "--yes")

    def test_what_was_not_given_is_refused(self):
        text = EATER.replace("mem_limit: 32m", "cpuset: '0'").replace("    memswap_limit: 32m\n", "").replace(
            "eats", "pinned")
        result = self.own.run("up", "-f", harness.write(self.own.folder, "pinned/compose.yaml", text), "--yes")
        self.assertEqual(result.code, 1, result)
        self.assertIn("wasn't given the controller cpuset", result.err)
        self.own.ok("down", "--stack", "pinned", "--yes")

    def test_a_restart_of_the_unit(self):
        harness.wait_for("the page", self.page)
        before = machine.identity(self.own.status("own", "web")["pid"])
        self.own.systemctl("restart", "orchion")
        harness.wait_for("the server to be ready", lambda: "READY" in self.own.run("node", "ls", "-o", "json").out)
        harness.wait_for("the task", lambda: self.own.status("own", "web")["state"] == "RUNNING")
        self.assertEqual(machine.identity(self.own.status("own", "web")["pid"]), before)
        harness.wait_for("the page", self.page)


if __name__ == "__main__":
    unittest.main(verbosity=2)
