"""Writes to the server until the power is cut, and says what was acknowledged; at the next boot, what is there.

What it says is read from outside, where it survives: `acknowledged NAME`, `present NAME`, `writing`, and last `wrong WHY`
or `whole`.
"""

import concurrent.futures
import itertools
import json
import pathlib
import sys
import threading

import harness
import machine

COMPOSE = """
name: stays
services:
  web:
    image: box
    command: [httpd, -f, -p, "80", -h, /www]
    stop_signal: SIGKILL
    ports: ["18080:80"]
    deploy: {replicas: 2}
"""
WEBHOOK = {"spec": {"webhook": {"url": "https://hooks.example.org/x", "secrets": ["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"]}}}
WRITERS = 4
said = threading.Lock()


def say(text):
    with said:
        print(text, flush=True)


def write(server, boot):
    """Each answer is said before the next question is asked."""
    def one(writer):
        for number in itertools.count():
            name = f"w{boot}-{writer}-{number}"
            status, _, text = server.request("PUT", f"/v1/channels/{name}", WEBHOOK)
            say(f"acknowledged {name}" if status == 200 else f"wrong {status} {text}")

    with concurrent.futures.ThreadPoolExecutor(WRITERS) as pool:
        for done in [pool.submit(one, writer) for writer in range(WRITERS)]:
            done.result()


def present(server):
    page = {}
    while True:
        query = f"?pageToken={page['nextPageToken']}" if page.get("nextPageToken") else ""
        page = json.loads(server.request("GET", f"/v1/channels{query}")[2])
        for channel in page["channels"]:
            say(f"present {channel['meta']['name']}")
        if not page.get("nextPageToken"):
            return


def lives(status):
    return status["state"] == "RUNNING" and pathlib.Path(f"/proc/{status['pid']}").exists()


def main(boot, last):
    server = machine.Machine()
    if boot == 0:
        machine.systemctl("enable", "--now", "orchion")
    harness.wait_for("the server to be ready", server.is_ready)
    if boot == 0:
        harness.busybox_image(server, "box")
        server.ok("up", "-f", harness.write(server.folder, "compose.yaml", COMPOSE), "--yes")
    present(server)
    # What is known of them may be from before the power failed.
    harness.wait_for("its containers", lambda: [lives(task["status"]) for task in server.tasks("stays")] == [True] * 2)
    harness.wait_for("its port", lambda: harness.fetch("http://127.0.0.1:18080/") == "ok\n")
    say("whole")
    if not last:
        say("writing")
        write(server, boot)


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2] == "last")
