"""Networks over three machines: who reaches whom by which address, and what happens when things come, go and fail."""

import concurrent.futures
import json
import os
import pathlib
import re
import signal
import subprocess
import sys
import time
import unittest

import harness
import lan

PROBE = str(pathlib.Path(__file__).with_name("probe.py"))
PORT = 7000

# Each service has a task on each machine.
STACK = """
networks:
  default: {{enable_ipv6: true}}
  inner: {{internal: true, enable_ipv6: true}}
services:
  {0}:
    image: busybox-test:latest
    command: [sleep, "1000"]
    stop_signal: SIGKILL
    networks: [default, inner]
    deploy: {{replicas: 3}}
  {1}:
    image: busybox-test:latest
    command: [sleep, "1000"]
    stop_signal: SIGKILL
    deploy: {{replicas: 3}}
"""

WEB = """
services:
  web:
    image: {image}
    deploy: {{replicas: {replicas}}}
    healthcheck: {{test: [CMD, wget, -q, -O, /dev/null, "http://127.0.0.1:80/"], interval: 1s, start_interval: 100ms, start_period: 20s}}
  client:
    image: busybox-test:latest
    command: [sleep, "1000"]
    stop_signal: SIGKILL
"""


class Place:
    """A task as seen from outside: its addresses and its network namespace."""

    def __init__(self, task):
        self.name = task["meta"]["name"]
        self.service = task["spec"]["service"]
        self.stack = task["meta"]["stack"]
        self.node = task["spec"]["assignment"]["node"]
        self.pid = int(task["status"]["pid"])
        self.addresses = {a["network"]: [x for x in (a["address"], a["address6"]) if x]
                          for a in task["spec"]["assignment"]["addresses"]}

    def command(self, *arguments):
        return ["nsenter", "-t", str(self.pid), "--net", sys.executable, PROBE, *map(str, arguments)]

    def start(self, *arguments):
        process = subprocess.Popen(self.command(*arguments), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        process.stdout.readline()  # it has begun
        return process

    def ask(self, addresses, port=PORT):
        done = subprocess.run(self.command("ask", port, *addresses), capture_output=True, text=True, check=True, timeout=30)
        return json.loads(done.stdout)


def machine_asks(machine, addresses):
    """What programs of the machine itself, outside of containers, hear from each address."""
    done = subprocess.run([*machine.prefix, sys.executable, PROBE, "ask", str(PORT), *addresses], capture_output=True,
                          text=True, check=True, timeout=30)
    return json.loads(done.stdout)


def end(process):
    out, _ = process.communicate(timeout=20)
    return out


class Networks(unittest.TestCase):
    def setUp(self):
        lan.make_wire()
        self.one, self.two, self.three = (lan.Machine(number) for number in (1, 2, 3))
        self.machines = [self.one, self.two, self.three]
        self.addCleanup(self.one.close)
        self.one.start()
        self.empty = [harness.host_state(self.one)]
        for machine in (self.two, self.three):
            self.addCleanup(machine.close)
            self.addCleanup(self.one.run, "stop-all", "--yes")
        harness.busybox_image(self.one, "busybox-test:latest")
        self.two.join(self.one)
        self.three.join(self.one)
        harness.wait_for("three nodes", lambda: len(lan.ready(self.one)) == 3)

    def up(self, stack, text, wait=True):
        file = harness.write(self.one.folder, f"{stack}/compose.yaml", text)
        self.one.ok("up", "-f", file, "--yes", *(["--wait"] if wait else []))

    def places(self, stack):
        found = [Place(task) for task in self.one.tasks(stack) if task["status"]["state"] == "RUNNING"]
        return sorted(found, key=lambda place: place.name)

    def service(self, stack, name):
        found = self.one.json("inspect", f"{stack}/{name}")
        return {a["network"]: [a["address"], *([a["address6"]] if a["address6"] else [])]
                for a in found["status"]["virtualAddresses"]}

    def gateway(self, stack, network):
        return self.one.json("network", "inspect", f"{stack}/{network}")["status"]["gateway"]

    def cut(self, machine, whole):
        """Takes a machine off the wire, or puts it back."""
        lan.run("ip", "link", "set", machine.wire, "down" if whole else "up")

    def links(self, machine):
        script = "ip -o link; nft list tables; ip route show dev lo"
        out = subprocess.run([*machine.prefix, "sh", "-c", script], capture_output=True, text=True)
        return [line for line in out.stdout.splitlines()
                if re.search(r": or[a-z2-7]{4}[bvx]|orchion|scope link src 127.0.0.1", line)]


class WhoReachesWhom(Networks):
    def test_a_matrix_of_tasks_and_services(self):
        self.up("shop", STACK.format("web", "db"))
        self.up("bank", STACK.format("till", "vault"))
        places = self.places("shop") + self.places("bank")
        self.assertEqual(len(places), 12)
        self.assertEqual(len({place.node for place in places if place.service == "web"}), 3)
        servers = [place.start("serve", f"{place.stack}/{place.service}", PORT) for place in places]
        self.addCleanup(lambda: [end(server) for server in servers])
        services = {(stack, name): self.service(stack, name)
                    for stack, name in (("shop", "web"), ("shop", "db"), ("bank", "till"), ("bank", "vault"))}

        # Nodes hear of each other's tasks within moments of their being there.
        def wrong():
            with concurrent.futures.ThreadPoolExecutor(len(places)) as pool:
                found = pool.map(lambda place: self.wrong_answers(place, places, services), places)
                return [each for of_place in found for each in of_place]

        def all_reached():
            return wrong() == []

        begun = time.monotonic()
        harness.wait_for("the matrix", all_reached, 20)
        print(f"a matrix of 12 tasks and 4 services, TCP and UDP, IPv4 and IPv6, holds after {time.monotonic() - begun:.1f} s")

        # Connections to a service go round its tasks, wherever they are.
        client = next(place for place in places if place.service == "db")
        web = services["shop", "web"]["default"][0]
        hammer = client.start("hammer", PORT, web)
        time.sleep(1)  # what it counts, not what it waits for
        hammer.stdin.write("end")
        counted = json.loads(end(hammer))
        self.assertEqual(counted["failed"], {}, counted)
        self.assertGreater(sum(counted["answered"].values()), 20)

        # The machines themselves reach every task and service too, internal networks' included.
        def machines_wrong():
            wanted = {address: f"{place.stack}/{place.service}" for place in places
                      for addresses in place.addresses.values() for address in addresses[:1]}
            wanted |= {addresses[0]: f"{stack}/{name}" for (stack, name), networks in services.items()
                       for addresses in networks.values()}
            return [(machine.name, address, protocol, answer) for machine in self.machines
                    for address, answers in machine_asks(machine, wanted).items()
                    for protocol, answer in answers.items()
                    if not answer or answer.split()[0] != wanted[address]]

        self.assertEqual(machines_wrong(), [])
        far = next(place for place in places if place.node == "machine-2" and place.service == "web")
        for network, addresses in far.addresses.items():
            answer = machine_asks(self.one, addresses[:1])[addresses[0]]["tcp"]
            self.assertEqual(answer.split()[1], self.gateway("shop", network), "as the task's own machine would")

        # Without its agent a machine's tasks go on and are reached; a new agent disturbs nobody.
        self.three.ok("agent", "--stop")
        self.assertEqual(wrong(), [])
        self.assertEqual(machines_wrong(), [])
        self.three.ok("agent", "--background")
        for _ in range(3):
            self.assertEqual(wrong(), [])
            self.assertEqual(machines_wrong(), [])

        self.one.ok("down", "--stack", "bank")
        self.one.ok("down", "--stack", "shop")
        for server in servers:
            end(server)
        servers.clear()

    def wrong_answers(self, place, places, services):
        """What this task finds otherwise than it should be: those of its own networks answer, nobody else does."""
        wanted = {}
        for other in places:
            for network, addresses in other.addresses.items():
                near = other.stack == place.stack and network in place.addresses
                for address in addresses:
                    wanted[address] = f"{other.stack}/{other.service}" if near else None
        for (stack, name), networks in services.items():
            for network, addresses in networks.items():
                near = stack == place.stack and network in place.addresses
                for address in addresses:
                    wanted[address] = f"{stack}/{name}" if near else None
        wrong = []
        for address, answers in place.ask(wanted).items():
            for protocol, answer in answers.items():
                said = answer and answer.split()[0]
                if said != wanted[address]:
                    wrong.append((place.name, address, protocol, said, wanted[address]))
        return wrong


class Changes(Networks):
    def hammered(self, action, image="web:1", replicas=3):
        harness.web_image(self.one, "web:1", Env=["PATH=/bin", "VERSION=1"])
        harness.web_image(self.one, "web:2", Env=["PATH=/bin", "VERSION=2"])
        self.up("shop", WEB.format(image=image, replicas=replicas))
        client = next(place for place in self.places("shop") if place.service == "client")
        address = self.service("shop", "web")["default"][0]
        clients = [subprocess.Popen(["nsenter", "-t", str(client.pid), "--net", sys.executable, "-c", HTTP, address],
                                    stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(2)]
        for each in clients:
            each.stdout.readline()
        action()
        counted = []
        for each in clients:
            each.stdin.write("end")
            counted.append(json.loads(end(each)))
        return counted

    def test_nobody_notices_a_replacement_nor_scaling(self):
        def change():
            self.up("shop", WEB.format(image="web:2", replicas=3))
            for replicas in (6, 2, 4):
                self.one.ok("scale", f"shop/web={replicas}")

        counted = self.hammered(change)
        total = sum(each["ok"] for each in counted)
        print(f"{total} requests through a replacement and three scalings, {sum(each['bad'] for each in counted)} failed")
        self.assertEqual([each["bad"] for each in counted], [0, 0], counted)
        self.assertGreater(total, 200)


HTTP = """
import json, select, sys, urllib.request
ok, bad, why = 0, 0, {}
print("begun", flush=True)
while not select.select([sys.stdin], [], [], 0)[0]:
    try:
        with urllib.request.urlopen(f"http://{sys.argv[1]}/", timeout=5) as answer:
            ok += answer.read() == b"ok\\n"
    except OSError as error:
        bad += 1
        why[str(error)] = why.get(str(error), 0) + 1
print(json.dumps({"ok": ok, "bad": bad, "why": why}))
"""


class Faults(Networks):
    def test_a_partition_heals_and_nothing_is_left(self):
        before = {machine.name: self.links(machine) for machine in self.machines}
        self.up("shop", STACK.format("web", "db"))
        places = self.places("shop")
        servers = [place.start("serve", place.name, PORT) for place in places]
        here = next(p for p in places if p.node == "machine-1" and p.service == "db")
        far = next(p for p in places if p.node == "machine-3" and p.service == "db")
        near = next(p for p in places if p.node == "machine-2" and p.service == "db")
        address = far.addresses["default"][0]
        harness.wait_for("the way there", lambda: here.ask([address])[address]["tcp"])
        self.cut(self.three, True)
        self.assertIsNone(here.ask([address])[address]["tcp"])
        own = near.addresses["default"][0]
        self.assertTrue(here.ask([own])[own]["udp"], "the others still have each other")
        self.cut(self.three, False)
        harness.wait_for("the way there again", lambda: here.ask([address])[address]["udp"], 60)
        # A server that is stopped and started again is no reason for anybody to lose anybody.
        self.one.stop(signal.SIGKILL)
        self.assertTrue(here.ask([address])[address]["tcp"])
        self.one.start()
        self.assertTrue(here.ask([address])[address]["tcp"])
        for server in servers:
            end(server)
        harness.wait_for("three nodes", lambda: len(lan.ready(self.one)) == 3)
        self.one.ok("down", "--stack", "shop")
        for machine in self.machines:
            harness.wait_for(f"nothing left on {machine.name}", lambda: self.links(machine) == before[machine.name])


JOINED = """
services:
  web:
    image: busybox-test:latest
    command: [httpd, -f, -p, "80", -h, /www]
    stop_signal: SIGKILL
    ports: ["18080:80"]
    deploy: {placement: {constraints: [node.name == machine-1]}}
  far:
    image: busybox-test:latest
    command: [httpd, -f, -p, "80", -h, /www]
    stop_signal: SIGKILL
    deploy: {placement: {constraints: [node.name == machine-4]}}
"""


class Joining(Networks):
    def test_a_node_reaches_and_is_reached_at_once(self):
        self.one.ok("up", "-f", harness.write(self.one.folder, "shop/compose.yaml", JOINED), "--yes", "--detach")
        harness.wait_for("the task of the first machine", lambda: len(self.places("shop")) == 1)
        web = self.places("shop")[0]
        four = lan.Machine(4)
        self.addCleanup(four.close)
        self.addCleanup(self.one.run, "stop-all", "--yes")
        four.join(self.one)
        harness.wait_for("the fourth node", lambda: len(lan.ready(self.one)) == 4)
        ready = time.monotonic()
        harness.wait_for("the others' ports at it", lambda: four.fetch(f"http://{four.address}:18080/"), 10)
        reaches = time.monotonic() - ready
        harness.wait_for("its task", lambda: len(self.places("shop")) == 2)
        running = time.monotonic()
        far = next(place for place in self.places("shop") if place.node == "machine-4")
        server = far.start("serve", far.name, PORT)
        address = far.addresses["default"][0]
        harness.wait_for("the way to it", lambda: web.ask([address])[address]["tcp"], 10)
        reached = time.monotonic() - running
        end(server)
        print(f"a node that joined reaches others {reaches:.2f} s after it is ready; its task runs {running - ready:.2f} s "
              f"after that, and is reached {reached:.2f} s later")
        self.assertLessEqual(reaches, 2)
        self.assertLessEqual(reached, 2)


PAGES = """
services:
  web:
    image: busybox-test:latest
    command: [httpd, -f, -p, "80", -h, /www]
    stop_signal: SIGKILL
    deploy: {{replicas: {replicas}}}
    environment: {{VERSION: "{version}"}}
  client:
    image: busybox-test:latest
    command: [sleep, "1000"]
    stop_signal: SIGKILL
    deploy: {{replicas: 3}}
"""


class Killed(Networks):
    """Agents, while services change."""

    def kill_agent(self, machine):
        pid = int((machine.data / "server.pid").read_text())
        os.kill(pid, signal.SIGKILL)
        harness.wait_for("its end", lambda: not pathlib.Path(f"/proc/{pid}/fd/0").exists())

    def settled(self, replicas):
        """Every client finds all web servers behind the one address, and each of them by name."""
        places = self.places("shop")
        web = sorted(place.addresses["default"][0] for place in places if place.service == "web")
        if len(web) != replicas:
            return False
        address = self.service("shop", "web")["default"][0]
        for client in (place for place in places if place.service == "client"):
            slot = client.name.split(".")[1]
            ask = f"nslookup tasks.web.shop.orchion.internal; for n in $(seq {4 * replicas}); do wget -q -O - http://{address}/; done"
            out = self.one.run("exec", f"shop/client.{slot}", "--", "sh", "-c", ask)
            named = sorted(re.findall(r"Address: ([0-9.]+)$", out.out, re.M))
            if named != web or out.out.count("ok\n") != 4 * replicas:
                return False
        return True

    def test_what_agents_missed_is_made_up_for(self):
        before = {machine.name: self.links(machine) for machine in self.machines}
        self.up("shop", PAGES.format(replicas=3, version=1))
        for turn, replicas in enumerate((6, 2, 5, 3)):
            machine = (self.two, self.three)[turn % 2]
            file = harness.write(self.one.folder, "shop/compose.yaml", PAGES.format(replicas=replicas, version=turn % 2))
            self.one.ok("up", "-f", file, "--yes", "--detach")
            # In the midst of it, wherever that is.
            self.kill_agent(machine)
            machine.ok("agent", "--background")
            harness.wait_for(f"{replicas} web servers for all", lambda: self.settled(replicas), 60)
        with concurrent.futures.ThreadPoolExecutor(1) as pool:
            gone = pool.submit(self.one.ok, "down", "--stack", "shop")
            self.kill_agent(self.two)
            self.two.ok("agent", "--background")
            gone.result()
        for machine in self.machines:
            harness.wait_for(f"nothing left on {machine.name}", lambda: self.links(machine) == before[machine.name])


class Many(Networks):
    """Many services of five tasks: in ./dev soak two hundred."""

    def test_every_service_answers_and_everything_goes(self):
        count = int(os.environ.get("ORCHION_NETWORK_SERVICES", "8"))
        before = {machine.name: self.links(machine) for machine in self.machines}
        body = "".join(f"""
  s{number}:
    image: busybox-test:latest
    command: [httpd, -f, -p, "80", -h, /www]
    stop_signal: SIGKILL
    deploy: {{replicas: 5}}
""" for number in range(count))
        begun = time.monotonic()
        self.up("many", "services:" + body, wait=False)
        harness.wait_for("all tasks", lambda: len(self.places("many")) == 5 * count, 60 + count * 3)
        print(f"{count} services of 5 tasks run after {time.monotonic() - begun:.1f} s")
        places = self.places("many")
        self.assertEqual(len({place.node for place in places}), 3)

        def asked(number):
            out = self.one.run("exec", f"many/s{number}.1", "--", "sh", "-c", f"wget -q -O - http://s{count - 1 - number}/")
            return out.out == "ok\n"

        for number in range(0, count, max(1, count // 20)):
            harness.wait_for(f"s{number} to be found by name", lambda: asked(number), 20)
        begun = time.monotonic()
        self.one.ok("down", "--stack", "many")
        print(f"gone after {time.monotonic() - begun:.1f} s")
        for machine in self.machines:
            harness.wait_for(f"nothing left on {machine.name}", lambda: self.links(machine) == before[machine.name])


if __name__ == "__main__":
    harness.main()
