"""Debian's Docker, Podman and containerd as systemd starts them, with the control groups it gives them."""

import unittest

import harness
import machine

UNITS = ("docker.service", "podman.socket", "containerd.service")
NAMES = ("docker", "podman", "containerd")


def compose():
    services = [f"""
  {name}:
    image: box
    command: [sh, -c, "dd if=/dev/zero of=/dev/shm/held bs=1M count=24; touch /tmp/ready; exec sleep 100000"]
    stop_signal: SIGKILL
    mem_limit: 64m
    cpus: 0.25
    pids_limit: 16
    x-orchion: {{executor: {name}}}
  eats-{name}:
    image: box
    command: [sh, -c, "until test -e /tmp/go; do sleep 0.2; done; exec dd if=/dev/zero of=/dev/null bs=200M count=1"]
    restart: "no"
    mem_limit: 64m
    memswap_limit: 64m
    x-orchion: {{executor: {name}}}""" for name in NAMES]
    return f"name: engines\nservices:{''.join(services)}\n"


class Engines(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        for unit in UNITS:
            machine.systemctl("start", unit)
            cls.addClassCleanup(machine.systemctl, "stop", unit)
        cls.machine = machine.Machine()
        machine.systemctl("restart", machine.UNIT)  # it looks for engines when it starts
        cls.machine.start()
        harness.wait_for("its engines", lambda: set(NAMES) <= cls.executors())
        harness.busybox_image(cls.machine, "box")
        clean = cls.machine.state()
        cls.addClassCleanup(cls.machine.down, "engines", clean)
        cls.machine.ok("up", "-f", harness.write(cls.machine.folder, "compose.yaml", compose()), "--yes")

    @classmethod
    def executors(cls):
        """What of the node runs tasks, as far as it has been found: one that is slow to start comes seconds later."""
        capabilities = cls.machine.json("node", "ls")["nodes"][0]["status"]["capabilities"]
        return {runtime["executor"] for runtime in capabilities["runtimes"]}

    def test_limits_and_usage(self):
        running = self.machine.running("engines")
        self.assertEqual({name: running[name]["executor"] for name in NAMES}, {name: name for name in NAMES})
        for name in NAMES:
            with self.subTest(name):
                group = machine.group_of(running[name]["pid"])
                expected = {"memory.max": f"{64 << 20}\n", "cpu.max": "25000 100000\n", "pids.max": "16\n"}
                self.assertEqual({file: (group / file).read_text() for file in expected}, expected)
                harness.wait_for("what it holds", lambda: self.machine.run(
                    "exec", f"engines/{name}", "--", "test", "-e", "/tmp/ready").code == 0)
                usage = self.machine.json("top", f"engines/{name}")["tasks"][0]
                self.assertEqual(int(usage["memoryLimitBytes"]), 64 << 20)
                self.assertTrue(24 << 20 <= int(usage["memoryBytes"]) < 48 << 20, usage)
                self.assertGreater(int(usage["cpuNanoseconds"]), 0)
                self.assertEqual(usage["processes"], 1)

    def test_out_of_memory(self):
        for name in NAMES:
            with self.subTest(name):
                self.machine.run("exec", f"engines/eats-{name}", "--", "touch", "/tmp/go")
                task = harness.wait_for("its end", lambda: next(
                    (t for t in self.machine.tasks("engines")
                     if t["status"]["state"] == "FAILED" and t["spec"]["service"] == f"eats-{name}"), None))
                self.assertEqual(task["status"]["exitCode"], 137, task)
                # systemd may remove Docker's and Podman's groups, and what they counted, before anybody read it.
                if name == "containerd":
                    self.assertTrue(task["status"]["oomKilled"], task)


if __name__ == "__main__":
    unittest.main(verbosity=2)
