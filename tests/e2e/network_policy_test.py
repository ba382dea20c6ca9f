"""Network policies: what is allowed passes, what isn't is refused at once, and `network policy test` says the same."""

import json
import signal
import subprocess
import textwrap
import threading
import time
import unittest

import harness

IMAGE = "busybox-test:latest"
WAN, HOST_A, HOST_B = "198.51.100.1", "198.51.100.2", "198.51.100.3"

SHOP = f"""
name: shop
services:
  web: &idle
    image: {IMAGE}
    command: [sleep, "100000"]
    stop_signal: SIGKILL
    networks: [default, back]
  ops:
    <<: *idle
    labels: {{team: ops}}
  other: *idle
  db:
    image: {IMAGE}
    command: [sh, -c, "httpd -p 5432 -h /www; httpd -f -p 5433 -h /www"]
    stop_signal: SIGKILL
    networks: [default, back]
  open:
    image: {IMAGE}
    command: [httpd, -f, -p, "80", -h, /www]
    stop_signal: SIGKILL
    ports: ["18080:80"]
networks: {{default: , back: }}
x-orchion:
  network_policies:
    db-only:
      service: db
      ingress:
        - from: [{{service: web}}]
          ports: [5432/tcp]
        - from: [{{labels: {{team: ops}}}}]
"""

# Put behind SHOP's policies.
EGRESS = f"""
    out:
      service: web
      egress:
        - to: [{{service: db}}]
        - to: [{{range: 198.51.100.0/24, except: [{HOST_B}/32]}}]
          ports: [80]
    names:
      service: other
      egress:
        - to: [{{name: "*.example.com"}}]
          ports: [80/tcp]
"""

# Answers queries for addresses: api.example.com is HOST_A, all else HOST_B.
RESOLVER = f"""
import socket
server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
server.bind(("{HOST_A}", 53))
while True:
    query, client = server.recvfrom(512)
    end = query.index(0, 12) + 1
    wants_address = query[end:end + 2] == bytes([0, 1])
    address = "{HOST_A}" if b"\\x03api\\x07example\\x03com" in query[12:end].lower() else "{HOST_B}"
    answer = bytes([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 5, 0, 4]) + socket.inet_aton(address) if wants_address else b""
    head = query[:2] + bytes([0x81, 0x80, 0, 1, 0, 1 if answer else 0, 0, 0, 0, 0])
    server.sendto(head + query[12:end + 4] + answer, client)
"""


class Outside:
    """A network namespace that the host routes to, with two addresses, a web server and a resolver."""

    def __init__(self, folder):
        self.holder = subprocess.Popen(["unshare", "--net", "cat"], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)
        self.enter = ["nsenter", "-t", str(self.holder.pid), "--net"]
        own = subprocess.check_output(["readlink", "/proc/self/ns/net"])
        harness.wait_for("a namespace", lambda: subprocess.check_output(
            ["readlink", f"/proc/{self.holder.pid}/ns/net"]) != own)
        self.run("ip", "link", "add", "wan", "type", "veth", "peer", "eth0", "netns", str(self.holder.pid))
        self.run("ip", "addr", "add", f"{WAN}/24", "dev", "wan")
        self.run("ip", "link", "set", "wan", "up")
        for command in (["ip", "link", "set", "lo", "up"], ["ip", "link", "set", "eth0", "up"],
                        ["ip", "addr", "add", f"{HOST_A}/24", "dev", "eth0"],
                        ["ip", "addr", "add", f"{HOST_B}/24", "dev", "eth0"],
                        ["ip", "route", "add", "default", "via", WAN]):
            self.run(*self.enter, *command)
        pages = folder / "outside"
        pages.mkdir()
        (pages / "index.html").write_text("ok\n")
        self.programs = [
            subprocess.Popen([*self.enter, "busybox", "httpd", "-f", "-p", port, "-h", str(pages)]) for port in ("80", "81")]
        self.programs.append(subprocess.Popen([*self.enter, "/usr/bin/python3", "-c", RESOLVER]))
        resolv = folder / "resolv.conf"
        resolv.write_text(f"nameserver {HOST_A}\n")
        # The file's own mount namespace: nobody else sees it.
        self.run("mount", "--bind", str(resolv), "/etc/resolv.conf")

    @staticmethod
    def run(*command):
        subprocess.run(command, check=True, capture_output=True)

    def fetch(self, url):
        return subprocess.run([*self.enter, "timeout", "3", "busybox", "wget", "-q", "-O", "-", url],
                              capture_output=True).returncode == 0

    def close(self):
        self.run("umount", "/etc/resolv.conf")
        for program in self.programs:
            program.kill()
            program.wait(10)
        self.holder.stdin.close()
        self.holder.wait(10)


class NetworkPolicy(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.cluster = harness.Cluster()
        cls.addClassCleanup(cls.cluster.close)
        cls.outside = Outside(cls.cluster.folder)
        cls.addClassCleanup(cls.outside.close)
        cls.cluster.start()
        harness.busybox_image(cls.cluster, IMAGE)

    def setUp(self):
        self.addCleanup(self.cluster.run, "down", "--stack", "shop", "--yes")

    def up(self, text=SHOP, name="compose.yaml"):
        file = harness.write(self.cluster.folder / "shop", name, text)
        self.cluster.ok("up", "-f", file, "--yes")

    def address(self, service, network="back"):
        task = next(t for t in self.cluster.tasks("shop") if t["spec"]["service"] == service)
        return next(a["address"] for a in task["spec"]["assignment"]["addresses"] if a["network"] == network)

    def ask(self, service, host, port):
        """"reached", "refused" at once, or "lost" where nothing came back."""
        begin = time.monotonic()
        result = self.cluster.run("exec", f"shop/{service}", "--", "timeout", "4", "wget", "-q", "-O", "-",
                                  f"http://{host}:{port}/")
        if result.code == 0:
            return "reached"
        return "refused" if time.monotonic() - begin < 2.5 * harness.PATIENCE else "lost"

    def same(self, expected, service, to, port, host=None):
        """The wire and `network policy test` agree; `to` is a service, or where it leads outside."""
        outcome = lambda: self.ask(service, host or to, port)
        # An apply has returned when tasks run; the node may still be hearing of a policy that changed.
        harness.wait_for(f"{service} → {to}:{port} to be {expected}", lambda: outcome() == expected, seconds=20)
        named = to if "." in to else f"shop/{to}"
        said = self.cluster.run("network", "policy", "test", f"shop/{service}", named, port)
        self.assertEqual(said.code, 0 if expected == "reached" else 1, said.out + said.err)
        self.assertRegex(said.out, "^allowed" if expected == "reached" else "^refused: ")
        return said.out

    def test_services_labels_and_ports(self):
        self.up()
        self.assertIn("shop/db-only, rule 1", self.same("reached", "web", "db", 5432))
        self.assertIn("whose 2 rules allow", self.same("refused", "web", "db", 5433))
        self.assertIn("under policy shop/db-only (ingress)", self.same("refused", "other", "db", 5432))
        self.assertIn("rule 2", self.same("reached", "ops", "db", 5433))
        self.assertIn("no policy is about", self.same("reached", "other", "open", 80))
        # By its own addresses too, in each network.
        for network in ("default", "back"):
            address = self.address("db", network)
            self.assertEqual(self.ask("web", address, 5432), "reached")
            self.assertEqual(self.ask("other", address, 5432), "refused")

    def test_a_change_replaces_no_task_and_a_plan_shows_it(self):
        self.up()
        before = {t["meta"]["uid"] for t in self.cluster.tasks("shop")}
        wider = SHOP.replace("[5432/tcp]", "[5432-5433/tcp]")
        file = harness.write(self.cluster.folder / "shop", "wider.yaml", wider)
        plan = self.cluster.run("plan", "-f", file, "--exit-code")
        self.assertEqual(plan.code, 10)
        self.assertIn("network policy db-only", plan.out)
        self.cluster.ok("up", "-f", file, "--yes")
        self.same("reached", "web", "db", 5433)
        self.up(SHOP[:SHOP.index("x-orchion")])
        self.same("reached", "other", "db", 5432)
        self.assertEqual({t["meta"]["uid"] for t in self.cluster.tasks("shop")}, before)
        self.assertEqual(json.loads(self.cluster.ok("network", "policy", "ls", "-o", "json")).get("policies", []), [])

    def test_the_default_refuses_what_nobody_allows(self):
        self.up(SHOP.replace("x-orchion:\n", "x-orchion:\n  network_default: deny\n"))
        self.assertIn("default-deny (egress), which allows nobody", self.same("refused", "other", "open", 80))
        self.same("refused", "web", HOST_A, 80)
        self.assertFalse(self.outside.fetch(f"http://{WAN}:18080/"), "published, and nobody allows who is outside")
        names = self.cluster.run("exec", "shop/other", "--", "nslookup", "db")
        self.assertEqual(names.code, 0, "names are asked for as ever: " + names.out + names.err)

    def test_from_outside_ranges_decide(self):
        self.up(SHOP + "    open-in: {service: open, ingress: [{from: [{range: 198.51.100.2/32}]}]}\n")
        def from_outside(source):
            done = subprocess.run([*self.outside.enter, "/usr/bin/python3", "-c", textwrap.dedent(f"""
                import socket
                socket.create_connection(("{WAN}", 18080), 3, ("{source}", 0)).close()""")], capture_output=True)
            return done.returncode == 0
        harness.wait_for("the one that is allowed", lambda: from_outside(HOST_A))
        harness.wait_for("the other to be refused", lambda: not from_outside(HOST_B))
        for source, code in ((HOST_A, 0), (HOST_B, 1)):
            self.assertEqual(self.cluster.run("network", "policy", "test", source, "shop/open", 80).code, code)
        said = self.cluster.run("network", "policy", "test", HOST_A, "shop/db", 5432)
        self.assertIn("doesn't publish", said.out)

    def test_where_one_may_go(self):
        self.up(SHOP + EGRESS)
        self.same("reached", "web", HOST_A, 80)
        self.same("refused", "web", HOST_A, 81)
        self.same("refused", "web", HOST_B, 80)
        self.same("reached", "web", "db", 5432)
        self.same("refused", "web", "open", 80)
        # By name: what the resolver said counts from its answer on, for the first connection already.
        self.same("reached", "other", "api.example.com", 80)
        self.same("refused", "other", "api.example.com", 81)
        self.same("refused", "other", "elsewhere.org", 80)
        self.assertEqual(self.ask("other", HOST_B, 80), "refused", "nobody asked for a name of that address")

    def test_nothing_opens_while_the_server_and_its_agent_are_killed(self):
        self.up()
        self.same("refused", "other", "db", 5432)
        pid = next(t["status"]["pid"] for t in self.cluster.tasks("shop") if t["spec"]["service"] == "other")
        address = self.address("db")
        reached, tries, stop = [], [], threading.Event()

        def knock():
            while not stop.is_set():
                done = subprocess.run(["nsenter", "-t", str(pid), "--net", "timeout", "1", "busybox", "wget", "-q", "-O",
                                       "-", f"http://{address}:5432/"], capture_output=True)
                tries.append(time.monotonic())
                if done.returncode == 0:
                    reached.append(time.monotonic())
        knocking = threading.Thread(target=knock)
        knocking.start()
        try:
            for _ in range(3):
                self.cluster.stop(signal.SIGKILL)
                seen = len(tries)
                harness.wait_for("knocks on the kernel alone", lambda: len(tries) > seen + 3)
                self.cluster.start()
                harness.wait_for("knocks on the new agent", lambda: len(tries) > seen + 10)
        finally:
            stop.set()
            knocking.join()
        self.assertEqual(reached, [])
        self.same("reached", "web", "db", 5432)
        self.same("refused", "other", "db", 5432)
        # What changes afterwards is heard.
        self.up(SHOP.replace("[{service: web}]", "[{service: other}]"), "changed.yaml")
        self.same("reached", "other", "db", 5432)
        self.same("refused", "web", "db", 5432)

    def test_a_task_that_comes_is_held_from_its_first_packet(self):
        self.up()
        address = self.address("db")
        text = SHOP.replace("  open:\n", textwrap.dedent(f"""\
            |  early:
            |    image: {IMAGE}
            |    command: [sh, -c, "if wget -q -O - http://{address}:5432/; then echo REACHED; else echo KEPT-OUT; fi; sleep 100000"]
            |    stop_signal: SIGKILL
            |    networks: [back]
            |  open:
            |""").replace("|", ""))
        self.up(text, "early.yaml")
        harness.wait_for("its word", lambda: any(word in self.cluster.ok("logs", "shop/early")
                                                 for word in ("REACHED", "KEPT-OUT")))
        self.assertIn("KEPT-OUT", self.cluster.ok("logs", "shop/early"))
        self.same("refused", "early", "db", 5432)
        # One that is allowed is so from the first packet on, too.
        self.cluster.ok("scale", "shop/web=2")
        for slot in (1, 2):
            done = self.cluster.run("exec", f"shop/web.{slot}", "--", "timeout", "4", "wget", "-q", "-O", "-",
                                    "http://db:5432/")
            self.assertEqual(done.code, 0, done.out + done.err)


if __name__ == "__main__":
    harness.main()
