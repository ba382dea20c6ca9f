"""What goes between machines, encrypted by WireGuard: three machines on one wire, which is listened to."""

import json
import os
import pathlib
import shutil
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
import unittest

import harness
import lan
import networks_test

# Whose WireGuard it has to be: where this says the kernel's, as in the virtual machine, nothing else will do.
ENGINE = os.environ.get("ORCHION_E2E_WIREGUARD", "wireguard-go")
PORT = 7000
MESH_PORT = 4604
NODES_PORT = 4603
CANARY = b"a canary that nobody may hear sing"
WIREGUARD_BYTES = 80
VXLAN_BYTES = 50

STACK = """
services:
  web:
    image: busybox-test:latest
    command: [httpd, -f, -p, "80", -h, /www]
    stop_signal: SIGKILL
    deploy: {replicas: 3}
  lone:
    image: busybox-test:latest
    command: [httpd, -f, -p, "80", -h, /www]
    stop_signal: SIGKILL
    ports: ["8080:80"]
    deploy: {placement: {constraints: [node.name == machine-2]}}
"""

# One end of a connection over which data goes without end, and how long it ever waited for the next piece.
RECEIVE = """
import hashlib, json, socket, sys, time
listener = socket.create_server(("", int(sys.argv[1])))
print("listening", flush=True)
connection, _ = listener.accept()
digest, count, gap, last = hashlib.sha256(), 0, 0.0, time.monotonic()
while piece := connection.recv(65536):
    now = time.monotonic()
    gap, last = max(gap, now - last), now
    digest.update(piece)
    count += len(piece)
print(json.dumps({"bytes": count, "gap": gap, "digest": digest.hexdigest()}))
"""
SEND = """
import hashlib, json, select, socket, sys, time
connection = socket.create_connection((sys.argv[1], int(sys.argv[2])))
print("sending", flush=True)
block = sys.argv[3].encode() * 100
most = int(sys.argv[4])  # bytes; 0: until the input ends
digest, count = hashlib.sha256(), 0
while count < most if most else not select.select([sys.stdin], [], [], 0)[0]:
    connection.sendall(block)
    digest.update(block)
    count += len(block)
    if not most:
        time.sleep(0.005)
connection.close()
print(json.dumps({"bytes": count, "digest": digest.hexdigest()}))
"""


class Machine(lan.Machine):
    def __init__(self, number, *, mesh=True, key_seconds=None):
        super().__init__(number)
        self.mesh = ["--mesh"] if mesh else []
        self.key_seconds = key_seconds
        self.arguments += ["--heartbeat", "1", *self.mesh]

    def environment(self):
        env = super().environment()
        if self.key_seconds:
            env["ORCHION_MESH_KEY_SECONDS"] = str(self.key_seconds)
        return env

    def shell(self, script):
        return subprocess.run([*self.prefix, "sh", "-c", script], capture_output=True, text=True).stdout

    def program(self):
        """The pid of its wireguard-go; None where there is none."""
        run = next(pathlib.Path("/run").glob(f"orchion-{(self.data / 'cluster-id').read_text()[:6]}"), None)
        notes = run and run / "wireguard.pid"
        if not notes or not notes.exists():
            return None
        pid = int(notes.read_text() or 0)
        command = pathlib.Path(f"/proc/{pid}/cmdline")
        return pid if command.exists() and b"wireguard-go" in command.read_bytes() else None

    def tunnel(self):
        """The name of its WireGuard link; None where there is none."""
        found = [line.split(": ")[1].split("@")[0] for line in self.shell("ip -o link").splitlines()]
        return next((name for name in found if name.startswith("or") and len(name) == 7 and name.endswith("w")), None)


# Of asm-generic/socket.h and linux/if_packet.h, which Python doesn't name.
SO_RCVBUFFORCE = 33
SOL_PACKET, PACKET_ADD_MEMBERSHIP, PACKET_MR_PROMISC = 263, 1, 1


class Listener:
    """Hears all that is on the wire, and keeps what nodes say to each other otherwise than they should."""

    def __init__(self):
        self.socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
        # What comes while this is busy waits: nothing on the wire goes unheard.
        self.socket.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 64 << 20)
        self.socket.bind(("lan", 0))
        # Else a bridge keeps to itself what it carries from port to port.
        self.socket.setsockopt(SOL_PACKET, PACKET_ADD_MEMBERSHIP,
                               struct.pack("iHH8s", socket.if_nametoindex("lan"), PACKET_MR_PROMISC, 0, b""))
        self.socket.settimeout(0.2)
        self.encrypted, self.plain, self.canaries = 0, [], 0
        self.ended = threading.Event()
        self.thread = threading.Thread(target=self.listen)
        self.thread.start()

    def listen(self):
        while not self.ended.is_set():
            try:
                frame = self.socket.recv(65536)
            except TimeoutError:
                continue
            self.canaries += CANARY in frame
            if frame[12:14] == b"\x08\x00" and frame[26:29] == frame[30:33] == bytes([10, 88, 0]) and 254 not in (
                    frame[29], frame[33]):
                self.judge(frame[14:])

    def judge(self, packet):
        source, target = struct.unpack("!HH", packet[(packet[0] & 15) * 4:][:4])
        # Nobody is there yet, or any more: the kernel says so, and to which packet.
        if packet[9] == socket.IPPROTO_ICMP and packet[20] == 3:
            return self.judge(packet[28:])
        if packet[9] == socket.IPPROTO_UDP and MESH_PORT in (source, target):
            self.encrypted += 1
        elif packet[9] != socket.IPPROTO_TCP or NODES_PORT not in (source, target):
            self.plain.append((packet[9], source, target))

    def end(self):
        self.ended.set()
        self.thread.join(10)
        self.socket.close()
        return self


class Mesh(unittest.TestCase):
    mesh = (True, True, True)
    key_seconds = None

    def setUp(self):
        lan.make_wire()
        self.one, self.two, self.three = self.machines = [
            Machine(number, mesh=mesh, key_seconds=self.key_seconds) for number, mesh in zip((1, 2, 3), self.mesh)]
        self.addCleanup(self.one.close)
        self.one.start()
        for machine in (self.two, self.three):
            self.addCleanup(machine.close)
            self.addCleanup(self.one.run, "stop-all", "--yes")
        harness.busybox_image(self.one, "busybox-test:latest")
        for machine in (self.two, self.three):
            machine.join(self.one, *machine.mesh)
        harness.wait_for("three nodes", lambda: len(lan.ready(self.one)) == 3)

    def up(self):
        self.one.ok("up", "-f", harness.write(self.one.folder, "shop/compose.yaml", STACK), "--yes", "--wait")
        places = [networks_test.Place(task) for task in self.one.tasks("shop") if task["status"]["state"] == "RUNNING"]
        self.web = {place.node: place for place in places if place.service == "web"}
        self.lone = next(place for place in places if place.service == "lone")
        self.assertEqual(len(self.web), 3)

    def address(self, number):
        return self.web[f"machine-{number}"].addresses["default"][0]

    def reach_each_other(self):
        return all(other.ask([place.addresses["default"][0]])[place.addresses["default"][0]][protocol]
                   for place in self.web.values() for other in self.web.values() if other is not place
                   for protocol in ("tcp", "udp"))

    def serve(self):
        servers = [place.start("serve", CANARY.decode(), PORT) for place in self.web.values()]
        self.addCleanup(lambda: [networks_test.end(server) for server in servers])

    def inside(self, number, script, *arguments):
        process = subprocess.Popen(["nsenter", "-t", str(self.web[f"machine-{number}"].pid), "--net", sys.executable, "-c",
                                    script, *map(str, arguments)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        process.stdout.readline()
        return process

    def stream(self, source, target, most=0, port=PORT + 1):
        """Data from one machine's task to another's; the function that ends it returns what both ends counted."""
        receiver = self.inside(target, RECEIVE, port)
        sender = self.inside(source, SEND, self.address(target), port, CANARY.decode(), most)

        def finish(limit=60):
            if not most:
                sender.stdin.write("end")
            sent = json.loads(sender.communicate(timeout=limit)[0])
            received = json.loads(receiver.communicate(timeout=limit)[0])
            self.assertEqual((sent["bytes"], sent["digest"]), (received["bytes"], received["digest"]))
            return received

        return finish


class Encrypted(Mesh):
    def test_nobody_on_the_wire_hears_what_tasks_say(self):
        before = [harness.host_state(machine) for machine in self.machines]
        listener = Listener()
        self.addCleanup(listener.end)
        self.up()
        self.serve()
        harness.wait_for("all to reach each other", self.reach_each_other)
        # By name, from each machine itself, and through a published port that another machine serves.
        found = self.one.run("exec", "shop/web.1", "--", "wget", "-q", "-O", "-", "http://lone/")
        self.assertEqual(found.out, "ok\n", found)
        for machine in self.machines:
            self.assertEqual(machine.fetch(f"http://{self.lone.addresses['default'][0]}/"), "ok\n")
        with socket.create_connection(("10.88.0.1", 8080), timeout=10) as client:
            client.sendall(b"GET / HTTP/1.0\r\n\r\n")
            self.assertIn(b"200 OK", client.recv(4096))
        finish = self.stream(1, 3, most=8 << 20)
        self.assertGreaterEqual(finish()["bytes"], 8 << 20)
        listener.end()
        self.assertEqual(listener.plain, [])
        self.assertEqual(listener.canaries, 0)
        self.assertGreater(listener.encrypted, 5000)
        print(f"{listener.encrypted} packets of WireGuard, none of anything else but the server's own TLS")

        tunnel = self.two.tunnel()
        self.assertIn(f"mtu {1500 - WIREGUARD_BYTES}", self.two.shell(f"ip link show {tunnel}"))
        self.assertIn(f"mtu {1500 - WIREGUARD_BYTES - VXLAN_BYTES}", self.two.shell(f"ip link show {tunnel[:-1]}x"))
        node = self.one.json("node", "inspect", "machine-2")
        self.assertEqual(node["status"]["mesh"]["engine"], ENGINE)
        self.assertEqual(node["status"]["mesh"]["endpoint"], f"10.88.0.2:{MESH_PORT}")
        key = self.two.data / "agent" / "mesh.key"
        self.assertEqual(key.stat().st_mode & 0o777, 0o600)
        self.assertNotIn(key.read_text().strip(), self.one.ok("node", "ls", "-o", "json") + self.two.agent_log())

        programs = [machine.program() for machine in self.machines]
        self.assertEqual([pid is None for pid in programs], [ENGINE == "kernel"] * 3)
        self.one.ok("down", "--stack", "shop")
        for machine, state, pid in zip(self.machines, before, programs):
            harness.wait_for(f"nothing left on {machine.name}", lambda: harness.host_state(machine) == state)
            self.assertFalse(pid and pathlib.Path(f"/proc/{pid}").exists())
        self.assertEqual(list(pathlib.Path("/var/run/wireguard").glob(f"{tunnel}*")), [])


class Faults(Mesh):
    def test_whatever_ends_the_ways_stay(self):
        self.up()
        self.serve()
        harness.wait_for("all to reach each other", self.reach_each_other)

        # Neither the server nor an agent is needed.
        pid = self.three.program()
        finish = self.stream(1, 3)
        self.one.stop(signal.SIGKILL)
        self.three.ok("agent", "--stop")
        self.assertTrue(self.reach_each_other())
        self.three.ok("agent", "--background")
        self.one.start()
        harness.wait_for("three nodes", lambda: len(lan.ready(self.one)) == 3)
        self.assertTrue(self.reach_each_other())
        self.assertEqual(self.three.program(), pid, "the next agent goes on with the same program")
        received = finish()
        print(f"over the server's and an agent's end and start the longest pause of a stream was {received['gap']:.2f} s")
        self.assertLess(received["gap"], 5)

        # The program itself is started again; the kernel's link is made again.
        finish = self.stream(1, 3)
        killed = self.three.program()
        if ENGINE == "kernel":
            self.three.shell(f"ip link delete {self.three.tunnel()}")
            harness.wait_for("another link", self.three.tunnel)
        else:
            os.kill(killed, signal.SIGKILL)
            harness.wait_for("another program", lambda: self.three.program() not in (None, killed))
        harness.wait_for("all to reach each other again", self.reach_each_other)
        received = finish()
        print(f"over the tunnel's own end and start the longest pause of a stream was {received['gap']:.2f} s")

        # Of the packets on the wire one in ten is lost.
        for machine in self.machines:
            machine.shell("nft 'add table ip lossy; add chain ip lossy in { type filter hook input priority -300; }; "
                          "add rule ip lossy in udp dport 4604 numgen random mod 10 0 drop'")
        received = self.stream(1, 2, most=2 << 20)(120)
        self.assertGreaterEqual(received["bytes"], 2 << 20)
        for machine in self.machines:
            machine.shell("nft delete table ip lossy")

        # A node that leaves is nobody's peer any more.
        self.three.ok("agent", "--stop")
        self.one.ok("node", "rm", "machine-3", "--force")
        harness.wait_for("one peer", lambda: self.peers(self.one) == 1)

    def peers(self, machine):
        return len(machine.shell(f"wg show {machine.tunnel()} peers").split())


class Rotation(Mesh):
    # Longer than the five seconds after which WireGuard greets again who didn't answer: two that change at the same moment
    # find each other by that.
    key_seconds = 10

    def keys(self):
        return {name: node["status"]["mesh"]["publicKey"] for name, node in lan.nodes(self.one).items()}

    def test_new_keys_wait_for_agents_that_are_away(self):
        self.up()
        self.serve()
        harness.wait_for("all to reach each other", self.reach_each_other)
        finish = self.stream(1, 3)
        self.three.ok("agent", "--stop")
        before = self.keys()
        time.sleep(2 * self.key_seconds)
        self.assertEqual(self.keys(), before)
        self.three.ok("agent", "--background")
        harness.wait_for("new keys of all", lambda: not set(before.items()) & set(self.keys().items()), 60)
        received = finish()
        print(f"with an agent away for two lives of a key the longest pause of a stream was {received['gap']:.2f} s")

    def test_streams_survive_new_keys(self):
        self.up()
        self.serve()
        harness.wait_for("all to reach each other", self.reach_each_other)

        finish = self.stream(1, 2)
        seen = {name: {key} for name, key in self.keys().items()}

        def all_changed_twice():
            for name, key in self.keys().items():
                seen[name].add(key)
            return all(len(each) >= 3 for each in seen.values())

        harness.wait_for("two new keys of every node", all_changed_twice, 90)
        received = finish()
        print(f"over {sum(map(len, seen.values())) - 3} changes of keys the longest pause of a stream was "
              f"{received['gap']:.2f} s")
        self.assertLess(received["gap"], 3)
        # Without a server nobody changes a key: nobody could be told.
        self.one.stop(signal.SIGKILL)
        key = self.two.data / "agent" / "mesh.key"
        in_use = key.read_text()
        time.sleep(2 * self.key_seconds)
        self.assertEqual(key.read_text(), in_use)
        # One that was under way is gone on with when all agents are there again.
        self.one.start()
        harness.wait_for("all to reach each other again", self.reach_each_other, 90)



class Mixed(Mesh):
    mesh = (True, True, False)

    def test_a_node_without_it_is_reached_as_ever_and_told(self):
        self.up()
        self.serve()
        harness.wait_for("all to reach each other", self.reach_each_other)
        status = {name: node["status"] for name, node in lan.nodes(self.one).items()}
        self.assertTrue(status["machine-1"]["mesh"] and status["machine-2"]["mesh"])
        self.assertFalse(status["machine-3"].get("mesh"))
        self.assertIn("isn't encrypted", status["machine-3"]["message"])
        listener = Listener()
        finish = self.stream(1, 2, most=1 << 20)
        finish()
        self.assertEqual(listener.end().canaries, 0)
        # It joins later.
        self.three.ok("agent", "--stop")
        self.three.ok("agent", "--background", "--mesh")
        harness.wait_for("all in the mesh", lambda: all(n["status"].get("mesh") for n in lan.nodes(self.one).values()))
        harness.wait_for("all to reach each other", self.reach_each_other)
        listener = Listener()
        self.stream(1, 3, most=1 << 20)()
        self.assertEqual(listener.end().canaries, 0)
        self.assertEqual(listener.plain, [])


class Refusals(unittest.TestCase):
    def test_without_wireguard_it_says_what_to_install(self):
        lan.make_wire()
        machine = Machine(1)
        self.addCleanup(machine.close)
        # In this test's own mounts alone; and no kernel with WireGuard is asked.
        program = shutil.which("wireguard-go")
        lan.run("mount", "--bind", "/dev/null", program)
        self.addCleanup(lan.run, "umount", program)
        if ENGINE == "kernel":  # which needs no program
            machine.start()
            self.assertEqual(lan.nodes(machine)["machine-1"]["status"]["mesh"]["engine"], ENGINE)
            return
        refused = machine.run("server", *machine.arguments)
        self.assertNotEqual(refused.code, 0)
        self.assertIn("install wireguard-go", refused.err)

    def test_mesh_is_about_other_machines(self):
        cluster = harness.Cluster()
        self.addCleanup(cluster.close)
        refused = cluster.run("server", "--mesh")
        self.assertNotEqual(refused.code, 0)
        self.assertIn("--advertise", refused.err)


if __name__ == "__main__":
    harness.main()
