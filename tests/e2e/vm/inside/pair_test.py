"""Two machines with kernels of their own: the kernel's WireGuard, a wire that loses packets, a reboot, a power cut."""

import json
import pathlib
import socket
import struct
import subprocess
import threading
import unittest

import hand
import harness
import machine

CANARY = "a word that nobody on the wire may read"
COMPOSE = f"""
name: shop
services:
  web:
    image: box
    command: [sh, -c, "echo '{CANARY}' > /www/canary; dd if=/dev/urandom of=/www/big bs=64k count=16 2>/dev/null;
                       sha256sum /www/big > /www/sum; exec httpd -f -p 80 -h /www"]
    stop_signal: SIGKILL
    ports: ["18080:80"]
    deploy: {{placement: {{constraints: [node.hostname == far]}}}}
  client:
    image: box
    command: [sleep, "100000"]
    stop_signal: SIGKILL
    deploy: {{placement: {{constraints: [node.hostname == near]}}}}
"""
LOSS = ("dev", "eth0", "root", "netem", "loss", "10%", "delay", "2ms")


# Of asm-generic/socket.h and linux/if_packet.h, which Python doesn't name.
SO_RCVBUFFORCE = 33
SOL_PACKET, PACKET_STATISTICS = 263, 6


class Wire:
    """What passes it meanwhile, as the near machine's card has it."""

    def __enter__(self):
        self.socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.ntohs(3))
        # What comes while nobody reads waits: the machine is slow, and nothing on the wire is to go unheard.
        self.socket.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 64 << 20)
        self.socket.bind(("eth0", 0))
        self.socket.settimeout(0.2)
        self.frames, self.over = [], False
        self.thread = threading.Thread(target=self.read)
        self.thread.start()
        return self

    def read(self):
        while not self.over:
            try:
                self.frames.append(self.socket.recv(65536))
            except TimeoutError:
                pass

    def __exit__(self, *_):
        self.over = True
        self.thread.join()
        _, self.unheard = struct.unpack("II", self.socket.getsockopt(SOL_PACKET, PACKET_STATISTICS, 8))
        self.socket.close()

    def udp_ports(self):
        """To which UDP went, of IPv4."""
        return {int.from_bytes(f[36:38], "big") for f in self.frames if f[12:14] == b"\x08\x00" and f[23] == 17}


class Pair(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.far = hand.Hand()
        harness.wait_for("the far machine", cls.far.boot)
        drop_in = pathlib.Path("/etc/systemd/system/orchion.service.d/pair.conf")
        drop_in.parent.mkdir()
        drop_in.write_text("[Service]\nExecStart=\nExecStart=orchion server --advertise 10.99.0.1 --mesh\n")
        machine.systemctl("daemon-reload")
        cls.near = machine.Machine().start()
        cls.far.ok(*cls.near.ok("node", "invite").split(), "--mesh")
        cls.far.ok("orchion", "agent", "--stop")
        harness.wait_for("the far node to be away", lambda: not cls.both_are_ready())
        cls.far.ok("systemctl", "enable", "--now", "orchion-agent")
        harness.wait_for("both nodes", cls.both_are_ready)
        harness.busybox_image(cls.near, "box", applets=("sh", "httpd", "wget", "sleep", "echo", "dd", "sha256sum"))
        cls.addClassCleanup(cls.down, cls.made())
        cls.near.ok("up", "-f", harness.write(cls.near.folder, "compose.yaml", COMPOSE), "--yes")

    @classmethod
    def both_are_ready(cls):
        nodes = json.loads(cls.near.ok("node", "ls", "-o", "json"))["nodes"]
        return sum(node["status"]["state"] == "READY" for node in nodes) == 2

    @classmethod
    def made(cls):
        """Links and rules of both machines."""
        here = lambda *words: subprocess.run(words, check=True, capture_output=True, text=True).stdout
        return [sorted(line.split(":")[1].split("@")[0].strip() for line in run("ip", "-o", "link").splitlines()) +
                run("nft", "list", "tables").splitlines() for run in (here, cls.far.ok)]

    @classmethod
    def down(cls, before):
        cls.near.ok("down", "--stack", "shop", "--volumes", "--yes")
        harness.wait_for(f"nothing but {before}, of {cls.made()}", lambda: cls.made() == before)

    def ask(self, page):
        done = self.near.run("exec", "shop/client", "--", "wget", "-q", "-O", "-", f"http://web/{page}")
        return done.out if done.code == 0 else None

    def fetches_all(self):
        """A page of 1 MiB comes whole."""
        wanted = harness.wait_for("the page's sum", lambda: self.ask("sum")).split()[0]
        got = self.near.ok("exec", "shop/client", "--", "sh", "-c", "wget -q -O - http://web/big | sha256sum").split()[0]
        self.assertEqual(got, wanted)

    def test_the_kernel_s_wireguard_carries_it(self):
        for name in ("near", "far"):
            mesh = json.loads(self.near.ok("node", "inspect", name, "-o", "json"))["status"]["mesh"]
            self.assertEqual(mesh["engine"], "kernel")
        with Wire() as wire:
            self.assertEqual(harness.wait_for("the page", lambda: self.ask("canary")), f"{CANARY}\n")
            self.fetches_all()
        port = int(mesh["endpoint"].rsplit(":", 1)[1])
        self.assertEqual(wire.udp_ports(), {port})
        self.assertEqual(wire.unheard, 0)
        self.assertGreater(len(wire.frames), 700, "a page of 1 MiB went by")
        self.assertFalse([frame for frame in wire.frames if CANARY.encode() in frame])

    def test_a_wire_that_loses_packets(self):
        self.addCleanup(self.far.ok, "tc", "qdisc", "del", *LOSS[:3])
        self.addCleanup(subprocess.run, ["tc", "qdisc", "del", *LOSS[:3]], check=True)
        self.far.ok("tc", "qdisc", "add", *LOSS)
        subprocess.run(["tc", "qdisc", "add", *LOSS], check=True)
        self.fetches_all()
        shown = subprocess.run(["tc", "-s", "qdisc", "show", "dev", "eth0"], capture_output=True, text=True).stdout
        self.assertRegex(shown, r"dropped [1-9]")

    def attempts(self):
        """Which start of which task each service has."""
        return {service: (status["containerId"], status["attempt"], status["pid"])
                for service, status in self.near.running("shop").items()}

    def comes_back_after(self, how):
        before = self.attempts()
        self.far.goes_down(how)
        harness.wait_for("both nodes", self.both_are_ready)
        self.fetches_all()
        after = self.attempts()
        self.assertEqual(after["client"], before["client"])
        self.assertNotEqual(after["web"], before["web"])
        self.assertEqual(harness.fetch("http://10.99.0.1:18080/canary"), f"{CANARY}\n")

    def test_the_far_machine_reboots(self):
        self.comes_back_after("systemctl reboot")

    def test_the_far_machine_s_power_is_cut(self):
        self.comes_back_after("echo b > /proc/sysrq-trigger")

    def test_the_server_is_away(self):
        web = harness.wait_for("the web server", lambda: [task for task in self.near.tasks("shop") if
                                                          task["spec"]["service"] == "web" and
                                                          task["status"]["state"] == "RUNNING"])
        address = web[0]["spec"]["assignment"]["addresses"][0]["address"]
        self.addCleanup(self.near.start)
        self.near.stop()
        self.assertEqual(harness.fetch(f"http://{address}/canary"), f"{CANARY}\n")
        self.assertEqual(harness.fetch("http://10.99.0.1:18080/canary"), f"{CANARY}\n")


if __name__ == "__main__":
    unittest.main()
