"""Containers in other networks than those that the nodes route: another container's (`network_mode: service:x`), and
that of a node's interface (`driver: macvlan`)."""

import os
import signal
import subprocess
import unittest

import engines
import harness

# The page is the sidecar's name, so that it is seen who answers.
PAIR = """
services:
  main:
    image: busybox-test:latest
    command: [sh, -c, "echo main > /www/index.html; exec httpd -f -p 8000 -h /www"]
    stop_signal: SIGKILL
    ports: ["18080:9000"]
    environment: {{VERSION: "{version}"}}
    deploy: {{replicas: {replicas}}}
    {main_more}
  sidecar:
    image: busybox-test:latest
    network_mode: service:main
    command: [sh, -c, "hostname > /www/index.html; exec httpd -f -p 9000 -h /www"]
    stop_signal: SIGKILL
    healthcheck: {{test: [CMD, wget, -q, -O, /dev/null, "http://127.0.0.1:9000/"], interval: 1s, start_interval: 100ms, start_period: 20s}}
    deploy: {{replicas: {replicas}}}
    {sidecar_more}
  client:
    image: busybox-test:latest
    command: [sleep, "1000"]
    stop_signal: SIGKILL
"""


def pair(version="1", replicas=1, main_more="", sidecar_more=""):
    return PAIR.format(version=version, replicas=replicas, main_more=main_more, sidecar_more=sidecar_more)


class OneNode(unittest.TestCase):
    engines = {}

    def setUp(self):
        self.cluster = harness.Cluster(engines=self.engines)
        self.addCleanup(self.cluster.close)
        self.cluster.start()
        self.empty = harness.host_state(self.cluster)
        harness.busybox_image(self.cluster, "busybox-test:latest")

    def up(self, text):
        file = harness.write(self.cluster.folder, "shop/compose.yaml", text)
        self.cluster.ok("up", "-f", file, "--yes", "--wait")

    def task(self, service, slot=1):
        """The running task in that slot; None while there is none."""
        return next((task for task in self.cluster.tasks("shop")
                     if task["spec"]["service"] == service and task["spec"]["slot"] == slot
                     and task["status"]["state"] == "RUNNING"), None)

    def namespace(self, task):
        return os.readlink(f"/proc/{task['status']['pid']}/ns/net")

    def together(self, slot=1):
        """Both tasks of the slot, once they run in one network."""
        main, sidecar = self.task("main", slot), self.task("sidecar", slot)
        if not main or not sidecar or sidecar["spec"]["assignment"]["networkOf"] != main["meta"]["uid"]:
            return None
        return (main, sidecar) if self.namespace(main) == self.namespace(sidecar) else None

    def ask(self, service, url):
        return self.cluster.run("exec", f"shop/{service}", "--", "wget", "-qO-", url).out

    def says(self, service, url, page):
        """A program listens a moment after it runs."""
        harness.wait_for(f"{service} to get {page!r} from {url}", lambda: self.ask(service, url) == page)

    def down(self):
        self.cluster.ok("down", "--stack", "shop", "--yes")
        kinds = ("mounts", "links", "rules", "run", "containers", "checkpoints", "processes")

        def left():
            now = harness.host_state(self.cluster)
            return {kind: now[kind] for kind in kinds if now[kind] != self.empty[kind]}

        try:
            harness.wait_for("nothing to be left", lambda: not left())
        except AssertionError as late:
            raise AssertionError(f"{late}: {left()}")


class OneMachine(OneNode):
    def test_a_sidecar_is_where_main_is(self):
        self.up(pair())
        main, sidecar = harness.wait_for("both in one network", self.together)
        self.assertNotEqual(self.namespace(main), self.namespace(self.task("client")))
        self.assertEqual(main["spec"]["assignment"]["addresses"], sidecar["spec"]["assignment"]["addresses"])
        # One loopback for both.
        self.says("sidecar", "http://127.0.0.1:8000/", "main\n")
        self.says("main", "http://127.0.0.1:9000/", "sidecar-1\n")
        # What main publishes the sidecar may serve.
        harness.wait_for("the port", lambda: harness.fetch("http://127.0.0.1:18080/") == "sidecar-1\n")
        # Both names lead there, and names lead out of it.
        self.says("client", "http://sidecar:9000/", "sidecar-1\n")
        self.says("client", "http://main:9000/", "sidecar-1\n")
        self.says("client", "http://1.sidecar:8000/", "main\n")
        self.says("sidecar", "http://main:8000/", "main\n")
        self.assertEqual(self.cluster.json("inspect", "shop/sidecar")["status"]["virtualAddresses"], [])
        self.down()

    def test_main_that_starts_anew_keeps_its_network(self):
        self.up(pair())
        main, sidecar = harness.wait_for("both in one network", self.together)
        os.kill(int(main["status"]["pid"]), signal.SIGKILL)
        again = harness.wait_for("main again", lambda: (task := self.task("main")) and task["status"]["attempt"] == 2 and task)
        self.assertEqual(again["meta"]["uid"], main["meta"]["uid"])
        _, same = harness.wait_for("both in one network", self.together)
        self.assertEqual(same["status"]["pid"], sidecar["status"]["pid"])
        harness.wait_for("main by the loopback", lambda: self.ask("sidecar", "http://127.0.0.1:8000/") == "main\n")
        # And the other way round.
        os.kill(int(sidecar["status"]["pid"]), signal.SIGKILL)
        harness.wait_for("the sidecar again", lambda: (task := self.task("sidecar")) and task["status"]["attempt"] == 2)
        harness.wait_for("its page", lambda: self.ask("main", "http://127.0.0.1:9000/") == "sidecar-1\n")
        self.down()

    def test_a_new_main_takes_the_sidecar_along(self):
        self.up(pair())
        main, sidecar = harness.wait_for("both in one network", self.together)
        self.up(pair(version="2"))
        new_main, new_sidecar = harness.wait_for("both in the new network", lambda: (both := self.together()) and
                                                 both[0]["meta"]["uid"] != main["meta"]["uid"] and both)
        self.assertNotEqual(new_sidecar["meta"]["uid"], sidecar["meta"]["uid"])
        harness.wait_for("its page", lambda: harness.fetch("http://127.0.0.1:18080/") == "sidecar-1\n")
        # The sidecar alone: main stays.
        self.up(pair(version="2", sidecar_more="labels: {changed: 'yes'}"))
        both = harness.wait_for("the newest sidecar", lambda: (both := self.together()) and
                                both[1]["meta"]["uid"] != new_sidecar["meta"]["uid"] and both)
        self.assertEqual(both[0]["meta"]["uid"], new_main["meta"]["uid"])
        self.down()

    def test_a_killed_server_finds_both_as_they_are(self):
        self.up(pair())
        main, sidecar = harness.wait_for("both in one network", self.together)
        self.cluster.stop(signal.SIGKILL)
        # While nobody looks main ends: its network must stay for the one that is in it.
        os.kill(int(main["status"]["pid"]), signal.SIGKILL)
        self.cluster.start()
        harness.wait_for("main again", lambda: (task := self.task("main")) and task["status"]["attempt"] == 2)
        _, same = harness.wait_for("both in one network", self.together)
        self.assertEqual(same["status"]["pid"], sidecar["status"]["pid"])
        harness.wait_for("main by the loopback", lambda: self.ask("sidecar", "http://127.0.0.1:8000/") == "main\n")
        # An update while the server is away for a moment in the midst of it.
        file = harness.write(self.cluster.folder, "shop/compose.yaml", pair(version="2"))
        self.cluster.ok("up", "-f", file, "--yes", "--detach")
        self.cluster.stop(signal.SIGKILL)
        self.cluster.start()
        harness.wait_for("both in the new network", lambda: (both := self.together()) and
                         both[0]["meta"]["uid"] != main["meta"]["uid"])
        self.down()

    def test_each_replica_has_its_own(self):
        self.up(pair(replicas=3).replace('ports: ["18080:9000"]', ""))
        for slot in (1, 2, 3):
            harness.wait_for(f"both of slot {slot} in one network", lambda: self.together(slot))
        self.assertEqual(len({self.namespace(self.task("main", slot)) for slot in (1, 2, 3)}), 3)
        refused = self.cluster.run("scale", "shop/main=2")
        self.assertNotEqual(refused.code, 0)
        self.assertIn("sidecar has 3 replicas and main only 2", refused.err)
        kept = self.task("sidecar")["meta"]["uid"]
        self.up(pair(replicas=1).replace('ports: ["18080:9000"]', ""))
        harness.wait_for("one pair", lambda: len(self.cluster.tasks("shop")) == 3)
        self.assertEqual(self.task("sidecar")["meta"]["uid"], kept)
        self.down()

    def test_what_cannot_be_is_refused_with_its_place(self):
        for more, place, said in (
                ("ports: ['1:1']", ":18:", "`ports` means nothing with `network_mode: service:main`"),
                ("hostname: x", ":18:", "`hostname` means nothing with `network_mode: service:main`"),
                ("networks: [default]", ":18:", "`networks` and `network_mode` can't both be there")):
            file = harness.write(self.cluster.folder, "shop/compose.yaml", pair(sidecar_more=more))
            result = self.cluster.run("up", "-f", file, "--yes")
            self.assertEqual(result.code, 1, result)
            self.assertIn(said, result.err)
            self.assertIn(f"compose.yaml{place}", result.err)


class Engines(OneNode):
    """The same where engines run both, and where each runs in another."""

    def setUp(self):
        self.engines = {}
        for kind, variable in (("podman", "CONTAINER_HOST"), ("containerd", "CONTAINERD_ADDRESS"), ("docker", "DOCKER_HOST")):
            engine = engines.Engine(kind).start()
            self.addCleanup(engine.close)
            self.engines[variable] = engine.socket
        super().setUp()

    def test_in_each_of_them(self):
        for main, sidecar in (("podman", "podman"), ("containerd", "containerd"), ("oci", "podman"), ("podman", "oci"),
                              ("containerd", "oci")):
            with self.subTest(main=main, sidecar=sidecar):
                self.up(pair(main_more=f"x-orchion: {{executor: {main}}}",
                             sidecar_more=f"x-orchion: {{executor: {sidecar}}}"))
                one, two = harness.wait_for("both in one network", self.together)
                self.assertEqual((one["status"]["executor"], two["status"]["executor"]), (main, sidecar))
                self.says("sidecar", "http://127.0.0.1:8000/", "main\n")
                harness.wait_for("the port", lambda: harness.fetch("http://127.0.0.1:18080/") == "sidecar-1\n")
                os.kill(int(one["status"]["pid"]), signal.SIGKILL)
                harness.wait_for("main again", lambda: (task := self.task("main")) and task["status"]["attempt"] == 2)
                _, same = harness.wait_for("both in one network", self.together)
                self.assertEqual(same["status"]["pid"], two["status"]["pid"])
                self.cluster.ok("down", "--stack", "shop", "--yes")
        file = harness.write(self.cluster.folder, "shop/compose.yaml", pair(sidecar_more="x-orchion: {executor: docker}"))
        refused = self.cluster.run("up", "-f", file, "--yes")
        self.assertEqual(refused.code, 1)
        self.assertIn("Docker can't have sidecar in the network of main: use the executor oci, podman or containerd for both",
                      refused.err)


# `web` is in a routed network too.
ON_THE_LAN = """
services:
  camera:
    image: busybox-test:latest
    command: [sh, -c, "echo camera > /www/index.html; exec httpd -f -p 80 -h /www"]
    stop_signal: SIGKILL
    networks: [lan]
  recorder:
    image: busybox-test:latest
    command: [sleep, "1000"]
    stop_signal: SIGKILL
    networks: [lan]
  web:
    image: busybox-test:latest
    command: [sh, -c, "echo web > /www/index.html; exec httpd -f -p 80 -h /www"]
    stop_signal: SIGKILL
    networks: [default, lan]
    ports: ["18080:80"]
networks:
  lan:
    driver: macvlan
    driver_opts: {{parent: {parent}}}
    ipam: {{config: [{{subnet: 192.168.77.0/24, gateway: 192.168.77.1, ip_range: 192.168.77.128/28}}]}}
"""


class OnTheLan(OneNode):
    """The node's interface `lan0` is on a network on which a router, 192.168.77.1, is another machine."""

    def setUp(self):
        self.router = subprocess.Popen(["unshare", "--net", "cat"], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)
        self.addCleanup(self.router.wait, 10)
        self.addCleanup(self.router.stdin.close)
        here = os.readlink("/proc/self/ns/net")
        harness.wait_for("the router's network", lambda: os.readlink(f"/proc/{self.router.pid}/ns/net") != here)
        subprocess.run(["ip", "link", "add", "lan0", "type", "veth", "peer", "name", "lan1", "netns", str(self.router.pid)],
                       check=True)
        self.addCleanup(subprocess.run, ["ip", "link", "delete", "lan0"])
        for command in ("ip addr add 192.168.77.2/24 dev lan0", "ip link set lan0 up"):
            subprocess.run(command.split(), check=True)
        for command in ("ip link set lo up", "ip addr add 192.168.77.1/24 dev lan1", "ip link set lan1 up"):
            self.on_router(*command.split())
        super().setUp()

    def on_router(self, *command):
        done = subprocess.run(["nsenter", "-t", str(self.router.pid), "--net", *command], capture_output=True, text=True,
                              timeout=20)
        return done.stdout if done.returncode == 0 else None

    def page(self, address):
        return self.on_router("timeout", "2", "busybox", "wget", "-q", "-O", "-", f"http://{address}/")

    def address(self, service):
        return next(a["address"] for a in self.task(service)["spec"]["assignment"]["addresses"] if a["network"] == "lan")


class Macvlan(OnTheLan):
    def test_a_container_is_a_machine_of_its_own(self):
        self.up(ON_THE_LAN.format(parent="lan0"))
        camera = self.address("camera")
        self.assertRegex(camera, r"^192\.168\.77\.1(2[89]|3\d|4[0-3])$")
        harness.wait_for("its page", lambda: self.page(camera) == "camera\n")
        # By its own hardware address, which its own address makes.
        mac = "02:6f:" + ":".join(f"{int(part):02x}" for part in camera.split("."))
        self.assertIn(mac, self.on_router("ip", "neigh", "show", camera))
        self.assertIn(mac, self.cluster.ok("exec", "shop/camera", "--", "ip", "link", "show", "eth0"))
        # Names lead to addresses there, from who is in that network alone and from who is in another too.
        for asker in ("recorder", "web"):
            self.says(asker, "http://camera/", "camera\n")
        self.assertIn(camera, self.cluster.ok("exec", "shop/recorder", "--", "nslookup", "camera.shop.orchion.internal"))
        self.says("recorder", f"http://{self.address('web')}/", "web\n")
        # The router is the way out.
        outside = subprocess.Popen(["nsenter", "-t", str(self.router.pid), "--net", "busybox", "httpd", "-f", "-p", "8080", "-h", "/etc"])
        self.addCleanup(outside.wait)
        self.addCleanup(outside.kill)
        harness.wait_for("a page of the router", lambda: "root" in self.ask("recorder", "http://192.168.77.1:8080/passwd"))
        self.assertIn("via 192.168.77.1", self.cluster.ok("exec", "shop/recorder", "--", "ip", "route"))
        # What is in a routed network too has its ports there.
        harness.wait_for("the port", lambda: harness.fetch("http://127.0.0.1:18080/") == "web\n")
        found = self.cluster.json("inspect", "shop/web")["status"]["virtualAddresses"]
        self.assertEqual([each["network"] for each in found], ["default"])
        # The node sees who is on its own interface.
        harness.wait_for("the port", lambda: harness.fetch(f"http://{camera}/") == "camera\n")

        before = self.task("camera")
        os.kill(int(before["status"]["pid"]), signal.SIGKILL)
        harness.wait_for("the camera again", lambda: (task := self.task("camera")) and task["status"]["attempt"] == 2)
        harness.wait_for("its page", lambda: self.page(camera) == "camera\n")

        self.cluster.stop(signal.SIGKILL)
        self.assertEqual(self.page(camera), "camera\n", "a network needs no server")
        self.cluster.start()
        harness.wait_for("its page", lambda: self.page(camera) == "camera\n")
        harness.wait_for("names again", lambda: self.ask("recorder", "http://camera/") == "camera\n")
        self.down()
        self.assertIsNone(self.page(camera))

    def test_a_new_version_has_an_address_there_too(self):
        self.up(ON_THE_LAN.format(parent="lan0"))
        self.up(ON_THE_LAN.format(parent="lan0").replace("echo camera", "echo newer"))
        harness.wait_for("the newer page by name", lambda: self.ask("recorder", "http://camera/") == "newer\n")
        harness.wait_for("its page", lambda: self.page(self.address("camera")) == "newer\n")
        self.down()

    def test_what_is_missing_is_said(self):
        file = harness.write(self.cluster.folder, "shop/compose.yaml", ON_THE_LAN.format(parent="enp9s9"))
        self.cluster.ok("up", "-f", file, "--yes", "--detach")
        harness.wait_for("the reason", lambda: any(
            "this node has no interface enp9s9, which the network is on" in task["status"].get("message", "")
            for task in self.cluster.tasks("shop")))
        self.cluster.ok("down", "--stack", "shop", "--yes")
        for text, said in (
                (ON_THE_LAN.format(parent="lan0").replace("gateway: 192.168.77.1, ", "").replace("subnet: 192.168.77.0/24, ", ""),
                 "a macvlan network needs the subnet"),
                (ON_THE_LAN.format(parent="lan0").replace("networks: [default, lan]", "networks: [lan]"),
                 "web is in macvlan networks only, where it is reached by its own address")):
            result = self.cluster.run("up", "-f", harness.write(self.cluster.folder, "shop/compose.yaml", text), "--yes")
            self.assertNotEqual(result.code, 0)
            self.assertIn(said, result.err)

    def test_by_command(self):
        self.up("""
services:
  camera:
    image: busybox-test:latest
    command: [sh, -c, "echo camera > /www/index.html; exec httpd -f -p 80 -h /www"]
    stop_signal: SIGKILL
""")
        refused = self.cluster.run("network", "create", "shop/lan", "--driver", "macvlan", "--subnet", "192.168.77.0/24")
        self.assertIn("a macvlan network needs the nodes' interface", refused.err)
        self.cluster.ok("network", "create", "shop/lan", "--driver", "macvlan", "--parent", "lan0", "--subnet",
                        "192.168.77.0/24", "--gateway", "192.168.77.1", "--range", "192.168.77.16/29")
        self.cluster.ok("network", "connect", "shop/lan", "shop/camera")
        self.assertRegex(self.address("camera"), r"^192\.168\.77\.(1[6-9]|2[0-3])$")
        harness.wait_for("its page", lambda: self.page(self.address("camera")) == "camera\n")
        self.assertIn("macvlan lan0", self.cluster.ok("network", "ls", "-o", "wide"))
        self.cluster.ok("network", "disconnect", "shop/lan", "shop/camera")
        self.cluster.ok("network", "rm", "shop/lan")
        self.down()


if __name__ == "__main__":
    harness.main()
