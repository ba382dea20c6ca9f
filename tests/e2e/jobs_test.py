"""Jobs, from the file to the exit code, with real containers."""

import json
import pathlib
import signal
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
    hello:
      image: busybox-test:latest
      command: [sh, -c, "echo hello {{WHOM}}, as $$WHOM from $$ORCHION_RUN.$$ORCHION_INDEX; echo aside >&2"]
      parameters: {WHOM: world}
    code:
      image: busybox-test:latest
      command: [sh, -c, "echo about to fail; exit {{CODE}}"]
      parameters: {CODE: {description: what it exits with}}
    many:
      image: busybox-test:latest
      command: [sh, -c, "echo part $$ORCHION_INDEX; sleep 0.3"]
      completions: 5
      parallelism: 2
    stubborn:
      image: busybox-test:latest
      command: [sh, -c, "test -e /seen/again || { mkdir -p /seen; touch /seen/again; exit 7; }"]
      volumes: ["seen:/seen"]
      retries: 2
      backoff: 100ms
    slow:
      image: busybox-test:latest
      command: [sleep, "100000"]
      stop_signal: SIGKILL
      deadline: 1s
    long:
      image: busybox-test:latest
      command: [sh, -c, "echo begun; sleep 100000"]
      stop_signal: SIGKILL
    once:
      image: busybox-test:latest
      command: [sh, -c, "echo $$$$ >> /seen/runs; while ! test -e /seen/go; do sleep 0.05; done; exit 3"]
      volumes: ["seen:/seen"]
    hungry:
      image: busybox-test:latest
      command: [sh, -c, "dd if=/dev/zero of=/dev/null bs=64M count=1"]
      deploy: {resources: {limits: {memory: 8m}}}
    maker:
      image: busybox-test:latest
      command: [sh, -c, "mkdir -p /out/deep && echo one > /out/a && echo two > /out/deep/b && echo whole > /report; exit {{CODE}}"]
      parameters: {CODE: "0"}
      outputs:
        folder: /out
        report: /report
        nothing: {path: /nowhere, optional: true}
    forgetful:
      image: busybox-test:latest
      command: ["true"]
      outputs: {result: /result}
    nightly:
      image: busybox-test:latest
      command: ["true"]
      schedule: {cron: "0 3 * * *", time_zone: Europe/Berlin}
volumes:
  seen:
"""


class Jobs(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.cluster = harness.Cluster().start()
        cls.addClassCleanup(cls.cluster.close)
        harness.busybox_image(cls.cluster, "busybox-test:latest")
        cls.file = harness.write(cls.cluster.folder / "shop", "compose.yaml", COMPOSE)
        cls.cluster.ok("up", "-f", cls.file, "--yes")

    def job(self, *arguments, **options):
        return self.cluster.run("job", *arguments, **options)

    def last(self, job):
        return json.loads(self.cluster.ok("job", "history", f"shop/{job}", "-o", "json"))["runs"][0]

    def reasons(self, run):
        events = self.cluster.json("events")["events"]
        return [event["reason"] for event in events if event["subject"] == run]

    def test_follows_to_the_end(self):
        out = self.job("run", "shop/hello", "--follow")
        self.assertEqual((out.code, out.out), (0, "hello world, as world from hello.1.0\n"), out)
        self.assertIn("aside", out.err)
        self.assertIn("succeeded", out.err)
        out = self.job("run", "shop/hello", "--param", "WHOM=you", "--follow")
        self.assertEqual(out.out, "hello you, as you from hello.2.0\n", out)
        # Afterwards too, of either.
        self.assertIn("hello.1.0 | hello world", self.cluster.ok("job", "logs", "shop/hello.1"))
        self.assertIn("hello.2.0 | hello you", self.cluster.ok("job", "logs", "shop/hello"))
        self.assertEqual(self.reasons("hello.1"), ["JobStarted", "JobSucceeded"])

    def test_exit_codes(self):
        for code in (1, 42):
            out = self.job("run", "shop/code", "--param", f"CODE={code}", "--wait")
            self.assertEqual(out.code, code, out)
            self.assertIn(f"exited with {code}", out.err)
        run = self.last("code")
        self.assertEqual((run["status"]["state"], run["status"]["exitCode"]), ("RUN_FAILED", 42))
        self.assertEqual(self.reasons(run["meta"]["name"]), ["JobStarted", "JobFailed"])

    def test_parameters_that_are_wrong(self):
        out = self.job("run", "shop/code", "--wait")
        self.assertEqual(out.code, 1, out)
        self.assertIn("needs its parameter CODE (what it exits with)", out.err)
        out = self.job("run", "shop/hello", "--param", "WHO=x")
        self.assertIn("has no parameter \"WHO\": it takes WHOM", out.err)

    def test_many_in_parallel(self):
        out = self.job("run", "shop/many", "--wait", "-o", "json")
        self.assertEqual(out.code, 0, out)
        run = json.loads(out.out)
        self.assertEqual((run["status"]["state"], run["status"]["succeeded"]), ("RUN_SUCCEEDED", 5))
        lines = self.cluster.ok("job", "logs", f"shop/{run['meta']['name']}").splitlines()
        self.assertEqual(sorted(lines), [f"{run['meta']['name']}.{i} | part {i}" for i in range(5)])
        tasks = self.cluster.request("GET", f"/v1/tasks?stack=shop&run={run['meta']['name']}")
        times = [(t["status"]["startedAt"], t["status"]["finishedAt"]) for t in json.loads(tasks[2])["tasks"]]
        self.assertEqual(len(times), 5)
        for start, _ in times:
            self.assertLessEqual(sum(s <= start < e for s, e in times), 2, "never more than two at once")

    def test_retries(self):
        out = self.job("run", "shop/stubborn", "--wait")
        self.assertEqual(out.code, 0, out)
        run = self.last("stubborn")
        self.assertEqual((run["status"]["succeeded"], run["status"]["failed"]), (1, 1))

    def test_deadline(self):
        out = self.job("run", "shop/slow", "--wait")
        self.assertEqual(out.code, 1, out)
        self.assertIn("it took longer than its deadline of 1 s", out.err)

    def test_cancelled(self):
        self.cluster.ok("job", "run", "shop/long")
        run = f"shop/{self.last('long')['meta']['name']}"
        harness.wait_for("its output", lambda: "begun" in self.job("logs", run).out)
        listed = [t for t in self.cluster.tasks("shop") if t["spec"].get("run", "").startswith("long.")]
        self.assertEqual([t["status"]["state"] for t in listed], ["RUNNING"])
        self.assertIn(f"{run}.0", self.cluster.ok("ps", "--stack", "shop"))
        self.cluster.ok("job", "cancel", run)
        harness.wait_for("its end", lambda: self.last("long")["status"]["state"] == "RUN_CANCELLED")
        self.assertIn("begun", self.job("logs", run).out, "what it wrote stays")
        self.assertIn("has ended already", self.job("cancel", run).err)
        retried = self.job("retry", run)
        self.assertEqual(retried.code, 0, retried)
        self.assertEqual(self.last("long")["spec"]["retryOf"], run.split("/")[1])
        self.cluster.ok("job", "cancel", "shop/long")

    def test_the_reason_is_said(self):
        out = self.job("run", "shop/hungry", "--wait")
        self.assertNotEqual(out.code, 0, out)
        self.assertIn("used more than its 8 MiB of memory and was killed: raise its limit", out.err)

    def test_goes_on_without_the_server_exactly_once(self):
        self.cluster.ok("job", "run", "shop/once")
        name = self.last("once")["meta"]["name"]

        def running():
            tasks = [t for t in self.cluster.tasks("shop") if t["spec"].get("run") == name]
            return tasks and tasks[0]["status"]["state"] == "RUNNING" and tasks[0]["status"]["pid"]
        pid = int(harness.wait_for("the run's task", running))
        self.cluster.stop(signal.SIGKILL)
        self.assertTrue(pathlib.Path(f"/proc/{pid}").exists(), "the run goes on")
        # It ends while nobody is there to see it.
        pathlib.Path(f"/proc/{pid}/root/seen/go").touch()
        harness.wait_for("its end", lambda: not pathlib.Path(f"/proc/{pid}").exists())
        self.cluster.start()
        harness.wait_for("its end to be known", lambda: self.last("once")["status"]["state"] == "RUN_FAILED")
        run = self.last("once")
        self.assertEqual((run["meta"]["name"], run["status"]["exitCode"]), (name, 3))
        tasks = json.loads(self.cluster.request("GET", f"/v1/tasks?stack=shop&all=true&run={name}")[2])["tasks"]
        self.assertEqual(len(tasks), 1, "nothing was begun a second time")
        self.assertEqual(self.reasons(name), ["JobStarted", "JobFailed"])

    def test_what_it_leaves(self):
        for code in (0, 4):
            self.assertEqual(self.job("run", "shop/maker", "--param", f"CODE={code}", "--wait").code, code)
            run = f"shop/{self.last('maker')['meta']['name']}"
            folder = self.cluster.folder / f"fetched-{code}"
            folder.mkdir()
            self.cluster.ok("job", "artifact", run, "folder", "--to", folder)
            self.assertEqual((folder / "out/a").read_text(), "one\n")
            self.assertEqual((folder / "out/deep/b").read_text(), "two\n")
            self.cluster.ok("job", "artifact", run, "report", "--to", folder / "renamed")
            self.assertEqual((folder / "renamed").read_text(), "whole\n")
        code, _, body = self.cluster.request("GET", f"/v1/stacks/shop/runs/{run.split('/')[1]}/artifacts/nothing")
        self.assertEqual(code, 404, body)
        out = self.job("artifact", run, "nope")
        self.assertEqual(out.code, 3, out)
        self.assertIn("it has folder, report, nothing", out.err)
        # As long as the run is kept, whatever becomes of the server.
        self.cluster.stop(signal.SIGKILL)
        self.cluster.start()
        # Its agent comes back a moment after it.
        harness.wait_for("the node", lambda: self.cluster.run("job", "artifact", run, "report", "--to",
                                                              folder / "again").code == 0)
        self.assertEqual((folder / "again").read_text(), "whole\n")
        self.assertNotIn("overlay", "".join(
            line for line in pathlib.Path("/proc/self/mounts").read_text().splitlines() if str(self.cluster.data) in line))

    def test_an_output_that_is_missing(self):
        out = self.job("run", "shop/forgetful", "--wait")
        self.assertEqual(out.code, 1, out)
        self.assertIn("left no output result: there is no /result", out.err)

    def test_what_is_listed(self):
        table = self.cluster.ok("job", "ls")
        self.assertRegex(table, r"shop/nightly +0 3 \* \* \* Europe/Berlin +20\d\d-\d\d-\d\dT0[12]:00:00Z")
        job = json.loads(self.cluster.ok("job", "inspect", "shop/nightly", "-o", "json"))
        self.assertEqual(job["status"]["runsActive"], 0)
        self.assertIn("no changes", self.cluster.ok("plan", "-f", self.file))

    def test_lines_that_are_wrong(self):
        text = COMPOSE.replace('"0 3 * * *"', '"61 * * * *"').replace("Europe/Berlin", "Mars/Olympus")
        file = harness.write(self.cluster.folder / "wrong", "compose.yaml", text)
        out = self.cluster.run("up", "-f", file, "--yes")
        self.assertEqual(out.code, 1, out)
        self.assertRegex(out.err, r"compose.yaml:\d+:\d+: the line `61 \* \* \* \*` there is no minute 61")
        self.assertRegex(out.err, r"compose.yaml:\d+:\d+: there is no time zone \"Mars/Olympus\"")


class Ends(unittest.TestCase):
    def test_down_ends_runs_and_leaves_nothing(self):
        cluster = harness.Cluster().start()
        self.addCleanup(cluster.close)
        harness.busybox_image(cluster, "busybox-test:latest")
        file = harness.write(cluster.folder / "shop", "compose.yaml", COMPOSE)
        before = harness.host_state(cluster)
        cluster.ok("up", "-f", file, "--yes")
        cluster.ok("job", "run", "shop/long")
        cluster.ok("job", "run", "shop/hello", "--wait")
        cluster.ok("down", "-f", file, "--volumes", "--yes")
        self.assertEqual(json.loads(cluster.request("GET", "/v1/runs")[2]).get("runs", []), [])
        self.assertEqual(json.loads(cluster.request("GET", "/v1/jobs")[2]).get("jobs", []), [])
        self.assertEqual(harness.host_state(cluster), before)


if __name__ == "__main__":
    harness.main()
