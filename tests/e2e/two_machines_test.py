"""A second and a third machine: joining, one stack over all of them, leaving."""

import socket
import subprocess
import time
import unittest

import harness
import lan

COMPOSE = """
services:
  web:
    image: busybox-test:latest
    command: [sh, -c, "echo web is ready; exec httpd -f -p 80 -h /www"]
    stop_signal: SIGKILL
    ports: ["18080:80"]
    deploy: {placement: {constraints: [node.name == machine-1]}}
  far:
    image: busybox-test:latest
    command: [sh, -c, "echo far is ready; exec httpd -f -p 80 -h /www"]
    stop_signal: SIGKILL
    ports: ["18081:80"]
    deploy: {placement: {constraints: [node.name == machine-2]}}
"""

CONSOLE = """
services:
  console:
    image: busybox-test:latest
    command: [sh, -c, "echo early; cat; exit 4"]
    stdin_open: true
    stop_signal: SIGKILL
    restart: "no"
    deploy: {placement: {constraints: [node.name == machine-2]}}
"""


class Machines(unittest.TestCase):
    def setUp(self):
        lan.make_wire()
        self.one = lan.Machine(1)
        self.addCleanup(self.one.close)
        self.one.start()

    def machine(self, number):
        machine = lan.Machine(number)
        # Before the server's: what runs there is stopped from here.
        self.addCleanup(machine.close)
        self.addCleanup(self.one.run, "stop-all", "--yes")
        return machine

    def up(self):
        file = harness.write(self.one.folder, "shop/compose.yaml", COMPOSE)
        self.one.ok("up", "-f", file, "--yes")

    def forward(self, task):
        """A port of it, published or not, on a port of the first machine."""
        command = [*self.one.prefix, str(harness.ORCHION), "port-forward", task, "18095:80"]
        process = subprocess.Popen(command, env=self.one.environment(), stdout=subprocess.PIPE, text=True)
        self.assertEqual(process.stdout.readline(), f"127.0.0.1:18095 → {task}:80\n")
        self.assertEqual(self.one.fetch("http://127.0.0.1:18095/"), "ok\n")
        process.terminate()
        process.communicate(timeout=10)

    @staticmethod
    def fetched(machine, url):
        try:
            return machine.fetch(url)
        except OSError:
            return None

    def reaches(self, task, url):
        """From one container to another, by name."""
        try:
            answer = self.one.run("exec", f"shop/{task}", "--", "wget", "-q", "-O", "-", url, timeout=5)
        except subprocess.TimeoutExpired:
            return False
        return answer.code == 0 and answer.out == "ok\n"


class OneStack(Machines):
    def test_what_runs_on_the_other_machine_is_attached_to_from_here(self):
        two = self.machine(2)
        harness.busybox_image(self.one, "busybox-test:latest")
        two.join(self.one)
        harness.wait_for("both nodes", lambda: lan.ready(self.one) == {"machine-1", "machine-2"})
        file = harness.write(self.one.folder, "there/compose.yaml", CONSOLE)
        self.one.ok("up", "-f", file, "--yes")
        fed = self.one.run("attach", "there/console", stdin="typed here")
        self.assertEqual((fed.code, fed.out), (4, "early\ntyped here"), fed)

    def test_a_second_machine_within_a_minute(self):
        two = self.machine(2)
        # Only the first has it: no registry does, and the second wasn't there yet.
        harness.busybox_image(self.one, "busybox-test:latest")

        begun = time.monotonic()
        line = two.join(self.one)
        self.assertEqual(line[:4], ["orchion", "node", "join", "10.88.0.1:4603"])
        harness.wait_for("both nodes", lambda: lan.ready(self.one) == {"machine-1", "machine-2"})
        self.up()
        elapsed = time.monotonic() - begun
        print(f"a second machine joined and runs its part of a stack after {elapsed:.1f} s")
        self.assertLess(elapsed, 60)
        self.assertEqual({n["status"]["address"] for n in lan.nodes(self.one).values()}, {"10.88.0.1", "10.88.0.2"})

        places = {t["spec"]["service"]: t["spec"]["assignment"]["node"] for t in self.one.tasks("shop")}
        self.assertEqual(places, {"web": "machine-1", "far": "machine-2"})
        harness.wait_for("the way there", lambda: self.reaches("web", "http://far"))
        harness.wait_for("the way back", lambda: self.reaches("far", "http://web"))
        self.assertTrue(self.reaches("web", "http://far.shop.orchion.internal"))
        # A whole page of it, by full frames: nothing is lost to a size that doesn't fit.
        big = self.one.run("exec", "shop/far", "--", "sh", "-c", "yes | head -c 3000000 > /www/big")
        self.assertEqual(big.code, 0, big)
        got = self.one.ok("exec", "shop/web", "--", "sh", "-c", "wget -q -O /tmp/big http://far/big; ls -l /tmp/big")
        self.assertIn(" 3000000 ", got)
        self.assertIn("mtu 1450", self.one.ok("exec", "shop/far", "--", "ip", "link", "show", "eth0"))

        # Output and commands, from the machine that the user is at.
        self.assertIn("far is ready", self.one.ok("logs", "shop/far"))
        self.assertIn("web is ready", self.one.ok("logs", "--stack", "shop"))
        # What its tasks use, too: 3 MB went from the one to the other.
        usages = {usage["node"]: usage for usage in self.one.json("top", "shop")["tasks"]}
        self.assertEqual(set(usages), {"machine-1", "machine-2"})
        self.assertGreater(int(usages["machine-1"]["networkReceivedBytes"]), 3000000)
        self.assertGreater(int(usages["machine-2"]["networkSentBytes"]), 3000000)
        self.assertEqual(self.one.ok("exec", "shop/far", "--", "cat", "/www/index.html"), "ok\n")
        # Files and ports, both ways over the wire.
        self.one.ok("cp", "shop/far:/www/big", self.one.folder / "big")
        self.assertEqual((self.one.folder / "big").stat().st_size, 3000000)
        self.one.ok("cp", self.one.folder / "big", "shop/far:/tmp/copy")
        self.assertIn(" 3000000 ", self.one.ok("exec", "shop/far", "--", "ls", "-l", "/tmp/copy"))
        self.forward("shop/far")
        # Published ports: of each machine from the other, from itself, and by its own loopback, wherever the task is.
        for client in (self.one, two):
            for host in ("10.88.0.1", "10.88.0.2", "127.0.0.1", "[::1]"):
                for port in (18080, 18081):
                    url = f"http://{host}:{port}/index.html"
                    harness.wait_for(url, lambda: self.fetched(client, url) == "ok\n")

        # Neither containers nor their ways depend on the two processes.
        two.ok("agent", "--stop")
        self.assertTrue(self.reaches("web", "http://far"))
        two.ok("agent", "--background")
        harness.wait_for("the second node again", lambda: "machine-2" in lan.ready(self.one))
        self.one.stop()
        self.one.start()
        harness.wait_for("both nodes again", lambda: lan.ready(self.one) == {"machine-1", "machine-2"})
        # READY may stand there from before: a command gets to the second once its agent has found the new server.
        harness.wait_for("the way back again", lambda: self.reaches("far", "http://web"))

        self.one.ok("down", "--stack", "shop", "--yes")
        self.assertEqual(self.one.tasks("shop"), [])

    def test_three_machines_share_a_service(self):
        harness.busybox_image(self.one, "busybox-test:latest")
        for number in (2, 3):
            self.machine(number).join(self.one, "--label", f"rank={number}")
        names = {"machine-1", "machine-2", "machine-3"}
        harness.wait_for("three nodes", lambda: lan.ready(self.one) == names)
        self.assertEqual(lan.nodes(self.one)["machine-3"]["spec"]["labels"], {"rank": "3"})
        file = harness.write(self.one.folder, "shop/compose.yaml", """
services:
  web:
    image: busybox-test:latest
    command: [httpd, -f, -p, "80", -h, /www]
    stop_signal: SIGKILL
    deploy: {replicas: 3}
""")
        self.one.ok("up", "-f", file, "--yes")
        tasks = self.one.tasks("shop")
        self.assertEqual({t["spec"]["assignment"]["node"] for t in tasks}, names)
        for task in tasks:
            for other in tasks:
                address = other["spec"]["assignment"]["addresses"][0]["address"]
                harness.wait_for("each to reach each",
                                 lambda: self.reaches(f"web.{task['spec']['slot']}", f"http://{address}"))


class Joining(Machines):
    def refused(self, machine, code, *parts):
        line = self.line if isinstance(self.line, list) else self.line.split()
        answer = machine.run(*line[1:])
        self.assertEqual(answer.code, code, answer)
        for part in parts:
            self.assertIn(part, answer.err)
        self.assertEqual(len(answer.err.splitlines()), 1, answer)

    def test_what_goes_wrong_is_said(self):
        two = self.machine(2)
        self.line = two.join(self.one)
        self.refused(two, 1, "a server or an agent already runs")
        two.ok("agent", "--stop")
        self.refused(two, 5, "a node already")

        three = self.machine(3)
        self.refused(three, 1, "10.88.0.1:4603", "used already, by node machine-2", "orchion node invite")
        good = self.line
        self.line = [*good[:4], good[4][:-1]]
        self.refused(three, 2, "not the whole token")
        other = good[4][:-1] + ("0" if good[4][-1] != "0" else "1")
        self.line = [*good[:4], other]
        self.refused(three, 4, "10.88.0.1:4603", "fingerprint")
        self.line = [*good[:3], "10.88.0.1:4999", good[4]]
        self.refused(three, 6, "nobody listens on 10.88.0.1:4999")
        self.line = [*good[:3], "10.88.0.1:4600", good[4]]
        self.refused(three, 6, "10.88.0.1:4600")
        # Nothing of what failed is in the way.
        three.join(self.one)
        harness.wait_for("three nodes", lambda: len(lan.ready(self.one)) == 3)

    def test_what_was_said_at_joining_is_remembered(self):
        two = self.machine(2)
        two.join(self.one, "--hostname", "attic", "--label", "disk=ssd", "--label", "rank=2")

        def attic():
            node = lan.nodes(self.one).get("attic")
            return node if node and node["status"]["state"] == "READY" else None
        joined = harness.wait_for("the node by its name", attic)
        self.assertEqual(joined["status"]["capabilities"]["hostname"], "attic")
        two.ok("agent", "--stop")
        # An agent that names itself, so that what comes next is known to be another's word.
        two.ok("agent", "--background", "--hostname", "cellar")
        harness.wait_for("its new name", lambda: attic() and attic()["status"]["capabilities"]["hostname"] == "cellar")
        two.ok("agent", "--stop")
        two.ok("agent", "--background")
        harness.wait_for("the name of its joining",
                         lambda: attic() and attic()["status"]["capabilities"]["hostname"] == "attic")
        self.assertEqual(attic()["spec"]["labels"], {"disk": "ssd", "rank": "2"})

    def test_a_server_that_was_told_no_address_says_how_to_get_one(self):
        self.one.stop()
        self.one.arguments = []
        self.one.start()
        answer = self.one.run("node", "invite")
        self.assertEqual(answer.code, 1, answer)
        self.assertIn("orchion server --background --advertise 10.88.0.1", answer.err)
        for port in (4600, 4601, 4603):
            with socket.socket() as probe:
                self.assertNotEqual(probe.connect_ex(("10.88.0.1", port)), 0)

    def test_a_removed_node_is_a_stranger(self):
        two = self.machine(2)
        two.join(self.one)
        harness.wait_for("both nodes", lambda: len(lan.ready(self.one)) == 2)
        self.one.ok("node", "rm", "machine-2", "--yes")
        harness.wait_for("the agent to hear it", lambda: "was removed from the cluster" in two.agent_log())
        self.assertEqual(set(lan.nodes(self.one)), {"machine-1"})
        two.ok("agent", "--stop")
        two.ok("agent", "--background")
        harness.wait_for("its certificate to be refused", lambda: "was removed from the cluster" in two.agent_log())
        self.assertEqual(set(lan.nodes(self.one)), {"machine-1"})
        # Invited again it may come back.
        two.ok("agent", "--stop")
        two.join(self.one)
        harness.wait_for("both nodes", lambda: lan.ready(self.one) == {"machine-1", "machine-2"})


if __name__ == "__main__":
    harness.main()
