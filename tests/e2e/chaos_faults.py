"""Faults at random moments: SIGKILL of containers, agents and the server, and SIGSTOP for a while."""

import collections
import heapq
import itertools
import os
import pathlib
import signal
import subprocess
import time

import harness

PAUSE_SECONDS_MAX = 6  # well below the 30 s after which a silent node counts as lost
AWAY_SECONDS_MAX = 4


class Program:
    """A server or an agent: killed, stopped, started again. `launch` starts it and returns its process."""

    def __init__(self, name, launch, process):
        self.name = name
        self.launch = launch
        self.process = process
        self.paused = False

    @property
    def alive(self):
        return self.process is not None

    def died_alone(self):
        return self.alive and self.process.poll() is not None

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(30 * harness.PATIENCE)
        self.process = None
        self.paused = False

    def start(self):
        if not self.alive:
            self.process = self.launch()

    def pause(self):
        self.process.send_signal(signal.SIGSTOP)
        self.paused = True

    def resume(self):
        if self.alive and self.paused:
            self.process.send_signal(signal.SIGCONT)
        self.paused = False


class Container:
    """The main process of a container of this test, held so that its pid can't come to mean another."""

    def __init__(self, pid):
        self.pid = pid
        self.handle = os.pidfd_open(pid)
        try:
            self.look()
        except (OSError, ValueError, StopIteration, IndexError):
            self.close()
            raise

    def look(self):
        folder = pathlib.Path(f"/proc/{self.pid}")
        variables = (folder / "environ").read_bytes().split(b"\0")
        self.environment = dict(v.decode(errors="replace").split("=", 1) for v in variables if b"=" in v)
        self.started = (folder / "stat").read_text().rsplit(")", 1)[1].split()[19]
        namespaced = next(line for line in (folder / "status").read_text().splitlines() if line.startswith("NSpid:"))
        self.is_main = namespaced.split()[-1] == "1"
        self.group = (folder / "cgroup").read_text()

    def close(self):
        os.close(self.handle)

    def kill(self):
        signal.pidfd_send_signal(self.handle, signal.SIGKILL)

    def hold(self):
        """Returns when it does nothing more by itself, or is gone."""
        signal.pidfd_send_signal(self.handle, signal.SIGSTOP)
        while self.state() in "RSD":
            time.sleep(0.001)

    def state(self):
        try:
            return pathlib.Path(f"/proc/{self.pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
        except OSError:
            return "X"


def containers(tag):
    """All that carry the tag, as /proc has them: also while no server is there to be asked."""
    found = []
    for entry in os.listdir("/proc"):
        if not entry.isdigit():
            continue
        try:
            container = Container(int(entry))
        except (OSError, ValueError, StopIteration, IndexError):
            continue  # a thread of the kernel, or gone by now
        if container.is_main and container.environment.get("CHAOS") == tag:
            found.append(container)
        else:
            container.close()
    return found


class Monkey:
    """Does one fault after the other, as its source of randomness says. What it did is in `counts`.

    It kills tasks of services, but no `rock`, and of jobs those of `tough` alone, each index of a run five times at most
    (a job's backoff doubles); what it is about to kill it writes into the book first."""

    FAULTS = {"kill a service's task": 8, "kill a job's task": 3, "kill an agent": 2, "kill the server": 2,
              "pause an agent": 1, "pause the server": 1}
    TRIES_KILLED_MAX = 5

    def __init__(self, randomness, tag, server, agents, book):
        self.random = randomness
        self.tag = tag
        self.server = server
        self.agents = agents
        self.book = book
        self.counts = collections.Counter()
        self.killed_at = collections.defaultdict(list)  # by the task's uid, the times of day
        self.tries_killed = collections.Counter()  # by run and index
        self.due = []
        self.order = itertools.count()

    def rage(self, seconds, more=lambda: False):
        """For so long, and on while there is `more` to wait for. Everything is up again after it, or on its way."""
        begun = time.monotonic()
        while time.monotonic() < begun + seconds or more():
            self.do_what_is_due(time.monotonic())
            self.complain_of_the_dead()
            fault = self.random.choices(list(self.FAULTS), self.FAULTS.values())[0]
            if self.do(fault):
                self.counts[fault] += 1
            time.sleep(self.random.uniform(0.1, 1))
        self.do_what_is_due(float("inf"))

    def do_what_is_due(self, now):
        while self.due and self.due[0][0] <= now:
            heapq.heappop(self.due)[2]()

    def later(self, seconds, action):
        heapq.heappush(self.due, (time.monotonic() + seconds, next(self.order), action))

    def complain_of_the_dead(self):
        for program in (self.server, *self.agents):
            if program.died_alone():
                raise AssertionError(f"{program.name} ended by itself with {program.process.returncode}")

    def do(self, fault):
        """False where there was nothing to do it to."""
        if fault == "kill a service's task":
            return self.kill_container(lambda c: c.environment["ROLE"] == "killed")
        if fault == "kill a job's task":
            return self.kill_container(lambda c: c.environment.get("ORCHION_JOB") == "tough" and
                                       self.tries_killed[self.index_of(c)] < self.TRIES_KILLED_MAX)
        program = self.server if "server" in fault else self.random.choice(self.agents)
        return self.kill_program(program) if "kill" in fault else self.pause_program(program)

    def kill_program(self, program):
        if not program.alive:
            return False
        program.kill()
        self.later(self.random.choice((0, self.random.uniform(0.1, AWAY_SECONDS_MAX))), program.start)
        return True

    def pause_program(self, program):
        if not program.alive or program.paused:
            return False
        program.pause()
        self.later(self.random.uniform(0.5, PAUSE_SECONDS_MAX), program.resume)
        return True

    @staticmethod
    def index_of(container):
        return container.environment["ORCHION_RUN"], container.environment["ORCHION_INDEX"]

    def kill_container(self, fits):
        found = containers(self.tag)
        try:
            fitting = sorted((c for c in found if fits(c)), key=lambda c: c.pid)
            if not fitting:
                return False
            return self.kill_one(self.random.choice(fitting))
        finally:
            for container in found:
                container.close()

    def kill_one(self, container):
        try:
            if "ORCHION_RUN" in container.environment:
                self.announce(container)
            container.kill()
        except ProcessLookupError:
            return False
        self.killed_at[task_of(container)].append(time.strftime("%H:%M:%S", time.gmtime()))
        return True

    def announce(self, container):
        """What it noted until now stands above this in the book, and nothing of it stands below."""
        run, index = self.index_of(container)
        container.hold()
        self.tries_killed[run, index] += 1
        with open(self.book, "a") as book:
            book.write(f"{run} {index} - killed\n")


def task_of(container):
    """The task's uid: the control group is named after it."""
    return container.group.splitlines()[0].rsplit("/", 1)[-1]


def agent_process(machine):
    """Starts the agent of a machine that joined, in front."""
    with open(machine.log, "ab") as log:
        return subprocess.Popen([*machine.prefix, str(harness.ORCHION), "agent"], stdin=subprocess.DEVNULL, stdout=log,
                                stderr=log, env=machine.environment(), start_new_session=True)


def server_process(machine):
    machine.launch()
    return machine.process
