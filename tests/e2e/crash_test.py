"""The server dies at its Nth write, sync, rename or message, for one N after the other, or its disk fails, fills or is
slow; nothing that was acknowledged is lost, nothing that wasn't is done twice, and nothing is left half done.

ORCHION_CRASHES=all tries every N; without it each is half as far again from the last.
"""

import http.client
import json
import os
import signal
import subprocess
import unittest
import urllib.error

import harness

STACK = """
name: shop
x-orchion:
  jobs:
    noop: {image: "box:1", command: ["true"], concurrency: side-by-side}
"""
WEBHOOK = {"spec": {"webhook": {"url": "https://hooks.example.org/x", "secrets": ["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"]}}}
FAILED_SYNC = "error=EIO"
RUNS = 4  # that each life of the server is asked for


class Crashing(harness.Cluster):
    """A server that strace does something to at the Nth call of one kind. Each thread's calls are counted apart."""

    def __init__(self, arguments=("--no-agent",)):
        super().__init__(arguments)
        self.call = self.number = None
        self.fault = "signal=KILL"

    def launch(self):
        strace = ["strace", "-f", "-qq", "-o", "/dev/null", "-e", f"trace={self.call}",
                  "-e", f"inject={self.call}:{self.fault}:when={self.number}"]
        self.prefix = strace if self.call else []
        try:
            super().launch()
        finally:
            self.prefix = []

    def is_ready(self):
        """Also where it died on the way. It has no node."""
        return self.died() or self.run("node", "ls").code == 0

    def stop(self, how=signal.SIGTERM):
        """The server itself: strace passes no signals on, and ends as it does. Whether it was there to be ended: it may
        die of its call at any moment."""
        was_there = True
        if self.process and self.call and not self.died():
            try:
                os.kill(int((self.data / "server.pid").read_text()), how)
            except ProcessLookupError:
                was_there = False
            self.process.wait(30)
        super().stop(how)
        return was_there

    def died(self):
        return self.process.poll() is not None

    def ask(self, method, path, body=None, headers=None):
        """The answer's document; None where the server died over it, or said that it can't."""
        try:
            status, _, text = self.request(method, path, body, headers)
        except (urllib.error.URLError, http.client.HTTPException, OSError):
            return None
        if self.fault == FAILED_SYNC and status == 503:
            return None
        assert status == 200, f"{method} {path}: {status} {text}"
        return json.loads(text)


def numbers():
    """The Ns of a sweep, without end."""
    every = os.environ.get("ORCHION_CRASHES") == "all"
    number = 1
    while True:
        yield number
        number = number + 1 if every else number * 3 // 2 + 1


class AtWork(unittest.TestCase):
    def setUp(self):
        self.server = Crashing()
        self.addCleanup(self.server.close)
        self.server.start()
        self.server.ok("up", "-f", harness.write(self.server.folder, "compose.yaml", STACK), "--yes")
        self.server.stop()
        self.names = {}  # by idempotency key: of the run that was answered; None where no answer came

    def ask_for_run(self, key):
        answer = self.server.ask("POST", "/v1/stacks/shop/jobs/noop/runs", {}, {"Idempotency-Key": key})
        return answer and answer["meta"]["name"]

    def life(self):
        """Asks it for some runs; whether it was alive after all."""
        self.server.start()
        for _ in range(RUNS):
            if self.server.died():
                break
            key = f"key-{len(self.names)}"
            self.names[key] = self.ask_for_run(key)
            if self.names[key] is None and self.server.fault == FAILED_SYNC:
                harness.wait_for("the server to begin anew", self.server.is_ready)
        # What it does by itself goes on for a moment: events, statuses.
        alive = not self.server.died() and self.server.ask("GET", "/v1/runs") is not None
        return self.server.stop(signal.SIGKILL) and alive

    def look(self):
        """As its users do: who had no answer asks again; what was answered is there; nothing is there beside it."""
        self.server.call = None
        self.server.start()
        for key, name in self.names.items():
            again = self.ask_for_run(key)
            self.assertIsNotNone(again, self.server.log_tail())
            self.assertIn(name, (None, again), f"the run of {key}")
            self.names[key] = again
        runs, page = [], {}
        while page == {} or page.get("nextPageToken"):
            page = self.server.ask("GET", f"/v1/runs?pageSize=200&pageToken={page.get('nextPageToken', '')}")
            runs += [run["meta"]["name"] for run in page["runs"]]
        self.assertEqual(sorted(runs), sorted(self.names.values()))
        self.server.stop()

    def sweep(self, call):
        deaths = 0
        for number in numbers():
            self.server.call, self.server.number = call, number
            alive = self.life()
            self.look()
            if alive:
                break
            deaths += 1
        self.assertGreater(deaths, 2, "it never came so far")
        print(f"{call}: {deaths} deaths, none at its call {number}; {len(self.names)} runs, each there once")

    def test_at_writes_of_the_store(self):
        self.sweep("pwrite64")

    def test_at_syncs(self):
        self.sweep("fdatasync")

    def test_at_messages(self):
        self.sweep("sendmsg")

    def test_a_sync_that_fails_is_no_success(self):
        """The kernel may have thrown away what it didn't write: the server begins anew with what is on the disk."""
        self.server.fault = FAILED_SYNC
        began_anew = 0
        for number in range(1, 12):
            self.server.call, self.server.number = "fdatasync", number
            self.server.log.write_text("")
            self.life()
            began_anew += "beginning anew" in self.server.log.read_text()
            self.look()
        self.assertGreater(began_anew, 1)
        print(f"began anew {began_anew} times; {len(self.names)} runs, each there once")


class AtItsFirstStart(unittest.TestCase):
    def sweep(self, call):
        deaths = 0
        for number in numbers():
            server = Crashing()
            try:
                server.call, server.number = call, number
                server.start()
                if not server.died():
                    break
                deaths += 1
                server.call = None
                server.start()
                server.ok("up", "-f", harness.write(server.folder, "compose.yaml", STACK), "--yes")
            finally:
                server.stop(signal.SIGKILL)
                server.close()
        self.assertGreater(deaths, 0, "it never came so far")
        print(f"{call}: {deaths} deaths of a new server, none at its call {number}")

    def test_at_writes_of_the_store(self):
        self.sweep("pwrite64")

    def test_at_writes_of_files(self):
        self.sweep("write")

    def test_at_syncs(self):
        self.sweep("fdatasync")

    def test_at_files_made_and_opened(self):
        self.sweep("openat")

    def test_at_renames(self):
        self.sweep("/^rename")


class SlowDisk(unittest.TestCase):
    def test_no_node_is_lost_by_it(self):
        server = Crashing(["--heartbeat", "1", "--node-lost-after", "10"])
        self.addCleanup(server.close)
        server.start()
        server.stop()
        server.call, server.number, server.fault = "fdatasync", "1+", "delay_enter=2000000"
        server.start()
        harness.wait_for("the node", lambda: '"READY"' in server.ok("node", "ls", "-o", "json"))
        for number in range(4):
            answer = server.ask("PUT", f"/v1/channels/c{number}", WEBHOOK)
            self.assertIsNotNone(answer)
        self.assertNotIn("NodeLost", server.ok("events", "-o", "json"))
        self.assertIn('"READY"', server.ok("node", "ls", "-o", "json"))
        server.stop(signal.SIGKILL)
        server.call = None


class FullDisk(unittest.TestCase):
    def test_it_refuses_reads_on_and_heals(self):
        server = Crashing()
        self.addCleanup(server.close)
        server.data.mkdir()
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8m,mode=700", "tmpfs", server.data], check=True)
        self.addCleanup(subprocess.run, ["umount", "--lazy", server.data], check=True)
        server.start()
        server.ok("up", "-f", harness.write(server.folder, "compose.yaml", STACK), "--yes")
        hog = server.data / "hog"
        with open(hog, "wb", buffering=0) as file:
            for piece in (1 << 20, 4096, 1):
                try:
                    while file.write(b"x" * piece):
                        pass
                except OSError:
                    pass

        def put(number):
            return harness.problem(server, "PUT", f"/v1/channels/c{number}", body=WEBHOOK)

        # There may be room for some in what the store has already.
        made = []
        for number in range(200):
            status, document = put(number)
            if status != 200:
                break
            made.append(f"c{number}")
        self.assertEqual((status, "no space is left" in document["detail"]), (429, True), document)
        names = [channel["meta"]["name"] for channel in server.ask("GET", "/v1/channels?pageSize=500")["channels"]]
        self.assertEqual(sorted(names), sorted(made))
        hog.unlink()
        harness.wait_for("room again", lambda: put(999)[0] == 200)


if __name__ == "__main__":
    harness.main()
