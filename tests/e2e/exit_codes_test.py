"""Each command ends with the code that docs/reference/exit-codes.md says, against a real server."""

import os
import re
import signal
import subprocess
import unittest

import harness

COMPOSE = """
name: shop
services:
  web:
    image: busybox-test:latest
    command: [sleep, "100000"]
    stop_signal: SIGKILL
x-orchion:
  jobs:
    task:
      image: busybox-test:latest
      command: ["true"]
"""

# Does not end on SIGTERM, so that every wait for its end is long.
SLOW = """
name: slow
services:
  clerk:
    image: busybox-test:latest
    command: [sh, -c, "trap '' TERM; while :; do sleep 1; done"]
    stop_grace_period: 4s
"""

# A call of each command that asks a server for something that is there; FILE is a Compose file's place.
ASKING = {
    "up": ["-f", "FILE"], "plan": ["-f", "FILE"], "down": ["--stack", "shop"], "stop-all": [], "stack ls": [],
    "ps": [], "inspect": ["shop/web"], "scale": ["shop/web=1"], "logs": ["shop/web"],
    "exec": ["shop/web", "--", "true"], "attach": ["shop/web"], "cp": ["shop/web:/etc", "/tmp"],
    "port-forward": ["shop/web", "0:80"], "events": [], "run": ["busybox-test:latest", "--", "true"],
    "restart": ["shop/web"], "stop": ["shop/web"], "start": ["shop/web"], "rm": ["shop/web"],
    "wait": ["shop/web"], "health": ["shop"], "top": [], "node ls": [], "node inspect": ["x"], "node containers": ["x"], "node drain": ["x"],
    "node activate": ["x"], "node invite": [], "node rebalance": [],
    "node taint": ["x", "a:NoSchedule"], "node label": ["x", "a=b"], "node reserve": ["x", "--cpus", "1"], "node rm": ["x"], "image ls": [], "image pull": ["x:1"],
    "image push": ["x:1", "127.0.0.1:5/x:1"], "image import": ["FILE", "x:1"],
    "job run": ["shop/task"], "job ls": [], "job inspect": ["shop/task"], "job history": [], "job cancel": ["shop/task"],
    "job queues": [], "job rm": ["shop/task"], "job retry": ["shop/task"], "job logs": ["shop/task"], "job artifact": ["shop/task", "x"],
    "image save": ["x:1", "-o", "SAVED"], "build": ["-f", "BUILT"], "image tag": ["x:1", "x:2"], "image load": ["-i", "FILE"], "image rm": ["x:1"], "image prune": [],
    "network policy ls": [], "network policy inspect": ["shop/x"], "network policy test": ["shop/web", "shop/web", "80"],
    "route ls": [], "route ca": [], "servers": [], "backup": ["BACKUP"],
    "network ls": [], "network inspect": ["shop/default"], "network create": ["shop/more"], "network rm": ["shop/more"],
    "network connect": ["shop/default", "shop/web", "--alias", "x"], "network disconnect": ["shop/default", "shop/web"],
    "channel ls": [], "channel inspect": ["x"], "channel rm": ["x"], "channel test": ["x"],
    "channel set": ["x", "--webhook", "https://hooks.example.org/x"],
}

# Those that ask nobody, or that answer for themselves where nobody does.
LOCAL = {"restore", "store export", "store import", "config", "init", "explain", "completion", "man", "version", "doctor", "server", "agent", "bench place", "bench cluster", "bench load", "node join",
         "image login", "context ls", "context show", "context add", "context use", "context rm"}

# What isn't there.
MISSING = [
    ["up", "-f", "/nowhere/compose.yaml"], ["plan", "-f", "/nowhere/compose.yaml"],
    ["config", "-f", "/nowhere/compose.yaml"], ["down", "-f", "/nowhere/compose.yaml"], ["down", "--stack", "nope"],
    ["inspect", "nope"], ["inspect", "shop/nope"], ["inspect", "shop/web.9"], ["scale", "nope/web=1"],
    ["scale", "shop/nope=1"], ["logs", "nope/web"], ["logs", "shop/nope"], ["exec", "nope/web", "--", "true"],
    ["attach", "nope/web"], ["attach", "shop/web.9"],
    ["exec", "shop/web.9", "--", "true"], ["cp", "shop/nope:/etc", "/tmp"], ["cp", "shop/web:/nowhere", "/tmp"],
    ["cp", "/nowhere/file", "shop/web:/tmp"], ["port-forward", "shop/nope", "80"], ["restart", "nope/web"],
    ["restart", "shop/nope"], ["stop", "shop/nope"],
    ["start", "shop/nope"], ["rm", "shop/nope"], ["wait", "nope"], ["wait", "shop/nope"], ["health", "nope"],
    ["health", "shop/nope"], ["health", "shop/web.9"], ["node", "inspect", "nope"], ["node", "containers", "nope"], ["node", "drain", "nope"], ["node", "activate", "nope"],
    ["node", "taint", "nope", "a:NoSchedule"], ["node", "label", "nope", "a=b"], ["node", "reserve", "nope", "--cpus", "1"],
    ["node", "rm", "nope"], ["image", "rm", "nope:1"], ["image", "push", "nope:1", "127.0.0.1:5/x:1"],
    ["image", "import", "/nowhere/x.tar", "x:1"], ["image", "load", "-i", "/nowhere/x.tar"],
    ["image", "tag", "nope:1", "x:2"], ["image", "save", "nope:1", "-o", "/tmp/nope.tar"],
    ["build", "-f", "/nowhere/compose.yaml"], ["init", "nope"], ["explain", "healthcheck.nope"],
    ["job", "run", "shop/nope"], ["job", "inspect", "shop/nope"], ["job", "inspect", "shop/nope.1"],
    ["job", "rm", "shop/nope"], ["job", "run", "shop/task", "--input", "x=/nowhere/file"],
    ["job", "cancel", "shop/nope.1"], ["job", "retry", "shop/nope.1"], ["job", "logs", "shop/nope"],
    ["job", "artifact", "shop/nope.1", "x"], ["network", "policy", "inspect", "shop/nope"],
    ["network", "policy", "test", "shop/web", "shop/nope", "80"], ["channel", "inspect", "nope"], ["channel", "rm", "nope"],
    ["channel", "test", "nope"], ["channel", "set", "x", "--slack", "--secret-file", "/nowhere/url"],
    ["network", "inspect", "shop/nope"], ["network", "rm", "shop/nope"], ["network", "rm", "nope/nope"],
    ["network", "connect", "shop/nope", "shop/web"], ["network", "connect", "shop/default", "shop/nope"],
    ["network", "disconnect", "shop/nope", "shop/web"],
    ["restore", "/nowhere/backup"], ["store", "import", "/nowhere/state"],
    ["context", "use", "nope"], ["context", "rm", "nope"], ["ps", "--token-file", "/nowhere/token"],
]


class ExitCodes(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.cluster = harness.Cluster().start()
        cls.addClassCleanup(cls.cluster.close)
        harness.busybox_image(cls.cluster, "busybox-test:latest")
        cls.file = harness.write(cls.cluster.folder / "shop", "compose.yaml", COMPOSE)
        cls.built = harness.write(cls.cluster.folder / "built", "compose.yaml", "services: {web: {build: .}}")
        cls.cluster.ok("up", "-f", cls.file, "--yes")

    def run_here(self, *arguments, env=None):
        """Away from any file, with a folder of its own for contexts."""
        env = {"XDG_CONFIG_HOME": str(self.cluster.folder / "config")} | (env or {})
        return self.cluster.run(*arguments, "--yes", env=env, cwd=self.cluster.folder)

    def expect(self, code, *arguments, env=None):
        result = self.run_here(*arguments, env=env)
        self.assertEqual(result.code, code, f"orchion {' '.join(map(str, arguments))}: {result}")
        if code:
            self.assertRegex(result.err, "(?m)^orchion: ", f"orchion {arguments} says nothing")
        return result

    def asking(self):
        for command, words in ASKING.items():
            with self.subTest(command):
                files = {"FILE": self.file, "BUILT": self.built, "SAVED": self.cluster.folder / "saved.tar",
                         "BACKUP": self.cluster.folder / "backup"}
                yield [*command.split(), *(str(files.get(word, word)) for word in words)]

    def test_the_table_knows_every_command(self):
        def leaves(path=()):
            text = self.cluster.ok(*path, "--help")
            below = re.findall(r"^  (\S+)", text.partition("\nSubcommands:\n")[2], re.MULTILINE)
            return [leaf for name in below for leaf in leaves((*path, name))] if below else [" ".join(path)]
        self.assertEqual(set(leaves()), set(ASKING) | LOCAL)

    def test_6_without_a_server(self):
        for words in self.asking():
            self.expect(6, "--server", f"unix:{self.cluster.folder}/none.sock", *words)
            self.expect(6, "--server", "http://127.0.0.1:4999", *words)
        self.assertEqual(self.run_here("version", "--server", "http://127.0.0.1:4999").code, 0)
        self.assertEqual(self.run_here("doctor", "--server", "http://127.0.0.1:4999").code, 1)

    def test_4_without_a_token_or_with_a_wrong_one(self):
        for words in self.asking():
            for token in ("", "wrong"):
                self.expect(4, "--server", "http://127.0.0.1:4600", *words,
                            env={"ORCHION_TOKEN": token, "ORCHION_DATA": ""})

    def test_3_what_is_not_there(self):
        for words in MISSING:
            with self.subTest(" ".join(words)):
                self.expect(3, *words)
        self.assertEqual(self.run_here("wait", "shop/nope", "--for", "removed").code, 0, "that is what is waited for")

    def test_2_a_wrong_command_line(self):
        for command in (*ASKING, *LOCAL):
            with self.subTest(command):
                self.expect(2, *command.split(), "--no-such-option")
        for words in (["down"], ["logs"], ["restart"], ["scale", "web=1"], ["exec", "a/b/c", "--", "true"],
                      ["attach", "a/b/c"], ["attach", "shop/web", "--detach-keys", "ctrl-1"], ["cp", "a", "b"],
                      ["cp", "a/b/c:/x", "."], ["port-forward", "shop/web", "0"],
                      ["logs", "shop/web", "--grep", "("], ["channel", "set", "x"],
                      ["network", "policy", "test", "shop/web", "shop/web", "http"],
                      ["channel", "set", "x", "--slack", "--discord"]):
            with self.subTest(" ".join(words)):
                self.expect(2, *words)

    def test_5_what_is_there_already(self):
        folder = self.cluster.folder / "site"
        self.assertEqual(self.run_here("init", "static-site", "--dir", folder).code, 0)
        self.expect(5, "init", "static-site", "--dir", folder)
        self.assertEqual(self.run_here("context", "add", "nas", "http://127.0.0.1:4600").code, 0)
        self.expect(5, "context", "add", "nas", "http://127.0.0.1:4600")
        self.expect(5, "run", "-d", "--stack", "shop", "--name", "web", "busybox-test:latest")

    def test_1_what_fails(self):
        broken = harness.write(self.cluster.folder / "broken", "compose.yaml", "services: [")
        for command in ("up", "plan", "config", "down", "ps", "health"):
            self.expect(1, command, "-f", broken)
        self.expect(1, "image", "rm", "busybox-test:latest")
        self.expect(1, "image", "import", broken, "x:1")
        self.expect(1, "run", "nowhere.invalid/none:1", "--", "true")
        ill = harness.write(self.cluster.folder / "ill", "compose.yaml", COMPOSE.replace("shop", "ill").replace(
            "[sleep, \"100000\"]", "[/nowhere]\n    restart: \"no\""))
        self.addCleanup(self.run_here, "down", "--stack", "ill")
        self.expect(1, "up", "-f", ill)
        self.expect(1, "health", "ill")
        self.expect(1, "wait", "ill")

    def test_7_what_takes_too_long(self):
        file = harness.write(self.cluster.folder / "slow", "compose.yaml", SLOW)
        self.cluster.ok("up", "-f", file, "--yes")
        self.addCleanup(self.run_here, "down", "--stack", "slow")
        for condition in ("completed", "stopped", "removed"):
            self.expect(7, "wait", "shop/web", "--for", condition, "--timeout", "200ms")
        self.expect(7, "run", "--timeout", "0s", "busybox-test:latest", "--", "sleep", "5")
        self.expect(7, "restart", "slow", "--timeout", "200ms")
        self.expect(7, "stop", "slow", "--timeout", "200ms")
        self.cluster.ok("start", "slow")
        file.write_text(SLOW.replace("sleep 1", "sleep 2"))
        self.expect(7, "up", "-f", file, "--timeout", "200ms")
        self.cluster.ok("up", "-f", file, "--yes")
        self.expect(7, "rm", "slow/clerk", "--timeout", "200ms")
        self.cluster.ok("wait", "slow/clerk", "--for", "removed")
        self.cluster.ok("up", "-f", file, "--yes")
        self.expect(7, "down", "--stack", "slow", "--timeout", "200ms")

    def test_10_a_plan_with_changes_and_the_code_of_what_was_run(self):
        self.assertEqual(self.run_here("plan", "-f", self.file, "--exit-code").code, 0)
        other = harness.write(self.cluster.folder / "other", "compose.yaml", COMPOSE.replace("shop", "other"))
        self.assertEqual(self.run_here("plan", "-f", other, "--exit-code").code, 10)
        self.assertEqual(self.run_here("exec", "shop/web", "--", "sh", "-c", "exit 9").code, 9)
        self.assertEqual(self.run_here("run", "busybox-test:latest", "--", "sh", "-c", "exit 9").code, 9)

    def test_130_what_is_interrupted(self):
        for words in (["logs", "-f", "shop/web"], ["attach", "shop/web"], ["events", "-f"],
                      ["port-forward", "shop/web", "0:80"], ["wait", "shop/web", "--for", "stopped"]):
            with self.subTest(" ".join(words)):
                process = subprocess.Popen([harness.ORCHION, *words], env=self.cluster.environment(),
                                           stdout=subprocess.PIPE, stderr=subprocess.STDOUT, cwd=self.cluster.folder)
                # It waits for the server: from then on it listens for signals.
                harness.wait_for("its connection", lambda: any(
                    os.readlink(f"/proc/{process.pid}/fd/{fd}").startswith("socket:")
                    for fd in os.listdir(f"/proc/{process.pid}/fd")))
                process.send_signal(signal.SIGINT)
                process.communicate(timeout=10)
                self.assertEqual(process.returncode, 130)


if __name__ == "__main__":
    harness.main()
