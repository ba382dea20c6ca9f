"""Real container engines of a test's own: nothing of the host's is used or touched."""

import os
import pathlib
import secrets
import shutil
import signal
import subprocess
import tempfile

import harness

# Podman as root writes more limits than a container may set here, and would use crun where it can't.
PODMAN = """[containers]
default_ulimits = ["nofile=20000:20000", "nproc=20000:20000"]
[engine]
runtime = "runc"
cgroup_manager = "cgroupfs"
events_logger = "file"
"""
CONTAINERD = """version = 2
root = "{0}/root"
state = "{0}/state"
disabled_plugins = ["io.containerd.grpc.v1.cri"]
[grpc]
address = "{0}/socket"
"""


class Engine:
    """One engine, from start() to close()."""

    def __init__(self, kind):
        self.kind = kind
        self.name = "oe" + secrets.token_hex(4)
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="orchion-engine-"))
        self.socket = self.folder / "socket"
        self.process = None

    def command(self):
        if self.kind == "docker":
            return ["dockerd", f"--data-root={self.folder}/data", f"--exec-root={self.folder}/run",
                    f"--pidfile={self.folder}/pid", f"--host=unix://{self.socket}", "--storage-driver=overlay2",
                    f"--cgroup-parent=/{self.name}", "--bridge=none", "--iptables=false", "--ip6tables=false"]
        if self.kind == "podman":
            (self.folder / "containers.conf").write_text(PODMAN)
            return ["podman", f"--root={self.folder}/data", f"--runroot={self.folder}/run",
                    f"--tmpdir={self.folder}/tmp", "--storage-driver=overlay", "system", "service", "--time=0",
                    f"unix://{self.socket}"]
        (self.folder / "config.toml").write_text(CONTAINERD.format(self.folder))
        return ["containerd", "--config", str(self.folder / "config.toml")]

    def start(self):
        self.socket.unlink(missing_ok=True)
        with open(self.folder / "log", "ab") as log:
            self.process = subprocess.Popen(self.command(), stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                            env=dict(os.environ, CONTAINERS_CONF=str(self.folder / "containers.conf")))
        harness.wait_for(f"{self.kind} to answer", self.answers, 60)
        return self

    def answers(self):
        if self.process.poll() is not None:
            raise AssertionError(f"{self.kind} ended:\n{(self.folder / 'log').read_text()}")
        if self.kind == "containerd":
            ask = ["ctr", "--address", str(self.socket), "version"]
        else:
            ask = ["curl", "-fsS", "--max-time", "2", "--unix-socket", str(self.socket), "http://engine/_ping"]
        return subprocess.run(ask, capture_output=True).returncode == 0

    def kill(self):
        self.process.kill()
        self.process.wait()

    def engine_api(self, path):
        """What it answers to a GET, as text."""
        return subprocess.run(["curl", "-fsS", "--unix-socket", str(self.socket), f"http://engine{path}"],
                              capture_output=True, text=True, check=True).stdout

    def close(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            self.process.wait(60)
        for pid in self.children_left():
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        for line in sorted(pathlib.Path("/proc/self/mounts").read_text().splitlines(), reverse=True):
            where = line.split()[1]
            if where.startswith(str(self.folder)):
                subprocess.run(["umount", "--lazy", where], check=False)
        shutil.rmtree(self.folder, ignore_errors=True)
        # Docker leaves the group that its containers were in.
        for group in pathlib.Path("/sys/fs/cgroup").glob(f"**/{self.name}"):
            group.rmdir()

    # Podman's monitors of execs, and a containerd that a killed dockerd left.
    def children_left(self):
        found = []
        for entry in pathlib.Path("/proc").iterdir():
            if not entry.name.isdigit():
                continue
            try:
                if str(self.folder) in (entry / "cmdline").read_text():
                    found.append(int(entry.name))
            except OSError:
                continue
        return found
