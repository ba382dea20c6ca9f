"""Three servers on an etcd of three members: any of them answers, one leads, and another when that one is gone."""

import json
import pathlib
import shutil
import signal
import subprocess
import threading
import time
import unittest

import etcd
import harness
import lan

# How long a lead lasts without its server, and what is left then to find the next one.
LEASE, ELECTION = 5, 3

COMPOSE = """
services:
  web:
    image: busybox-test:latest
    command: [sh, -c, "echo here I am; exec httpd -f -p 80 -h /www"]
    stop_signal: SIGKILL
    deploy:
      replicas: 3
      placement: {max_replicas_per_node: 1}
"""


JOB = """
x-orchion:
  jobs:
    read:
      image: busybox-test:latest
      command: [cat, /given]
      inputs: {text: /given}
"""


class Writer(threading.Thread):
    """Makes one network after another through a server, and remembers which were acknowledged."""

    def __init__(self, machine):
        super().__init__()
        self.machine = machine
        self.acknowledged, self.refused, self.stopped = [], [], False
        self.start()

    def run(self):
        number = 0
        while not self.stopped:
            number += 1
            done = self.machine.run("network", "create", f"web/written-{number}")
            (self.refused if done.code else self.acknowledged).append(f"written-{number}" if not done.code else done.err)

    def stop(self):
        self.stopped = True
        self.join()


class Servers(unittest.TestCase):
    def setUp(self):
        lan.make_wire()
        self.machines = [lan.Machine(number) for number in (1, 2, 3)]
        self.etcd = etcd.Etcd(self.machines)
        self.addCleanup(self.etcd.close)
        for machine in self.machines:
            self.addCleanup(machine.close)
        self.addCleanup(self.machines[0].run, "stop-all", "--yes")
        first = self.machines[0]
        for machine in self.machines:
            machine.arguments += self.etcd.arguments()
            if machine is not first:
                machine.data.mkdir(mode=0o700)
                shutil.copy(first.data / "cluster-secret", machine.data / "cluster-secret")
            machine.start()
        harness.wait_for("all nodes", lambda: len(lan.ready(first)) == 3)
        for machine in self.machines:
            harness.wait_for("three servers", lambda: len(self.members(machine)) == 3)

    def members(self, machine):
        return {member["name"]: member.get("leads", False) for member in machine.json("servers")["members"]}

    def leader(self, asked=None):
        """By what a server says; None: nobody leads."""
        members = self.members(asked or self.machines[0])
        return next((machine for machine in self.machines if members.get(machine.name)), None)

    def others(self, leader):
        return [machine for machine in self.machines if machine is not leader]

    def up(self, machine):
        harness.busybox_image(machine, "busybox-test:latest")
        file = harness.write(machine.folder, "web/compose.yaml", COMPOSE)
        machine.ok("up", "-f", file, "--yes")

    def lives(self, machine):
        """Of the tasks: which container each is, and since when."""
        return {task["meta"]["name"]: (task["meta"]["uid"], task["status"].get("containerId"),
                                       task["status"]["startedAt"], task["status"].get("attempt", 1))
                for task in machine.tasks("web")}

    def networks(self, machine):
        return {network["meta"]["name"] for network in machine.json("network", "ls")["networks"]}

    def follows(self, former, asked, begun):
        harness.wait_for("another leader", lambda: self.leader(asked) not in (None, former))
        took = time.monotonic() - begun
        print(f"another server leads after {took:.1f} s; a lease is {LEASE} s")
        self.assertLess(took, LEASE + ELECTION)
        return self.leader(asked)

    def works(self, machine):
        """What needs nodes, through this server."""
        tasks = machine.tasks("web")
        self.assertEqual(len(tasks), 3)
        for task in tasks:
            name = f"web/web.{task['spec']['slot']}"
            harness.wait_for("a command in it", lambda: machine.run("exec", name, "--", "echo", "hi").out == "hi\n")
        self.assertEqual(machine.ok("logs", "--stack", "web").count("here I am"), 3)


class Answers(Servers):
    def test_any_server_answers_for_all(self):
        leader = self.leader()
        for machine in self.machines:
            self.assertEqual(self.members(machine), {one.name: one is leader for one in self.machines})
        one, other = self.others(leader)
        # An image is sent to every node, a stack is written, what runs is looked at: all through who doesn't lead.
        self.up(one)
        for machine in self.machines:
            self.works(machine)
        self.assertEqual(other.ok("servers").splitlines()[0].split(), ["NAME", "LEADS", "ADDRESS", "NOTE"])

        # What was done through one is there through it at once, and through the others soon.
        one.ok("scale", "web/web=2")
        for machine in self.machines:
            harness.wait_for("the scaled service", lambda: len(machine.tasks("web")) == 2)
        job = harness.write(one.folder, "job/compose.yaml", "x-orchion:\n  jobs:\n    greet:\n      image: busybox-test:latest\n"
                            "      command: [echo, hello]\n")
        other.ok("up", "-f", job, "--yes")
        self.assertIn("hello", other.ok("job", "run", "job/greet", "--follow"))

        # A watch by one server tells of what another wrote.
        watch = subprocess.Popen([*other.prefix, str(harness.ORCHION), "events", "--follow", "-o", "json"],
                                 env=other.environment(), stdout=subprocess.PIPE, text=True)
        self.addCleanup(watch.stdout.close)
        self.addCleanup(watch.wait)
        self.addCleanup(watch.kill)
        one.ok("scale", "web/web=3")
        deadline = time.monotonic() + 30 * harness.PATIENCE
        while "web" not in (line := watch.stdout.readline()):
            self.assertLess(time.monotonic(), deadline, line)

    def test_a_stranger_does_not_join(self):
        stranger = lan.Machine(4)
        self.addCleanup(stranger.close)
        done = stranger.run("server", "--advertise", stranger.address, *self.etcd.arguments())
        self.assertEqual(done.code, 1, done)
        self.assertIn("cluster-secret", done.err)
        store = subprocess.run(["grep", "-rl", "PRIVATE KEY", self.etcd.folder / "machine-1"], capture_output=True)
        self.assertEqual(store.stdout, b"", "a key lies in etcd in the clear")


class Faults(Servers):
    def setUp(self):
        super().setUp()
        self.up(self.machines[0])
        self.before = self.lives(self.machines[0])
        self.first = self.leader()
        self.asked = self.others(self.first)[0]

    def check_nothing_happened(self, machine, writer):
        writer.stop()
        print(f"{len(writer.acknowledged)} writes acknowledged, {len(writer.refused)} refused")
        self.assertEqual(writer.refused, [], "who doesn't lead takes writes all the time")
        self.assertGreater(len(writer.acknowledged), 5)
        # Another server than took them sees them soon.
        harness.wait_for("each acknowledged write", lambda: set(writer.acknowledged) <= self.networks(machine))
        self.works(machine)
        self.assertEqual(self.lives(machine), self.before, "a container was touched")

    def test_a_leader_that_is_killed(self):
        writer = Writer(self.asked)
        self.addCleanup(writer.stop)
        begun = time.monotonic()
        self.first.stop(signal.SIGKILL)
        self.follows(self.first, self.asked, begun)
        # The nodes of the servers that are left are back by themselves; the third's has no agent now.
        harness.wait_for("the nodes", lambda: len(lan.ready(self.asked)) >= 2)
        self.first.start()
        harness.wait_for("all nodes", lambda: len(lan.ready(self.asked)) == 3)
        harness.wait_for("three servers", lambda: len(self.members(self.asked)) == 3)
        self.check_nothing_happened(self.first, writer)

    def test_what_runs_were_given_is_there_with_the_next_leader(self):
        text = harness.write(self.asked.folder, "job/compose.yaml", JOB)
        self.asked.ok("up", "-f", text, "--yes")
        given = harness.write(self.asked.folder, "given", "by hand\n")
        said = self.asked.ok("job", "run", "job/read", "--input", f"text={given}", "--follow")
        self.assertIn("by hand", said)
        for machine in self.machines:
            harness.wait_for("a copy on each", lambda: len(list((machine.data / "inputs").glob("*.tar"))) == 1)
        begun = time.monotonic()
        self.first.stop(signal.SIGKILL)
        self.follows(self.first, self.asked, begun)
        harness.wait_for("the nodes", lambda: len(lan.ready(self.asked)) >= 2)
        self.assertIn("by hand", self.asked.ok("job", "retry", "job/read.1", "--follow"))
        self.first.start()

    def test_a_leader_that_stands_still(self):
        writer = Writer(self.asked)
        self.addCleanup(writer.stop)
        begun = time.monotonic()
        self.first.process.send_signal(signal.SIGSTOP)
        second = self.follows(self.first, self.asked, begun)
        while time.monotonic() < begun + 2 * LEASE:
            time.sleep(0.1)
        self.first.process.send_signal(signal.SIGCONT)
        # It doesn't write what it had begun, and is one of the servers again.
        try:
            harness.wait_for("three servers", lambda: len(self.members(self.asked)) == 3)
        except AssertionError as error:
            raise AssertionError(f"{error}; it says\n{self.first.log_tail()}")
        harness.wait_for("the same by its own word", lambda: self.first.run("servers").code == 0 and
                         self.leader(self.first) is second)
        self.assertIn("leads no more", self.first.log.read_text())
        harness.wait_for("all nodes", lambda: len(lan.ready(self.first)) == 3)
        self.check_nothing_happened(self.first, writer)

    def test_a_leader_that_ends_in_order_is_followed_at_once(self):
        begun = time.monotonic()
        self.first.stop()
        harness.wait_for("another leader", lambda: self.leader(self.asked) not in (None, self.first))
        took = time.monotonic() - begun
        print(f"another server leads {took:.1f} s after the end of the first began")
        self.assertLess(took, LEASE, "nobody waits for the end of its lease")
        self.first.start()
        harness.wait_for("all nodes", lambda: len(lan.ready(self.asked)) == 3)
        self.assertEqual(self.lives(self.asked), self.before)

    def test_without_a_majority_of_etcd_all_is_read_and_nothing_written(self):
        lost = self.machines[:2]
        for machine in lost:
            self.etcd.kill(machine)
        refused = self.asked.run("network", "create", "web/refused")
        self.assertNotEqual(refused.code, 0)
        self.assertIn("majority", refused.err)
        self.assertIn("reads and workloads go on", refused.err)
        for machine in self.machines:
            self.assertEqual(self.lives(machine), self.before)
        # Longer than a lease: nobody can be chosen, and nobody gives up.
        begun = time.monotonic()
        while time.monotonic() < begun + LEASE + 2:
            self.assertEqual(self.asked.run("ps").code, 0)
            time.sleep(0.2)
        for machine in lost:
            self.etcd.start(machine)
        harness.wait_for("writes", lambda: self.asked.run("network", "create", "web/later").code == 0)
        harness.wait_for("a leader", lambda: self.leader(self.asked))
        harness.wait_for("all nodes", lambda: len(lan.ready(self.asked)) == 3)
        self.works(self.asked)
        self.assertEqual(self.lives(self.asked), self.before)

    def test_a_node_that_joined_goes_to_another_server(self):
        node = lan.Machine(4)
        self.addCleanup(node.close)
        self.addCleanup(self.asked.run, "stop-all", "--yes")
        node.join(self.first)
        harness.wait_for("four nodes", lambda: len(lan.ready(self.asked)) == 4)
        known = node.data / "agent" / "servers"
        harness.wait_for("the servers' addresses", lambda: known.exists() and len(known.read_text().split()) == 3)
        begun = time.monotonic()
        self.first.stop(signal.SIGKILL)
        self.follows(self.first, self.asked, begun)
        harness.wait_for("the node", lambda: "machine-4" in lan.ready(self.asked))
        self.asked.ok("run", "--name", "there", "-d", "--restart", "no", "busybox-test:latest", "--", "sleep", "1000")
        self.first.start()


class Moving(unittest.TestCase):
    """From one server with SQLite to etcd and back, and a backup."""

    def setUp(self):
        lan.make_wire()
        self.machine = lan.Machine(1)
        self.etcd = etcd.Etcd([self.machine])
        self.addCleanup(self.etcd.close)
        self.addCleanup(self.machine.close)
        self.addCleanup(self.machine.run, "stop-all", "--yes")
        self.machine.start()
        harness.busybox_image(self.machine, "busybox-test:latest")
        file = harness.write(self.machine.folder, "web/compose.yaml", COMPOSE.replace("replicas: 3", "replicas: 1"))
        self.machine.ok("up", "-f", file, "--yes")

    def life(self):
        [task] = self.machine.tasks("web")
        return task["meta"]["uid"], task["status"]["startedAt"]

    def test_the_state_moves_while_what_runs_runs_on(self):
        before, file = self.life(), self.machine.folder / "state"
        running = self.machine.run("store", "export", file)
        self.assertEqual(running.code, 1)
        self.assertIn("already runs", running.err)
        self.machine.stop()
        self.machine.ok("store", "export", file)
        self.assertEqual(file.stat().st_mode & 0o777, 0o600)
        self.machine.ok("store", "import", file, *self.etcd.arguments())
        again = self.machine.run("store", "import", file, *self.etcd.arguments())
        self.assertEqual(again.code, 1, again)
        self.assertIn("there is a state in this store already", again.err)
        plain, self.machine.arguments = self.machine.arguments, self.machine.arguments + self.etcd.arguments()
        self.machine.start()
        harness.wait_for("the task", lambda: self.life() == before)
        self.machine.ok("network", "create", "web/made-on-etcd")

        # And back, where the old state stays beside it.
        self.machine.stop()
        self.machine.ok("store", "export", self.machine.folder / "back", *self.etcd.arguments())
        (self.machine.data / "state.db").rename(self.machine.folder / "old-state.db")
        self.machine.ok("store", "import", self.machine.folder / "back")
        self.machine.arguments = plain
        self.machine.start()
        harness.wait_for("the task", lambda: self.life() == before)
        self.assertIn("made-on-etcd", self.machine.ok("network", "ls"))

    def test_a_backup_restores_a_lost_machine(self):
        before, file = self.life(), self.machine.folder / "backup"
        self.machine.ok("backup", file)
        self.assertEqual(file.stat().st_mode & 0o777, 0o600)
        bookmark = self.machine.json("network", "ls")["revision"]
        self.machine.ok("network", "create", "web/after-the-backup")
        self.machine.stop(signal.SIGKILL)
        for name in ("state.db", "state.db-wal", "state.db-shm", "authority", "cluster-id"):
            path = self.machine.data / name
            shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
        self.machine.ok("restore", file)
        old_token = self.machine.token()
        self.machine.start()
        self.assertEqual(self.machine.token(), old_token, "the token of the machine's own file is its owner's")
        harness.wait_for("the task", lambda: self.life() == before)
        self.assertNotIn("after-the-backup", self.machine.ok("network", "ls"))
        # Bookmarks of the state before it are void: they begin with another epoch.
        now = self.machine.json("network", "ls")["revision"]
        self.assertNotEqual(now.split(".")[0], bookmark.split(".")[0])
        cut = harness.write(self.machine.folder, "cut", "orchion-backup 1\n")
        self.machine.stop()
        damaged = self.machine.run("restore", cut)
        self.assertIn("damaged", damaged.err)
        self.machine.start()


if __name__ == "__main__":
    unittest.main(verbosity=2)
