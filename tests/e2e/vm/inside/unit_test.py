"""orchion as a unit of systemd: what restarts, stops and kills it leaves the containers alone."""

import pathlib
import unittest

import harness
import machine

COMPOSE = """
name: shop
services:
  web:
    image: box
    command: [httpd, -f, -p, "80", -h, /www]
    stop_signal: SIGKILL
    mem_limit: 64m
    ports: ["18080:80"]
    deploy: {replicas: 2}
"""


class Unit(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.machine = machine.Machine().start()
        harness.busybox_image(cls.machine, "box")
        clean = cls.machine.state()
        cls.addClassCleanup(cls.machine.down, "shop", clean)
        cls.machine.ok("up", "-f", harness.write(cls.machine.folder, "compose.yaml", COMPOSE), "--yes")
        cls.before = cls.machine.identities("shop")

    def page(self):
        return harness.fetch("http://127.0.0.1:18080/index.html")

    def check_all_is_as_it_was(self):
        harness.wait_for("the server to be ready", self.machine.is_ready)
        self.assertEqual(self.machine.identities("shop"), self.before)
        self.assertEqual(self.page(), "ok\n")

    def test_nothing_but_the_server_is_in_the_unit_s_group(self):
        self.assertEqual(machine.group_of(self.machine.main_pid()).name, machine.UNIT)
        self.assertEqual(self.machine.strangers(), {})

    def test_a_restart_of_the_unit(self):
        pid = self.machine.main_pid()
        machine.systemctl("restart", machine.UNIT)
        self.check_all_is_as_it_was()
        self.assertNotEqual(self.machine.main_pid(), pid)

    def test_killed_it_comes_back_by_itself(self):
        pid = self.machine.main_pid()
        machine.systemctl("kill", "--signal", "KILL", "--kill-whom", "main", machine.UNIT)
        harness.wait_for("another process", lambda: self.machine.main_pid() not in (0, pid))
        self.check_all_is_as_it_was()
        self.assertEqual(machine.shows("NRestarts"), "1")

    def test_stopped_for_a_while(self):
        self.machine.stop()
        self.assertEqual(self.page(), "ok\n")
        self.machine.start()
        self.check_all_is_as_it_was()

    def test_systemd_leaves_the_limits(self):
        """It owns the top of the tree, and writes there when it reads its units again and starts others."""
        machine.systemctl("daemon-reload")
        machine.systemctl("daemon-reexec")
        for task in self.machine.tasks("shop"):
            group = machine.group_of(task["status"]["pid"])
            self.assertEqual((group / "memory.max").read_text(), f"{64 << 20}\n")
        self.check_all_is_as_it_was()


if __name__ == "__main__":
    unittest.main(verbosity=2)
