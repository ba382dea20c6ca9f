"""Each command of the command line, as a user types it."""

import json
import os
import pathlib
import pty
import re
import select
import subprocess
import time
import unittest

import harness

COMPOSE = """
services:
  web:
    image: busybox-test:latest
    command: [sh, -c, "echo started $$HOSTNAME; echo oops >&2; exec httpd -f -p 80 -h /www"]
    stop_signal: SIGKILL
    environment: {COLOUR: blue}
    labels: {tier: front}
  db:
    image: busybox-test:latest
    command: [sleep, "100000"]
    stop_signal: SIGKILL
    volumes: ["data:/data"]
volumes:
  data:
"""


# Does not end on SIGTERM.
SLOW = """
name: slow
services:
  clerk:
    image: busybox-test:latest
    command: ["sh", "-c", "trap '' TERM; while :; do sleep 1; done"]
    stop_grace_period: 3s
"""


class CommandLine(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.cluster = harness.Cluster().start()
        cls.addClassCleanup(cls.cluster.close)
        harness.busybox_image(cls.cluster, "busybox-test:latest")

    def setUp(self):
        self.folder = self.cluster.folder / "shop"
        self.file = harness.write(self.folder, "compose.yaml", COMPOSE)
        self.cluster.ok("up", "-f", self.file, "--yes")
        self.addCleanup(self.cluster.run, "down", "--stack", "shop", "--volumes", "--yes")

    def by_service(self, service):
        return [t for t in self.cluster.tasks("shop") if t["spec"]["service"] == service]

    def test_ps_and_inspect(self):
        table = self.cluster.ok("ps", "--stack", "shop")
        self.assertIn("shop/web.1", table)
        self.assertIn("RUNNING", table.upper())
        beside = self.cluster.ok("ps", cwd=self.folder)
        self.assertIn("shop/db.1", beside)
        printed = self.cluster.ok("ps", "--stack", "shop", "-o", "json")
        status, _, body = self.cluster.request("GET", "/v1/tasks?stack=shop")
        self.assertEqual(status, 200)
        strip = lambda text: re.sub(r'"revision":"[^"]*\."?', "", text)
        self.assertEqual(json.loads(printed)["tasks"], json.loads(body)["tasks"], "-o json is what REST returns")
        stack = json.loads(self.cluster.ok("inspect", "shop", "-o", "json"))
        self.assertEqual([s["name"] for s in stack["spec"]["services"]], ["web", "db"])
        self.assertEqual(json.loads(self.cluster.ok("inspect", "web", "-o", "json", cwd=self.folder))["meta"]["name"],
                         "web", "beside the file a bare word is its service")
        inspected = self.cluster.ok("inspect", "shop/web", "-o", "json")
        self.assertEqual(json.loads(inspected)["meta"]["name"], "web")
        self.assertNotIn("blue", inspected, "environment values are secret")

    def test_what_takes_its_time_to_stop_is_still_shown(self):
        file = harness.write(self.cluster.folder / "slow", "compose.yaml", SLOW)
        self.addCleanup(self.cluster.run, "down", "--stack", "slow", "--yes")
        self.cluster.ok("up", "-f", file, "--yes")
        self.cluster.ok("scale", "slow/clerk=0")
        self.assertIn("slow/clerk.1", self.cluster.ok("ps", "--stack", "slow"))
        harness.wait_for("its end", lambda: "clerk" not in self.cluster.ok("ps", "--stack", "slow"))

    def test_logs(self):
        out = harness.wait_for("the first lines", lambda: (lambda o: o if "oops" in o else None)(
            self.cluster.ok("logs", "--stack", "shop")))
        self.assertIn("started", out)
        self.assertEqual(self.cluster.ok("logs", "shop/web", "--grep", "^oo").count("oops"), 1)
        self.assertNotIn("started", self.cluster.ok("logs", "shop/web", "--tail", "1"))
        self.assertEqual(self.cluster.ok("logs", "shop/web", "--since", "0s").strip(), "")

    def test_logs_of_several_tasks_come_in_the_order_of_time(self):
        for i in range(6):
            self.cluster.ok("exec", f"shop/{('web', 'db')[i % 2]}", "--", "sh", "-c", f"echo turn {i} > /proc/1/fd/1")
        turns = [f"turn {i}" for i in range(6)]

        def printed(*arguments):
            return [line.split(" | ")[1] for line in self.cluster.ok("logs", "--stack", "shop", *arguments).splitlines()
                    if "turn" in line]
        harness.wait_for("the last line", lambda: printed()[-1:] == turns[-1:])
        self.assertEqual(printed(), turns)
        self.assertEqual(printed("--tail", "2"), turns[2:], "the last two of each task")
        follow = subprocess.Popen([harness.ORCHION, "logs", "-f", "--stack", "shop", "--grep", "turn"],
                                  stdout=subprocess.PIPE, env=self.cluster.environment(), text=True)
        self.addCleanup(follow.stdout.close)
        self.addCleanup(follow.wait, 10)
        self.addCleanup(follow.terminate)
        self.assertEqual([follow.stdout.readline().split(" | ")[1].strip() for _ in turns], turns)

    def test_a_log_past_its_cap_keeps_the_newest_whole(self):
        # 60 MB against a cap of 100 kB, compressed or not: what is kept is a run of whole lines, numbered without a gap, up
        # to the last.
        count = 600_000
        file = harness.write(self.cluster.folder / "flood", "compose.yaml", f"""
services:
  flood:
    image: busybox-test:latest
    command: [sh, -c, "seq -w 1 {count} | busybox sed 's/.*/line & {'x' * 88}/'"]
    logging: {{options: {{max-size: 100k}}}}
""")
        self.cluster.ok("up", "-f", file, "--yes")
        self.addCleanup(self.cluster.run, "down", "--stack", "flood", "--yes")
        harness.wait_for("its end", lambda: self.cluster.tasks("flood")[0]["status"]["state"] == "SUCCEEDED",
                         seconds=60)
        lines = self.cluster.ok("logs", "flood/flood").splitlines()
        whole = re.compile(r"flood\.1 \| line (\d{6}) x{88}")
        self.assertEqual([line for line in lines if not whole.fullmatch(line)], [])
        numbers = [int(whole.fullmatch(line).group(1)) for line in lines]
        self.assertEqual(numbers, list(range(numbers[0], count + 1)))
        self.assertGreater(numbers[0], 1)
        self.assertGreater(len(numbers), 200)
        folders = list(self.cluster.data.glob("**/logs/*/*.log"))
        self.assertLess(sum(f.stat().st_size for f in folders), 150_000, "the cap is the disk's")

    def test_logs_follow(self):
        follow = subprocess.Popen([harness.ORCHION, "logs", "-f", "shop/web"], stdout=subprocess.PIPE,
                                  stderr=subprocess.DEVNULL, env=self.cluster.environment(), text=True)
        self.addCleanup(follow.stdout.close)
        self.addCleanup(follow.wait, 10)
        self.addCleanup(follow.terminate)
        self.assertIn("started", follow.stdout.readline())
        self.assertIn("oops", follow.stdout.readline())
        self.cluster.ok("exec", "shop/web", "--", "sh", "-c", "echo later > /proc/1/fd/1")
        self.assertIn("later", follow.stdout.readline())

    def test_exec(self):
        self.assertEqual(self.cluster.ok("exec", "shop/web", "--", "sh", "-c", "echo $COLOUR"), "blue\n")
        self.assertEqual(self.cluster.run("exec", "shop/web", "--", "sh", "-c", "exit 7").code, 7)
        fed = self.cluster.run("exec", "-i", "shop/web", "--", "cat", stdin="through the pipe")
        self.assertEqual(fed.out, "through the pipe")
        missing = self.cluster.run("exec", "shop/nothing", "--", "true")
        self.assertEqual(missing.code, 3, missing)

    def test_exec_on_a_terminal(self):
        pid, fd = pty.fork()
        if pid == 0:
            os.execve(harness.ORCHION, [str(harness.ORCHION), "exec", "-it", "shop/web", "--", "sh"],
                      dict(self.cluster.environment(), TERM="xterm"))
        seen = b""

        def read_until(needle):
            nonlocal seen
            deadline = time.monotonic() + 20
            while needle not in seen:
                self.assertLess(time.monotonic(), deadline, seen)
                if select.select([fd], [], [], 0.5)[0]:
                    seen += os.read(fd, 4096)
        read_until(b"#")
        os.write(fd, b"test -t 0 && echo a-$((40+2))-tty; exit 5\n")
        read_until(b"a-42-tty")
        _, status = os.waitpid(pid, 0)
        self.assertEqual(os.waitstatus_to_exitcode(status), 5)
        os.close(fd)

    def test_plan_then_only_what_changed_is_replaced(self):
        before = {t["spec"]["service"]: t["meta"]["uid"] for t in self.cluster.tasks("shop")}
        same = self.cluster.ok("plan", "-f", self.file)
        self.assertIn("no changes", same.lower())
        self.file.write_text(COMPOSE.replace("blue", "green"))
        plan = self.cluster.ok("plan", "-f", self.file)
        self.assertIn("web", plan)
        self.assertNotIn("green", plan, "values of the environment are secret")
        self.assertEqual({t["spec"]["service"]: t["meta"]["uid"] for t in self.cluster.tasks("shop")}, before)
        self.cluster.ok("up", "-f", self.file, "--yes")
        after = {t["spec"]["service"]: t["meta"]["uid"] for t in self.cluster.tasks("shop")}
        self.assertEqual(after["db"], before["db"])
        self.assertNotEqual(after["web"], before["web"])
        self.assertEqual(self.cluster.ok("exec", "shop/web", "--", "sh", "-c", "echo $COLOUR"), "green\n")

    def test_scale(self):
        self.cluster.ok("scale", "shop/web=3")
        harness.wait_for("three", lambda: len([t for t in self.by_service("web")
                                               if t.get("status", {}).get("state") == "RUNNING"]) == 3)
        self.cluster.ok("scale", "shop/web=1")
        harness.wait_for("one", lambda: len(self.by_service("web")) == 1)

    def test_volumes_survive_until_they_are_removed(self):
        self.cluster.ok("exec", "shop/db", "--", "sh", "-c", "echo kept > /data/file")
        self.cluster.ok("down", "--stack", "shop", "--yes")
        self.cluster.ok("up", "-f", self.file, "--yes")
        self.assertEqual(self.cluster.ok("exec", "shop/db", "--", "cat", "/data/file"), "kept\n")
        self.cluster.ok("down", "--stack", "shop", "--volumes", "--yes")
        self.cluster.ok("up", "-f", self.file, "--yes")
        self.assertNotEqual(self.cluster.run("exec", "shop/db", "--", "cat", "/data/file").code, 0)

    def test_nodes(self):
        node = self.cluster.json("node", "ls")["nodes"][0]
        name = node["meta"]["name"]
        self.assertGreater(int(node["status"]["capabilities"]["memoryBytes"]), 0)
        self.cluster.ok("node", "inspect", name)
        self.cluster.ok("node", "drain", name)
        self.addCleanup(self.cluster.run, "node", "activate", name)
        harness.wait_for("the tasks to leave", lambda: not [t for t in self.cluster.tasks("shop")
                                                            if t.get("status", {}).get("state") == "RUNNING"])
        waiting = harness.wait_for("an explanation", lambda: [t["spec"].get("placementMessage")
                                                              for t in self.cluster.tasks("shop")
                                                              if t["spec"].get("placementMessage")])
        self.assertIn("0 of 1 node: 1 is drained", waiting[0])
        self.cluster.ok("node", "activate", name)
        harness.wait_for("the tasks to come back", lambda: len([t for t in self.cluster.tasks("shop")
                                                                if t.get("status", {}).get("state") == "RUNNING"]) == 2)
        refused = self.cluster.run("node", "rm", name)
        self.assertNotEqual(refused.code, 0)
        self.assertIn("drain", refused.err)

    def test_a_node_that_is_taken_out_with_tasks_comes_back_without_them(self):
        name = self.cluster.json("node", "ls")["nodes"][0]["meta"]["name"]
        former = {t["meta"]["uid"]: t["status"]["pid"] for t in self.cluster.tasks("shop")}
        self.assertEqual(self.cluster.run("node", "rm", name).code, 1)
        self.assertEqual({t["meta"]["uid"] for t in self.cluster.tasks("shop")}, set(former))
        self.cluster.ok("node", "rm", name, "--force")

        def replaced():
            tasks = [t for t in self.cluster.tasks("shop") if t.get("status", {}).get("state") == "RUNNING"]
            return len(tasks) == 2 and not set(former) & {t["meta"]["uid"] for t in tasks}
        harness.wait_for("the replacements, when its agent has joined again", replaced)
        harness.wait_for("the former containers to end",
                         lambda: not any(pathlib.Path(f"/proc/{pid}").exists() for pid in former.values()))

    def test_bash_completes_commands_and_names(self):
        def completed(line):
            script = (f'PATH={harness.ORCHION.parent}:$PATH; source <(orchion completion bash); COMP_LINE="$1"; '
                      'COMP_POINT=${#1}; COMP_WORDS=($1); COMP_CWORD=$((${#COMP_WORDS[@]} - 1)); _orchion; '
                      'printf "%s\\n" "${COMPREPLY[@]}"')
            return subprocess.run(["bash", "-c", script, "-", line], check=True, capture_output=True, text=True,
                                  env=self.cluster.environment()).stdout.split()
        self.assertEqual(completed("orchion sca"), ["scale"])
        self.assertEqual(completed("orchion node dr"), ["drain"])
        self.assertEqual(completed("orchion ps -o "), ["table", "wide", "json", "yaml", "name", "template="])
        self.assertEqual(completed("orchion logs shop/w"), ["shop/web", "shop/web.1"])
        self.assertEqual(completed("orchion image rm busybox-test:l"), ["latest"], "readline breaks words at colons")
        self.assertEqual(completed("orchion --server unix:/nowhere logs shop/w"), [])

    def test_events_and_stack_ls(self):
        self.assertIn("shop", self.cluster.ok("stack", "ls"))
        events = self.cluster.json("events")["events"]
        self.assertTrue(events)

    def test_images(self):
        self.assertIn("busybox-test", self.cluster.ok("image", "ls"))
        used = self.cluster.run("image", "rm", "busybox-test:latest")
        self.assertNotEqual(used.code, 0, "an image in use stays")
        harness.busybox_image(self.cluster, "spare:1")
        self.cluster.ok("image", "rm", "spare:1")
        self.assertNotIn("spare", self.cluster.ok("image", "ls"))
        harness.busybox_image(self.cluster, "spare:2")
        self.cluster.ok("image", "prune", "--yes")
        table = self.cluster.ok("image", "ls")
        self.assertNotIn("spare", table)
        self.assertIn("busybox-test", table)

    def test_config_renders_and_version(self):
        self.assertIn("busybox-test:latest", self.cluster.ok("config", "-f", self.file))
        self.assertRegex(self.cluster.ok("version"), r"\d+\.\d+")

    def test_stop_all_stops_only_ours(self):
        foreign = subprocess.Popen(["sleep", "1000"])
        self.addCleanup(foreign.wait)
        self.addCleanup(foreign.kill)
        self.cluster.ok("stop-all", "--yes")
        self.assertEqual(self.cluster.tasks("shop"), [])
        self.assertIsNone(foreign.poll())


if __name__ == "__main__":
    harness.main()
