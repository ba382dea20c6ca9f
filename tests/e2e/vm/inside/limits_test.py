"""What holds a container on cgroup v2, by crun and by runc: the kernel's own figures, and what happens beyond them."""

import pathlib
import time
import unittest

import harness
import machine

MIB = 1 << 20
COMPOSE = """
name: held
services:
  figures:
    image: box
    runtime: {runtime}
    command: [sleep, "100000"]
    stop_signal: SIGKILL
    mem_limit: 64m
    memswap_limit: 96m
    cpus: 0.25
    cpu_shares: 512
    cpuset: "1"
    pids_limit: 16
    blkio_config:
      weight: 300
      device_write_bps: [{{path: /dev/vda, rate: 1mb}}]
      device_read_iops: [{{path: /dev/vda, rate: 5000}}]
  busy:
    image: box
    runtime: {runtime}
    command: [sh, -c, "exec yes > /dev/null"]
    stop_signal: SIGKILL
    cpus: 0.25
  light:
    image: box
    runtime: {runtime}
    command: [sh, -c, "exec yes > /dev/null"]
    stop_signal: SIGKILL
    cpuset: "0"
    cpu_shares: 256
  heavy:
    image: box
    runtime: {runtime}
    command: [sh, -c, "exec yes > /dev/null"]
    stop_signal: SIGKILL
    cpuset: "0"
    cpu_shares: 4096
  forks:
    image: box
    runtime: {runtime}
    command: [sh, -c, "(while sleep 1000 & do :; done); exec sleep 100000"]
    stop_signal: SIGKILL
    pids_limit: 16
  swaps:
    image: box
    runtime: {runtime}
    command: [sh, -c, "dd if=/dev/zero of=/dev/shm/held bs=1M count=48; touch /tmp/ready; exec sleep 100000"]
    stop_signal: SIGKILL
    mem_limit: 32m
    memswap_limit: 128m
  writes:
    image: box
    runtime: {runtime}
    command: [sh, -c, "dd if=/dev/zero of=/data/file bs=1M count=6 conv=fsync; touch /tmp/ready; exec sleep 100000"]
    stop_signal: SIGKILL
    blkio_config: {{device_write_bps: [{{path: /dev/vda, rate: 1mb}}]}}
"""
# Memory and swap together, so that it is not swapped either.
EATER = """
name: eats
services:
  eater:
    image: box
    runtime: {runtime}
    command: [dd, if=/dev/zero, of=/dev/null, bs=200M, count=1]
    restart: "no"
    mem_limit: 32m
    memswap_limit: 48m
"""
PROGRAM = """
name: programs
services:
  program:
    command: [sh, -c, "exec busybox yes > /dev/null"]
    stop_signal: SIGKILL
    mem_limit: 64m
    cpus: 0.25
    cpuset: "1"
    pids_limit: 16
    x-orchion: {executor: process}
"""


def read(group, name):
    return (group / name).read_text().strip()


def counts(group, name):
    """A file of "name number" lines."""
    return {line.split()[0]: int(line.split()[1]) for line in read(group, name).splitlines()}


def used_seconds(group):
    return counts(group, "cpu.stat")["usage_usec"] / 1e6


class Limits(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.machine = machine.Machine().start()
        harness.busybox_image(cls.machine, "box")
        cls.clean = cls.machine.state()

    def up(self, stack, text):
        self.addCleanup(self.machine.down, stack, self.clean)
        self.machine.ok("up", "-f", harness.write(self.machine.folder, f"{stack}/compose.yaml", text), "--yes")
        return {service: machine.group_of(status["pid"]) for service, status in self.machine.running(stack).items()}

    def test_the_machine_is_what_users_of_debian_12_have(self):
        cgroups = [line.split() for line in pathlib.Path("/proc/mounts").read_text().splitlines() if "cgroup" in line]
        self.assertEqual([(fields[1], fields[2]) for fields in cgroups], [("/sys/fs/cgroup", "cgroup2")])
        self.assertEqual(pathlib.Path("/sys/module/apparmor/parameters/enabled").read_text(), "Y\n")
        said = self.machine.json("node", "ls")["nodes"][0]["status"]["capabilities"]
        self.assertEqual((said["cgroupVersion"], said["nanoCpus"]), (2, "2000000000"))

    def test_crun(self):
        self.hold("crun")

    def test_runc(self):
        self.hold("runc")

    def hold(self, runtime):
        begun = time.monotonic()
        groups = self.up("held", COMPOSE.format(runtime=runtime))
        self.assertEqual(self.machine.strangers(), {})
        for check in (self.check_figures, self.check_quota, self.check_weight, self.check_processes, self.check_swap):
            with self.subTest(check.__name__, runtime=runtime):
                check(groups)
        with self.subTest("disk", runtime=runtime):
            harness.wait_for("six MiB on the disk", lambda: self.is_ready("writes"))
            self.assertGreater(time.monotonic() - begun, 4, "at a MiB a second")
        with self.subTest("out of memory", runtime=runtime):
            self.check_killed(runtime)

    def is_ready(self, service):
        return self.machine.run("exec", f"held/{service}", "--", "test", "-e", "/tmp/ready").code == 0

    def check_figures(self, groups):
        group = groups["figures"]
        expected = {"memory.max": str(64 * MIB), "memory.swap.max": str(32 * MIB), "cpu.max": "25000 100000",
                    "cpu.weight": "20", "cpuset.cpus.effective": "1", "pids.max": "16"}
        self.assertEqual({name: read(group, name) for name in expected}, expected)
        # "254:0 rbps=max wbps=1048576 riops=5000 wiops=max"
        self.assertEqual(set(read(group, "io.max").split()[1:]),
                         {"rbps=max", f"wbps={MIB}", "riops=5000", "wiops=max"})
        # As the container sees it: its own group is the top, and can't be written.
        said = self.machine.ok("exec", "held/figures", "--", "sh", "-c",
                               "cat /proc/self/cgroup /sys/fs/cgroup/memory.max; "
                               "echo max > /sys/fs/cgroup/memory.max || echo read-only")
        self.assertEqual(said, f"0::/\n{64 * MIB}\nread-only\n")

    def check_quota(self, groups):
        group = groups["busy"]
        harness.wait_for("it to be throttled", lambda: counts(group, "cpu.stat")["nr_throttled"] > 5)
        begun, used = time.monotonic(), used_seconds(group)
        harness.wait_for("half a second of processor time", lambda: used_seconds(group) > used + 0.5)
        share = (used_seconds(group) - used) / (time.monotonic() - begun)
        self.assertLess(share, 0.35, "a quarter of a processor")

    def check_weight(self, groups):
        light, heavy = used_seconds(groups["light"]), used_seconds(groups["heavy"])
        harness.wait_for("two seconds of processor time", lambda: used_seconds(groups["heavy"]) > heavy + 2)
        ratio = (used_seconds(groups["heavy"]) - heavy) / max(used_seconds(groups["light"]) - light, 1e-6)
        self.assertGreater(ratio, 4, "weights are 157 to 10")

    def check_processes(self, groups):
        harness.wait_for("a fork to be refused", lambda: counts(groups["forks"], "pids.events")["max"] > 0)
        self.assertLessEqual(int(read(groups["forks"], "pids.current")), 16)

    def check_swap(self, groups):
        harness.wait_for("48 MiB to be held", lambda: self.is_ready("swaps"))
        self.assertGreater(int(read(groups["swaps"], "memory.swap.current")), 12 * MIB)
        self.assertLessEqual(int(read(groups["swaps"], "memory.current")), 32 * MIB)

    def check_killed(self, runtime):
        file = harness.write(self.machine.folder, "eats/compose.yaml", EATER.format(runtime=runtime))
        self.machine.run("up", "-f", file, "--yes")
        task = harness.wait_for("its end", lambda: next(
            (t for t in self.machine.tasks("eats") if t["status"]["state"] == "FAILED"), None))
        self.assertEqual((task["status"]["exitCode"], task["status"]["oomKilled"]), (137, True), task)
        self.machine.ok("down", "--stack", "eats", "--yes")

    def test_a_program_without_a_container(self):
        group = self.up("programs", PROGRAM)["program"]
        expected = {"memory.max": str(64 * MIB), "cpu.max": "25000 100000", "cpuset.cpus": "1", "pids.max": "16"}
        self.assertEqual({name: read(group, name) for name in expected}, expected)
        self.check_quota({"busy": group})


if __name__ == "__main__":
    unittest.main(verbosity=2)
