"""Networks by command: made, joined, left and removed while services run, and shared by two stacks."""

import json
import unittest

import harness

COMPOSE = """
services:
  web:
    image: busybox-test:latest
    command: [httpd, -f, -p, "80", -h, /www]
    stop_signal: SIGKILL
    networks: [front]
  db:
    image: busybox-test:latest
    command: [httpd, -f, -p, "80", -h, /www]
    stop_signal: SIGKILL
    networks: [back]
networks:
  front: {}
  back: {}
"""

OTHER = """
services:
  app:
    image: busybox-test:latest
    command: [sleep, "100000"]
    stop_signal: SIGKILL
    networks: [default, theirs]
networks:
  theirs: {external: true, name: shop/back}
"""


class NetworkCommands(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.cluster = harness.Cluster().start()
        cls.addClassCleanup(cls.cluster.close)
        harness.busybox_image(cls.cluster, "busybox-test:latest")
        cls.folder = cls.cluster.folder / "shop"
        harness.write(cls.folder, "compose.yaml", COMPOSE)
        harness.write(cls.cluster.folder / "app", "compose.yaml", OTHER)

    def setUp(self):
        self.here("up", "--yes")
        self.addCleanup(self.forget)

    def forget(self):
        for stack in ("app", "lab", "shop"):
            self.cluster.run("down", "--stack", stack, "--yes")
        harness.wait_for("all networks to go", lambda: self.cluster.ok("network", "ls", "-o", "name") == "")

    def here(self, *arguments):
        return self.cluster.ok(*arguments, cwd=self.folder)

    def refused(self, code, *arguments, cwd=None):
        result = self.cluster.run(*arguments, cwd=cwd)
        self.assertEqual(result.code, code, result)
        self.assertRegex(result.err, "(?m)^orchion: ")
        return result.err

    def reaches(self, who, name):
        return self.cluster.run("exec", who, "--", "timeout", "2", "wget", "-q", "-O", "-", f"http://{name}/").out == "ok\n"

    def uids(self, service):
        return {t["meta"]["uid"] for t in self.cluster.tasks("shop")
                if t["spec"]["service"] == service and t["status"]["state"] == "RUNNING"}

    def test_what_there_is(self):
        table = self.cluster.ok("network", "ls").splitlines()
        self.assertEqual(table[0].split(), ["NETWORK", "SUBNET", "IPV6", "INTERNAL", "SERVICES", "TASKS", "NOTE"])
        self.assertEqual([(row[0], row[3:6]) for row in map(str.split, table[1:])],
                         [("shop/back", ["no", "1", "1"]), ("shop/front", ["no", "1", "1"])])
        self.assertIn("GATEWAY", self.cluster.ok("network", "ls", "-o", "wide"))
        self.assertEqual(self.cluster.ok("network", "ls", "-o", "name"), "shop/back\nshop/front\n")
        back = self.cluster.json("network", "inspect", "shop/back")
        self.assertEqual([s["service"] for s in back["services"]], ["shop/db"])
        (task,) = back["tasks"]
        self.assertEqual((task["task"], task["state"]), ("shop/db.1", "RUNNING"))
        inside = self.cluster.ok("exec", "shop/db.1", "--", "ip", "-4", "addr")
        self.assertIn(task["address"] + "/", inside)
        self.assertIn("task: shop/db.1", self.here("network", "inspect", "back"))
        words = self.cluster.ok("__complete", "network", "inspect", "shop/b").split()
        self.assertEqual(words, ["shop/back"])

    def test_a_running_service_joins_and_leaves(self):
        self.assertFalse(self.reaches("shop/web", "db"), "two networks are apart")
        self.cluster.ok("network", "create", "shop/meet", "--subnet", "10.77.0.0/24", "--label", "team=shop")
        meet = self.cluster.json("network", "inspect", "shop/meet")
        self.assertEqual((meet["spec"]["subnet"], meet["spec"]["labels"]), ("10.77.0.0/24", {"team": "shop"}))
        before = self.uids("db")
        self.here("network", "connect", "meet", "db", "--alias", "store")
        after = self.uids("db")
        self.assertEqual((len(after), before & after), (1, set()), "its task was replaced")
        self.here("network", "connect", "meet", "web")
        harness.wait_for("by its alias", lambda: self.reaches("shop/web", "store"))
        harness.wait_for("by its name", lambda: self.reaches("shop/web", "db"))
        harness.wait_for("the way to web", lambda: self.reaches("shop/db", "web"))
        self.assertTrue(all(t["address"].startswith("10.77.0.") for t in
                            self.cluster.json("network", "inspect", "shop/meet")["tasks"]))
        self.here("network", "connect", "meet", "db", "--alias", "store")
        self.assertEqual(self.uids("db"), after, "the same again is no change")

        used = self.refused(1, "network", "rm", "shop/meet")
        self.assertIn("network shop/meet is used by shop/db, shop/web: take each out of it", used)
        self.here("network", "disconnect", "meet", "web")
        self.assertFalse(self.reaches("shop/web", "store"))
        self.here("network", "disconnect", "meet", "db")
        self.here("network", "rm", "meet")
        harness.wait_for("it to go", lambda: "shop/meet" not in self.cluster.ok("network", "ls", "-o", "name"))
        self.assertEqual(self.refused(3, "network", "rm", "shop/meet"),
                         "orchion: there is no network shop/meet: see `orchion network ls`\n")

    def test_a_network_of_its_own_outlives_the_file(self):
        self.cluster.ok("network", "create", "shop/meet")
        self.here("network", "connect", "meet", "db")
        self.here("up", "--yes")
        names = self.cluster.ok("network", "ls", "-o", "name").split()
        self.assertIn("shop/meet", names, "an apply leaves it")
        self.assertEqual(self.cluster.json("network", "inspect", "shop/meet")["services"], [],
                         "and what the file says of its services holds again")
        self.cluster.ok("network", "create", "lab/net", "--internal")
        self.assertIn("lab", self.cluster.ok("stack", "ls", "-o", "name").split())
        self.cluster.ok("network", "rm", "lab/net")
        harness.wait_for("its stack to go", lambda: "lab" not in self.cluster.ok("stack", "ls", "-o", "name").split())

    def test_what_is_refused_says_what_to_do(self):
        self.assertIn("there is a network shop/back already", self.refused(5, "network", "create", "shop/back"))
        self.assertIn("127.0.0.0/8, which is the loopback",
                      self.refused(1, "network", "create", "shop/x", "--subnet", "127.0.0.0/16"))
        subnet = self.cluster.json("network", "inspect", "shop/back")["status"]["subnet"]
        self.assertIn(f"overlaps {subnet} of network shop/back: choose another",
                      self.refused(1, "network", "create", "lab/x", "--subnet", subnet))
        self.assertIn("is in no network but shop/back: connect it to another first",
                      self.refused(1, "network", "disconnect", "shop/back", "shop/db"))
        self.assertIn("isn't in network shop/front", self.refused(3, "network", "disconnect", "shop/front", "shop/db"))
        self.assertIn("write STACK/NETWORK", self.refused(2, "network", "inspect", "a/b/c"))
        self.assertIn("which stack?", self.refused(2, "network", "inspect", "back"))
        file = harness.write(self.cluster.folder / "spare", "compose.yaml",
                             COMPOSE + "  spare: {}\n")
        self.cluster.ok("up", "-f", file, "--stack", "shop", "--yes")
        self.assertIn("belongs to the file of stack shop", self.refused(1, "network", "rm", "shop/spare"))
        moved = harness.write(self.cluster.folder / "moved", "compose.yaml",
                              COMPOSE.replace("back: {}", "back: {ipam: {config: [{subnet: 10.78.0.0/24}]}}"))
        self.assertIn(f"network shop/back keeps its subnet {subnet}",
                      self.refused(1, "up", "-f", moved, "--stack", "shop", "--yes"))

    def test_a_second_stack_joins(self):
        app = self.cluster.folder / "app"
        missing = harness.write(self.cluster.folder / "missing", "compose.yaml", OTHER.replace("shop/back", "shop/nope"))
        self.assertIn("there is no network shop/nope: see `orchion network ls`",
                      self.refused(1, "up", "-f", missing, "--stack", "app", "--yes"))
        self.cluster.ok("up", "--yes", cwd=app)
        harness.wait_for("the other stack's service by its name", lambda: self.reaches("app/app", "db"))
        users = self.cluster.json("network", "inspect", "shop/back")
        self.assertEqual([s["service"] for s in users["services"]], ["app/app", "shop/db"])
        self.assertEqual(sorted(t["task"] for t in users["tasks"]), ["app/app.1", "shop/db.1"])
        self.assertFalse(self.reaches("app/app", "web"), "only what is in the network they share")
        self.cluster.ok("network", "connect", "shop/front", "app/app")
        harness.wait_for("the way to web", lambda: self.reaches("app/app", "web"))
        self.assertIn("is used by app/app, shop/web", self.refused(1, "network", "rm", "shop/front"))
        printed = self.cluster.ok("config", "-f", app / "compose.yaml")
        self.assertIn("name: shop/back", printed)
        self.cluster.ok("down", "--stack", "app", "--yes")
        self.assertEqual(json.loads(self.cluster.ok("network", "inspect", "shop/back", "-o", "json"))["services"][0]
                         ["service"], "shop/db")


if __name__ == "__main__":
    harness.main()
