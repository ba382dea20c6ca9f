"""Two machines under random faults: containers, agents and the server are killed, and agents stopped, for a while.

Then everything desired runs, every job ran exactly as declared, every event was told once, no line was lost.
`ORCHION_CHAOS_SECONDS` says how long (`./dev soak` takes ten minutes), `ORCHION_SEED` which choices it makes.
"""

import collections
import http.server
import json
import os
import random
import secrets
import sys
import threading
import time
import unittest

import chaos_faults
import chaos_judges
import chaos_load
import harness
import lan

SECONDS = float(os.environ.get("ORCHION_CHAOS_SECONDS", 40))
SEED = int(os.environ.get("ORCHION_SEED", random.SystemRandom().randrange(1 << 32)))
# At most 100 ended runs of a job are kept: a longer test asks more seldom.
SECONDS_BETWEEN_RUNS = max(6.0, SECONDS / 80)
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


class Receiver:
    """Takes every webhook. Nobody kills it."""

    def __init__(self, address):
        self.got = []
        receiver = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                receiver.got.append((self.headers["webhook-id"], body))
                self.send_response(200)
                self.end_headers()

            def log_message(self, *_):
                pass

        class Server(http.server.ThreadingHTTPServer):
            def handle_error(self, *_):
                pass  # a server that is killed while it talks

        self.server = Server((address, 0), Handler)
        self.url = f"http://{address}:{self.server.server_address[1]}/hook"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()


class Chaos(unittest.TestCase):
    def setUp(self):
        self.tag = secrets.token_hex(6)
        lan.make_wire()
        self.receiver = Receiver(lan.GATEWAY)
        self.addCleanup(self.receiver.close)
        self.one, self.two = lan.Machine(1), lan.Machine(2)
        self.addCleanup(self.one.close)
        self.one.start()
        self.addCleanup(self.two.close)
        self.addCleanup(self.one.run, "stop-all", "--yes")
        self.folder = self.one.folder / "chaos"
        self.folder.mkdir()
        self.file = chaos_load.prepare(self.folder, self.tag)
        harness.busybox_image(self.one, "busybox-test:latest")
        self.two.join(self.one)
        harness.wait_for("both nodes", lambda: lan.ready(self.one) == {"machine-1", "machine-2"})
        self.two.ok("agent", "--stop")
        self.two.process = chaos_faults.agent_process(self.two)
        self.addCleanup(self.wake)

    def wake(self):
        """Whatever a fault left behind, so that what runs can be stopped in order."""
        for program in getattr(self, "programs", ()):
            program.resume()
            program.start()

    def begin(self):
        """The load, before the first fault."""
        self.states = [harness.host_state(m) for m in (self.one, self.two)]
        self.one.ok("channel", "set", "all", "--webhook", self.receiver.url, "--secret-file", "-", "--allow-private",
                    "--on", "*", stdin=SECRET)
        self.events_before = set(self.events())
        self.one.ok("up", "-f", self.file, "--yes", "--timeout", "4m", timeout=300)
        self.first = self.services()
        self.rocks = self.processes("rock")
        self.assertEqual(len(self.rocks), 2)

    def services(self):
        return [t for t in self.one.tasks("chaos") if t["spec"].get("service")]

    def events(self):
        return {e["meta"]["uid"]: e for e in self.one.json("events")["events"]}

    def runs(self):
        status, document = chaos_load.call(self.one, "GET", "/v1/runs?pageSize=1000")
        self.assertEqual(status, 200, document)
        return document["runs"]

    def processes(self, role):
        """Which main processes of containers are there, and since when."""
        found = chaos_faults.containers(self.tag)
        for container in found:
            container.close()
        return {(c.pid, c.started) for c in found if c.environment["ROLE"] == role}

    def rage(self):
        server = chaos_faults.Program("the server", lambda: chaos_faults.server_process(self.one), self.one.process)
        agent = chaos_faults.Program("machine-2's agent", self.begin_agent, self.two.process)
        self.programs = (server, agent)
        self.monkey = chaos_faults.Monkey(random.Random(SEED), self.tag, server, [agent], self.folder / "book")
        self.asker = chaos_load.Asker(self.one, SECONDS_BETWEEN_RUNS)
        self.asker.start()
        self.monkey.rage(SECONDS, more=self.no_slot_yet(time.monotonic() + 70 * harness.PATIENCE))
        self.asker.finish()

    def begin_agent(self):
        self.two.process = chaos_faults.agent_process(self.two)
        return self.two.process

    def no_slot_yet(self, deadline):
        """A short test goes on until a minute began: then the schedule has begun a run."""
        return lambda: "tick." not in (self.folder / "book").read_text() and time.monotonic() < deadline

    def settle(self):
        """Until everything is up again, all runs are over, and everything was told."""
        harness.wait_for("both nodes", lambda: self.calm(lambda: lan.ready(self.one) == {"machine-1", "machine-2"}), 120)
        harness.wait_for("what is desired", lambda: self.calm(self.all_desired_runs), 240)
        harness.wait_for("the runs' ends", lambda: self.calm(self.runs_are_over), 300)
        harness.wait_for("all to be told", lambda: self.calm(self.all_is_told), 120)

    def all_desired_runs(self):
        """Not only by the last word of an agent that was away: what it names as running is there."""
        services = self.services()
        there = {pid for pid, _ in self.processes("killed") | self.processes("rock")}
        return (not chaos_judges.TaskJudge(services).missing() and
                {int(t["status"]["pid"]) for t in services} == there)

    def calm(self, condition):
        try:
            return condition()
        except (AssertionError, OSError):
            return False  # nobody answers yet

    def asked_or_begun(self):
        """Without the slot of this very minute, which may not be over yet."""
        return [run for run in self.runs() if "slot" not in run["spec"] or run["status"]["state"] != "RUN_ACTIVE"]

    def runs_are_over(self):
        return all(run["status"]["state"] not in ("RUN_QUEUED", "RUN_ACTIVE", "RUN_CANCELLING") for run in self.runs())

    def to_be_told(self):
        return {uid: event for uid, event in self.events().items() if uid not in self.events_before}

    def all_is_told(self):
        told = chaos_judges.NotificationJudge(list(self.receiver.got)).told()
        pending = self.one.json("channel", "inspect", "all")["status"].get("pending", 0)
        return pending == 0 and not self.to_be_told().keys() - told.keys()

    def noted(self):
        """The last number that each instance noted; a note that was cut off by a kill doesn't count."""
        result = {}
        for file in (self.folder / "said").iterdir():
            whole = file.read_text().rpartition("\n")[0].splitlines()
            if whole:
                result[file.name] = int(whole[-1])
        return result

    def judge_logs(self):
        judge = chaos_judges.LogJudge()
        # The notes first: what is written while the output is read is more than was noted.
        noted = self.noted()
        for service in chaos_load.WRITERS:
            judge.read(self.one.ok("logs", "--previous", f"chaos/{service}", timeout=600))
        for run in self.runs():
            judge.read(self.one.ok("job", "logs", f"chaos/{run['meta']['name']}"))
        complaints = judge.judge(noted)
        print(f"logs: {judge.lines} lines of {len(judge.last)} instances", flush=True)
        return complaints

    def judge_jobs(self):
        book = chaos_judges.Book((self.folder / "book").read_text())
        runs = self.asked_or_begun()
        judge = chaos_judges.JobJudge(runs, book)
        complaints = judge.judge(self.asker.wanted) + self.asker.refused
        print(f"jobs: {dict(collections.Counter(r['spec']['job'] for r in runs))}, {len(book.tries)} indexes, "
              f"{sum(map(len, book.tries.values()))} tries; {self.asker.repeated} requests were repeated", flush=True)
        return complaints

    def judge_notifications(self):
        events = self.to_be_told()
        judge = chaos_judges.NotificationJudge(list(self.receiver.got))
        complaints = judge.judge(events)
        print(f"notifications: {len(judge.bodies)} of {len(events)} events, {judge.repeated} came again", flush=True)
        return complaints

    def judge_tasks(self):
        complaints = chaos_judges.TaskJudge(self.services()).judge(
            self.first, self.monkey.killed_at,
            moves=sum(event["reason"] == "TaskMoves" for event in self.events().values()))
        if self.processes("rock") != self.rocks:
            complaints.append("what nobody killed is another process now")
        for machine in (self.one, self.two):
            if machine.fetch("http://127.0.0.1:18080/index.html") != "ok\n":
                complaints.append(f"the published port doesn't answer on {machine.name}")
        return complaints

    def judge_leftovers(self):
        self.one.ok("down", "-f", self.file, "--volumes", "--yes", timeout=300)
        after = [harness.host_state(m) for m in (self.one, self.two)]
        return [f"left on {m.name}: {key}: {now[key]} instead of {before[key]}"
                for m, before, now in zip((self.one, self.two), self.states, after)
                for key in now if now[key] != before[key]]

    def test_survives(self):
        print(f"the same choices again: ORCHION_SEED={SEED} ORCHION_CHAOS_SECONDS={SECONDS:g} "
              f"ORCHION={harness.ORCHION} {sys.executable} {os.path.relpath(__file__)}", flush=True)
        self.begin()
        self.rage()
        print(f"faults: {dict(self.monkey.counts)}", flush=True)
        self.settle()
        for judge in (self.judge_tasks, self.judge_jobs, self.judge_notifications, self.judge_logs,
                      self.judge_leftovers):
            with self.subTest(judge=judge.__name__):
                complaints = judge()
                if complaints:
                    self.fail("\n".join([f"{len(complaints)} complaints:", *map(str, complaints[:20])]))


if __name__ == "__main__":
    harness.main()
