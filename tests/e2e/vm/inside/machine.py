"""The server as Debian's systemd runs it, on the folder it has by default."""

import json
import os
import pathlib
import subprocess

import harness

UNIT = "orchion.service"
CGROUPS = pathlib.Path("/sys/fs/cgroup")


def systemctl(*arguments):
    return subprocess.run(["systemctl", *arguments], check=True, capture_output=True, text=True).stdout.strip()


def shows(key):
    return systemctl("show", "--value", "--property", key, UNIT)


def identity(pid):
    """What no other process has: the pid, and when it began."""
    return pid, pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[19]


class Machine(harness.Cluster):
    def __init__(self):
        super().__init__()
        self.data = pathlib.Path("/var/lib/orchion")

    def environment(self):
        env = {k: v for k, v in os.environ.items() if not k.startswith("ORCHION_")}
        return env | {"NO_COLOR": "1", "LC_ALL": "C.UTF-8"}

    def is_ready(self):
        result = self.run("node", "ls", "-o", "json")
        return result.code == 0 and any(n["status"]["state"] == "READY" for n in json.loads(result.out)["nodes"])

    def start(self):
        systemctl("start", UNIT)
        harness.wait_for("the server to be ready", self.is_ready)
        return self

    def stop(self):
        systemctl("stop", UNIT)

    def close(self):
        raise AssertionError("the machine is switched off instead")

    def log_tail(self):
        return subprocess.run(["journalctl", "--unit", UNIT, "--lines", "40", "--output", "cat"],
                              capture_output=True, text=True).stdout

    def main_pid(self):
        return int(shows("MainPID"))

    def strangers(self):
        """The programs in the unit's control group that aren't the server."""
        group = CGROUPS / shows("ControlGroup").lstrip("/")
        pids = [pid for pid in (group / "cgroup.procs").read_text().split() if int(pid) != self.main_pid()]
        return {pid: pathlib.Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode() for pid in pids}

    def running(self, stack):
        """The tasks that run, by service; of several replicas the one with the highest slot."""
        tasks = [task for task in self.tasks(stack) if task["status"]["state"] == "RUNNING"]
        return {task["spec"]["service"]: task["status"] for task in sorted(tasks, key=lambda t: t["spec"]["slot"])}

    def identities(self, stack):
        """What a restart of orchion must not change: which containers, which processes, at which attempt."""
        return {task["meta"]["uid"]: (*identity(task["status"]["pid"]), task["status"]["attempt"])
                for task in self.tasks(stack)}

    def state(self):
        """What is on the machine for containers, less two folders that stay until the next boot, and Podman's monitors
        of execs, which end five minutes after them."""
        found = harness.host_state(self)
        return found | {"run": [path for path in found["run"] if not path.endswith(("/exec", "/process"))],
                        "processes": [line for line in found["processes"] if "/usr/bin/conmon " not in line]}

    def down(self, stack, before):
        """Takes the stack down; whatever is on the machine then that wasn't `before` is an error."""
        self.ok("down", "--stack", stack, "--volumes", "--yes")
        after = self.state()
        different = {kind: (before[kind], after[kind]) for kind in before if before[kind] != after[kind]}
        assert not different, f"before and after: {different}"


def group_of(pid):
    """The folder of its control group."""
    line = pathlib.Path(f"/proc/{pid}/cgroup").read_text().strip()
    assert line.startswith("0::/"), line
    return CGROUPS / line.removeprefix("0::/")
