"""Services one by one: run, stop, start, restart, rm, wait, health."""

import time
import unittest

import harness

COMPOSE = """
services:
  web:
    image: busybox-test:latest
    command: [httpd, -f, -p, "80", -h, /]
    stop_signal: SIGKILL
    environment: {COLOUR: blue}
    deploy: {replicas: 2}
  db:
    image: busybox-test:latest
    command: [sleep, "100000"]
    stop_signal: SIGKILL
    restart: "no"
    healthcheck:
      test: [CMD, ls, /healthy]
      interval: 200ms
      retries: 2
"""


class Services(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.cluster = harness.Cluster().start()
        cls.addClassCleanup(cls.cluster.close)
        harness.busybox_image(cls.cluster, "busybox-test:latest")
        cls.folder = cls.cluster.folder / "shop"
        harness.write(cls.folder, "compose.yaml", COMPOSE)

    def setUp(self):
        self.here("up", "--yes")
        self.addCleanup(self.cluster.run, "down", "--stack", "shop", "--yes")

    def here(self, *arguments):
        return self.cluster.ok(*arguments, cwd=self.folder)

    def refused(self, code, *arguments, cwd=None):
        result = self.cluster.run(*arguments, cwd=cwd)
        self.assertEqual(result.code, code, result.out + result.err)
        self.assertTrue(result.err.strip(), "it says why")
        return result.err

    def running(self, service):
        return {t["meta"]["uid"] for t in self.cluster.tasks("shop")
                if t["spec"]["service"] == service and t["status"]["state"] == "RUNNING"}

    def test_stop_and_start(self):
        others = self.running("db")
        self.here("stop", "web")
        self.assertEqual(self.running("web"), set())
        self.assertEqual(self.running("db"), others)
        self.cluster.ok("start", "shop/web")
        self.assertEqual(len(self.running("web")), 2)
        self.cluster.ok("stop", "shop")
        self.assertEqual(self.running("db") | self.running("web"), set())
        self.assertIn("stopped", self.here("plan"), "a plan says that an apply starts them again")
        self.here("up", "--yes")
        self.assertEqual((len(self.running("web")), len(self.running("db"))), (2, 1))

    def test_restart_replaces_and_up_does_not_do_it_again(self):
        before = self.running("web")
        self.here("restart", "web")
        after = self.running("web")
        self.assertEqual(len(after), 2)
        self.assertEqual(before & after, set())
        self.here("up", "--yes")
        self.assertEqual(self.running("web"), after)

    def test_what_is_not_there(self):
        self.assertIn("shop/nope", self.refused(3, "restart", "shop/nope"))
        self.assertIn("none", self.refused(3, "stop", "none/web"))
        self.assertIn("leave .1 out", self.refused(2, "start", "shop/web.1"))
        self.refused(3, "rm", "shop/nope", "--yes")
        self.refused(2, "rm", "--yes")
        self.refused(3, "wait", "shop/nope")
        self.refused(2, "wait", "shop/web", "--for", "joy")

    def test_health_and_wait(self):
        self.assertEqual(self.cluster.run("wait", "shop/db", "--for", "healthy", "--timeout", "1s").code, 7)
        harness.wait_for("ill health", lambda: "unhealthy" in self.cluster.run("health", "shop").out)
        ill = self.cluster.run("health", "shop")
        self.assertEqual(ill.code, 1)
        self.assertIn("No such file", ill.out, "what the check said")
        self.assertEqual(self.cluster.run("health", "shop/web").code, 0)
        self.here("exec", "db", "--", "sh", "-c", ">/healthy")
        self.here("wait", "db", "--for", "healthy", "--timeout", "10s")
        well = self.here("health")
        self.assertIn("healthy", well)
        self.assertNotIn("unhealthy", well)
        self.here("stop", "-d", "web")
        self.here("wait", "web", "--for", "stopped", "--timeout", "10s")
        self.cluster.ok("rm", "-d", "shop/web", "--yes")
        self.cluster.ok("wait", "shop/web", "--for", "removed", "--timeout", "10s")
        still = self.cluster.run("wait", "db", "--for", "removed", "--timeout", "1s", cwd=self.folder)
        self.assertEqual(still.code, 7, "a bare word is a service of the file that lies here")

    def test_rm(self):
        self.here("rm", "web", "--yes")
        names = {t["spec"]["service"] for t in self.cluster.tasks("shop")}
        self.assertEqual(names, {"db"})

    def test_run_in_front(self):
        out = self.cluster.ok("run", "busybox-test:latest", "--", "echo", "hello")
        self.assertEqual(out, "hello\n")
        failed = self.cluster.run("run", "-e", "WORD=bad", "busybox-test:latest", "--", "sh", "-c",
                                  "echo $WORD >&2; exit 7")
        self.assertEqual((failed.code, failed.out), (7, ""), failed)
        self.assertEqual(failed.err, "bad\n")
        harness.wait_for("the stack to go with its last service",
                         lambda: "default" not in self.cluster.ok("stack", "ls", "-o", "name").split())

    def test_run_a_service_of_the_file(self):
        before = self.running("web") | self.running("db")
        out = self.here("run", "web", "--", "sh", "-c", "echo $COLOUR; wget -q -O - http://web/etc/group")
        self.assertEqual(out, "blue\nroot:x:0:\nweb:x:1000:\n", "its environment, and its network")
        self.assertEqual(self.running("web") | self.running("db"), before)

    def test_run_behind_and_up_leaves_it(self):
        name = self.here("run", "-d", "--name", "probe", "-p", "127.0.0.1:8123:80", "busybox-test:latest", "--", "httpd",
                         "-f", "-p", "80", "-h", "/etc").strip()
        self.assertEqual(name, "shop/probe")
        harness.wait_for("the published port", lambda: harness.fetch("http://127.0.0.1:8123/hostname"))
        self.here("up", "--yes")
        self.assertEqual(len(self.running("probe")), 1, "an apply that doesn't name it leaves it alone")
        self.refused(5, "run", "-d", "--name", "probe", "busybox-test:latest", cwd=self.folder)
        self.cluster.ok("rm", "shop/probe", "--yes")
        self.assertEqual(self.running("probe"), set())

    def test_run_refuses(self):
        self.assertIn("--restart", self.refused(2, "run", "--restart", "maybe", "busybox-test:latest"))
        self.assertIn("volume", self.refused(2, "run", "-v", "data:/data", "busybox-test:latest"))
        missing = self.cluster.run("run", "no-such-image:1", "--", "true", timeout=60)
        self.assertNotEqual(missing.code, 0)
        self.assertIn("no-such-image", missing.err)


if __name__ == "__main__":
    harness.main()
