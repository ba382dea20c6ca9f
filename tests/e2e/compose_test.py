"""What a Compose file says, seen from inside the containers it makes."""

import unittest

import harness

COMPOSE = """
name: keys
include: [parts/db.yaml]
services:
  web:
    extends: {file: parts/base.yaml, service: common}
    command: ["sleep", "1000"]
    container_name: the_web
    domainname: example.com
    extra_hosts: ["elsewhere:10.1.2.3", "gate=host-gateway"]
    dns_opt: ["ndots:1"]
    ulimits: {nofile: {soft: 64, hard: 128}}
    sysctls: {net.core.somaxconn: 77}
    shm_size: 8m
    tmpfs: ["/scratch:size=1m,mode=0700"]
    group_add: [web, 4242]
    init: true
    security_opt: ["no-new-privileges:false"]
    secrets: [key, {source: key, target: /other, mode: 0400, uid: "7"}]
    configs: [{source: app, target: /etc/app.conf}]
    volumes: ["db_data:/shared", "/anonymous"]
    depends_on: {my_db: {condition: service_healthy}, missing: {condition: service_started, required: false}}
  alone:
    image: box
    network_mode: none
    command: ["sleep", "1000"]
  out:
    image: box
    network_mode: host
    command: ["sleep", "1000"]
  later: {image: box, profiles: [later], command: ["sleep", "1000"]}
secrets: {key: {environment: THE_KEY}}
configs: {app: {content: "mode=${MODE:-plain}\\n"}}
volumes: {db_data: }
"""

BASE = """
services:
  common: {image: box, environment: {COMMON: "1"}, env_file: base.env}
"""

# Healthy once its file is there, which takes a moment.
DB = """
services:
  my_db:
    image: box
    command: ["sh", "-c", "sleep 1; touch /tmp/up; exec sleep 1000"]
    healthcheck: {test: test -e /tmp/up, interval: 2s, retries: 2}
"""


class Compose(unittest.TestCase):
    def setUp(self):
        self.cluster = harness.Cluster().start()
        self.addCleanup(self.cluster.close)
        harness.busybox_image(self.cluster, "box", applets=(
            "sh", "sleep", "cat", "ls", "id", "touch", "test", "df", "stat", "nslookup", "readlink", "rm", "echo", "ip"))
        folder = self.cluster.folder / "project"
        (folder / "parts").mkdir(parents=True)
        (folder / "compose.yaml").write_text(COMPOSE)
        (folder / "parts" / "base.yaml").write_text(BASE)
        (folder / "parts" / "base.env").write_text("FROM_FILE=base\n")
        (folder / "parts" / "db.yaml").write_text(DB)
        self.folder = folder

    def up(self, *arguments):
        return self.cluster.run("up", "--yes", *arguments, cwd=self.folder, env={"THE_KEY": "hunter2-e2e"})

    def inside(self, service, script):
        return self.cluster.ok("exec", f"keys/{service}", "--", "sh", "-c", script)

    def left(self):
        """What is on the host, but for the folder that every exec shares."""
        state = harness.host_state(self.cluster)
        state["run"] = [path for path in state["run"] if not path.endswith("/exec")]
        return state

    def test_keys_show_inside(self):
        before = self.left()
        out = self.up()
        self.assertEqual(out.code, 0, out)
        self.assertNotIn("hunter2-e2e", out.out + out.err)
        self.assertEqual({t["spec"]["service"] for t in self.cluster.tasks("keys")}, {"web", "my-db", "alone", "out"})

        self.assertEqual(self.inside("web", "echo $COMMON $FROM_FILE"), "1 base\n")
        self.assertEqual(self.inside("web", "cat /run/secrets/key; cat /etc/app.conf"), "hunter2-e2emode=plain\n")
        self.assertEqual(self.inside("web", "stat -c '%a %u' /run/secrets/key /other"), "444 0\n400 7\n")
        self.assertEqual(self.inside("web", "ulimit -Sn; ulimit -Hn"), "64\n128\n")
        self.assertEqual(self.inside("web", "cat /proc/sys/net/core/somaxconn /proc/sys/kernel/domainname"),
                         "77\nexample.com\n")
        self.assertIn(" 8192 ", self.inside("web", "df -k /dev/shm"))
        hosts = self.inside("web", "cat /etc/hosts /etc/resolv.conf")
        self.assertIn("10.1.2.3\telsewhere\n", hosts)
        self.assertIn("\tgate\n", hosts)
        self.assertIn("options ndots:1\n", hosts)
        self.assertIn("4242", self.inside("web", "id -G"))
        self.assertIn("NoNewPrivs:\t0", self.inside("web", "cat /proc/self/status"))
        self.assertIn("/dev/orchion-init", self.inside("web", "cat /proc/1/cmdline"))
        # Services are found by the names the file has, and by their container's.
        self.inside("my-db", "nslookup the_web. > /dev/null")
        self.inside("web", "nslookup my_db. > /dev/null; touch /shared/x /anonymous/x")
        self.assertEqual(self.inside("alone", "ls /sys/class/net"), "lo\n")
        self.assertEqual(self.inside("out", "readlink /proc/self/ns/net"),
                         harness.subprocess.run(["readlink", "/proc/self/ns/net"], capture_output=True,
                                                text=True).stdout)

        for answer in (self.cluster.ok("inspect", "keys/web"), self.cluster.request("GET", "/v1/stacks/keys")[2]):
            self.assertNotIn("hunter2-e2e", answer)
            self.assertNotIn("aHVudGVyMi1lMmU", answer, "nor as base64")
        again = self.up()
        self.assertEqual(again.code, 0, again)
        self.assertIn("keys: no changes", again.err)

        self.cluster.ok("down", "--stack", "keys", "--volumes", "--yes")
        try:
            harness.wait_for("nothing to be left", lambda: self.left() == before, seconds=5)
        except AssertionError:
            self.maxDiff = None
            self.assertEqual(self.left(), before)

    def test_what_depends_on_health_waits_for_it(self):
        out = self.up()
        self.assertEqual(out.code, 0, out)
        tasks = {t["spec"]["service"]: t for t in self.cluster.tasks("keys")}
        self.assertEqual(tasks["my-db"]["status"]["health"], "HEALTH_GOOD")
        self.assertGreater(tasks["web"]["status"]["startedAt"], tasks["my-db"]["status"]["startedAt"])

        self.inside("my-db", "rm /tmp/up")

        def health():
            status = {t["spec"]["service"]: t["status"] for t in self.cluster.tasks("keys")}["my-db"]
            return status if status["health"] == "HEALTH_BAD" else None
        status = harness.wait_for("the health check to fail twice", health, seconds=20)
        self.assertIn("exit code 1", status["healthMessage"])
        self.assertEqual(status["state"], "RUNNING")

    def test_profiles_and_files_outside(self):
        self.assertEqual(self.up("--profile", "later").code, 0)
        self.assertIn("later", {t["spec"]["service"] for t in self.cluster.tasks("keys")})
        (self.folder.parent / "outside.yaml").write_text("services: {far: {image: box, command: [sleep, '9']}}")
        (self.folder / "compose.yaml").write_text("include: [../outside.yaml]")
        refused = self.cluster.run("config", cwd=self.folder)
        self.assertEqual(refused.code, 1, refused)
        self.assertIn("--allow-outside-files", refused.err)
        self.assertIn("far:", self.cluster.ok("config", "--allow-outside-files", cwd=self.folder))


if __name__ == "__main__":
    harness.main()
