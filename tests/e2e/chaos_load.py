"""What the chaos test runs: services that write and answer, jobs that keep a book, and what they are asked to do.

Everything that a container does is noted where the faults don't reach: in the folder `/chaos`, which is the test's own.
"""

import http.client
import json
import socket
import threading
import time

import harness

# One instance is one process: it names itself. What it notes was in the pipe before, so the shim, which nobody kills,
# has it or will read it, also when the writer is killed right then.
WRITER = """
read id < /proc/sys/kernel/random/uuid
n=0
while :; do
  stop=$((n + 100))
  while [ $n -lt $stop ]; do
    n=$((n + 1))
    echo "$id $n" || exit 9
  done
  echo $n >> /chaos/said/$id
  sleep 0.2
done
"""

# A line of the book: RUN INDEX INSTANCE WHAT. What fits into a pipe's buffer is written at once and as a whole.
WORKER = """
read id < /proc/sys/kernel/random/uuid
me="$ORCHION_RUN $ORCHION_INDEX $id"
echo "$me begun" >> /chaos/book
n=0
while [ $n -lt 20 ]; do
  n=$((n + 1))
  echo "$id $n" || exit 9
done
echo $n >> /chaos/said/$id
sleep $1
echo "$me done" >> /chaos/book
"""

COMPOSE = """
name: chaos
x-common: &common
  image: busybox-test:latest
  volumes: ["FOLDER:/chaos"]
  stop_signal: SIGKILL
  logging: {driver: json-file, options: {max-size: 64m, max-file: "2"}}
# On a busy machine an agent that is killed again and again may be silent for longer than a node may: it is waited for.
x-service: &service
  <<: *common
  environment: {CHAOS: TAG, ROLE: killed}
  x-orchion: {on_node_loss: wait}
x-job: &job
  <<: *common
  environment: {CHAOS: TAG, ROLE: job}
  on_node_loss: wait
services:
  writer:
    <<: *service
    command: [sh, /chaos/writer]
    deploy: {replicas: 3}
  always:
    <<: *service
    command: [sh, /chaos/writer]
    restart: always
  failing:
    <<: *service
    command: [sh, /chaos/writer]
    restart: on-failure
    deploy: {placement: {constraints: [node.name == machine-2]}}
  web:
    <<: *service
    command: [httpd, -f, -p, "80", -h, /www]
    ports: ["18080:80"]
    healthcheck:
      test: [CMD, wget, -q, -O, /dev/null, "http://127.0.0.1:80/"]
      interval: 1s
      timeout: 20s
      retries: 3
      start_period: 20s
      start_interval: 200ms
    deploy: {replicas: 2}
  # Nobody kills these two: what is killed around them is not to be felt here.
  rock:
    <<: *service
    command: [sleep, "100000"]
    environment: {CHAOS: TAG, ROLE: rock}
    restart: "no"
    deploy: {replicas: 2}
x-orchion:
  jobs:
    tick:
      <<: *job
      command: [sh, /chaos/worker, "1"]
      schedule: "* * * * *"
    parts:
      <<: *job
      command: [sh, /chaos/worker, "0.5"]
      completions: COMPLETIONS
      parallelism: PARALLELISM
    # These are killed, too, and tried again.
    tough:
      <<: *job
      command: [sh, /chaos/worker, "1"]
      completions: COMPLETIONS
      parallelism: PARALLELISM
      retries: 100
      backoff: 100ms
"""

COMPLETIONS = {"tick": 1, "parts": 4, "tough": 4}
PARALLELISM = {"tick": 1, "parts": 2, "tough": 2}
REPLICAS = {"writer": 3, "always": 1, "failing": 1, "web": 2, "rock": 2}
WRITERS = ("writer", "always", "failing")


def prepare(folder, tag):
    """Fills the folder that containers see as /chaos, and returns the Compose file."""
    (folder / "said").mkdir()
    harness.write(folder, "writer", WRITER)
    harness.write(folder, "worker", WORKER)
    (folder / "book").touch()
    text = COMPOSE.replace("FOLDER", str(folder)).replace("TAG", tag)
    text = text.replace("COMPLETIONS", str(COMPLETIONS["parts"])).replace("PARALLELISM", str(PARALLELISM["parts"]))
    return harness.write(folder, "compose.yaml", text)


class SocketConnection(http.client.HTTPConnection):
    """REST over the server's unix socket: it is reached whichever network namespace the server is in."""

    def __init__(self, path, timeout):
        super().__init__("localhost", timeout=timeout)
        self.path = str(path)

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


def call(server, method, path, body=None, headers=None):
    """Status and document; an OSError or HTTPException where nobody answers."""
    connection = SocketConnection(server.data / "orchion.sock", timeout=30 * harness.PATIENCE)
    try:
        connection.request(method, path, body=None if body is None else json.dumps(body),
                           headers={"Content-Type": "application/json", "Authorization": f"Bearer {server.token()}",
                                    **(headers or {})})
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read() or "{}")
    finally:
        connection.close()


class Asker(threading.Thread):
    """Asks for runs, one after the other, each by a key of its own, until it is answered: so each is wanted once."""

    def __init__(self, server, seconds_between):
        super().__init__(daemon=True)
        self.server = server
        self.seconds_between = seconds_between
        self.wanted = {}  # by key, the name of the run that the answer told
        self.refused = []
        self.repeated = 0
        self.over = threading.Event()

    def run(self):
        number = 0
        while not self.over.is_set():
            for job in ("parts", "tough"):
                self.ask(f"chaos-{number}-{job}", job)
            number += 1
            self.over.wait(self.seconds_between)

    def ask(self, key, job):
        while True:
            try:
                status, document = call(self.server, "POST", f"/v1/stacks/chaos/jobs/{job}/runs", body={},
                                        headers={"Idempotency-Key": key})
            except (OSError, http.client.HTTPException, ValueError):
                status, document = 503, None
            if status == 200:
                self.wanted[key] = document["meta"]["name"]
                return
            if status not in (503, 504):
                self.refused.append((key, status, document))
                return
            self.repeated += 1
            time.sleep(0.1)

    def finish(self):
        """Waits for the answer to what was asked last: the server must be there again."""
        self.over.set()
        self.join(120 * harness.PATIENCE)
        if self.is_alive():
            raise AssertionError("the server doesn't answer who asks for a run")
