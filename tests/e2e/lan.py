"""Several machines on one wire: network and host-name namespaces of their own, joined by a bridge in the test's."""

import json
import os
import pathlib
import subprocess

import harness

GATEWAY = "10.88.0.254"


class Machine(harness.Cluster):
    """One machine; its address on the wire is `address`. The first runs the server, the others join it."""

    def __init__(self, number):
        self.name = f"machine-{number}"
        self.address = f"10.88.0.{number}"
        # Ends with the test, however that ends: then its input does.
        self.holder = subprocess.Popen(["unshare", "--net", "--uts", "cat"], stdin=subprocess.PIPE,
                                       stdout=subprocess.DEVNULL)
        own = os.readlink("/proc/self/ns/uts")
        harness.wait_for("the machine's namespaces",
                         lambda: os.readlink(f"/proc/{self.holder.pid}/ns/uts") != own and
                         pathlib.Path(f"/proc/{self.holder.pid}/comm").read_text() == "cat\n")
        super().__init__(["--advertise", self.address],
                         ["nsenter", "-t", str(self.holder.pid), "--net", "--uts"])
        self.wire = f"wire{number}"
        run("ip", "link", "add", self.wire, "type", "veth", "peer", "eth0", "netns", str(self.holder.pid))
        run("ip", "link", "set", self.wire, "master", "lan", "up")
        for command in (["hostname", self.name], ["ip", "link", "set", "lo", "up"],
                        ["ip", "addr", "add", f"{self.address}/24", "dev", "eth0"],
                        ["ip", "link", "set", "eth0", "up"], ["ip", "route", "add", "default", "via", GATEWAY]):
            run(*self.prefix, *command)

    def join(self, server, *arguments):
        """Types the line that the server's machine prints, and returns it."""
        line = server.ok("node", "invite").split()
        self.ok(*line[1:], *arguments)
        return line

    def fetch(self, url):
        result = subprocess.run([*self.prefix, "busybox", "wget", "-q", "-O", "-", url], capture_output=True,
                                text=True, timeout=10)
        return result.stdout if result.returncode == 0 else None

    def agent_log(self):
        return (self.data / "server.log").read_text(errors="replace")

    def log_tail(self):
        log = self.data / "server.log"
        return super().log_tail() + (log.read_text(errors="replace")[-3000:] if log.exists() else "")

    def close(self):
        self.run("agent", "--stop")
        super().close()
        self.holder.stdin.close()
        self.holder.wait(10)
        subprocess.run(["ip", "link", "delete", self.wire], capture_output=True)


def run(*command):
    subprocess.run(command, check=True, capture_output=True)


def make_wire():
    if subprocess.run(["ip", "link", "show", "lan"], capture_output=True).returncode == 0:
        return
    run("ip", "link", "add", "lan", "type", "bridge")
    run("ip", "addr", "add", f"{GATEWAY}/24", "dev", "lan")
    run("ip", "link", "set", "lan", "up")


def nodes(server):
    return {n["meta"]["name"]: n for n in json.loads(server.ok("node", "ls", "-o", "json"))["nodes"]}


def ready(server):
    return {name for name, node in nodes(server).items() if node["status"]["state"] == "READY"}
