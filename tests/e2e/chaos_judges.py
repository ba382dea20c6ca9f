"""Who judges a chaos test: each looks at what is there afterwards and names what must not be. Pure."""

import collections
import datetime

import chaos_load


class LogJudge:
    """No line that was flushed is lost, doubled or out of order.

    An instance numbers its lines from 1, and notes a number where no fault reaches after the line's write(2) returned.
    Then the line was in the pipe at least, whose other end the shim has, who reads it to its end whatever becomes of the
    writer. So the lines of an instance go from 1 to a last one without a gap, and the last is none before the last
    noted. What was written and not yet noted when the writer was killed may be there or not: the shim had it, or the
    write didn't return."""

    def __init__(self):
        self.last = {}  # by instance
        self.lines = 0
        self.complaints = []

    def read(self, text):
        """Lines as `orchion logs` prints them, all tasks mixed: each instance's are in their order."""
        for line in text.splitlines():
            self.lines += 1
            words = line.rpartition(" | ")[2].split()
            if len(words) != 2 or not words[1].isdigit():
                self.complaints.append(f"nobody wrote this line: {line!r}")
                continue
            instance, number = words[0], int(words[1])
            expected = self.last.get(instance, 0) + 1
            if number != expected:
                self.complaints.append(f"{line!r} comes where {expected} of that instance should")
            self.last[instance] = number

    def judge(self, noted):
        """`noted`: the last number of each instance. One that was killed before it noted any says nothing."""
        for instance, number in noted.items():
            if self.last.get(instance, 0) < number:
                self.complaints.append(f"{instance} wrote {number} lines at least, and {self.last.get(instance, 0)} are "
                                       "there")
        return self.complaints


class Book:
    """What tasks of jobs noted, in its order: who begun, who was done, and whom the faults were about to kill.

    A try is one instance. It ended when it was done, or by a kill that was announced; another try of the same index may
    begin only then, and none after one that was done without being killed."""

    def __init__(self, text):
        self.tries = collections.defaultdict(list)  # by (run, index): [instance, done, killed]
        self.most_at_once = collections.Counter()  # by run
        self.complaints = []
        self.at_work = collections.defaultdict(set)  # by run: indexes
        for line in text.splitlines():
            run, index, instance, what = line.split()
            getattr(self, what)(run, int(index), instance)

    def begun(self, run, index, instance):
        tries = self.tries[run, index]
        if tries and not tries[-1][1] and not tries[-1][2]:
            self.complaints.append(f"{run}.{index} was begun beside itself")
        elif tries and not tries[-1][2]:
            self.complaints.append(f"{run}.{index} was begun again though it was done")
        tries.append([instance, False, False])
        self.at_work[run].add(index)
        self.most_at_once[run] = max(self.most_at_once[run], len(self.at_work[run]))

    def done(self, run, index, instance):
        current = next((t for t in self.tries.get((run, index), ()) if t[0] == instance), None)
        if current is None or current[1]:
            self.complaints.append(f"{run}.{index} was done twice, or without being begun")
            return
        current[1] = True
        self.at_work[run].discard(index)

    def killed(self, run, index, _):
        # One that was killed before it could note its beginning isn't in the book.
        self.at_work[run].discard(index)
        if (run, index) in self.tries:
            self.tries[run, index][-1][2] = True


class JobJudge:
    """Every run happened exactly as declared: each index was done by one try, never two of one index or more than
    `parallelism` of a run at once, none was begun again without being killed, and what the server says of it is so."""

    def __init__(self, runs, book):
        self.runs = {run["meta"]["name"]: run for run in runs}
        self.book = book
        self.complaints = list(book.complaints)

    def judge(self, wanted):
        """`wanted`: by the key of a request, the run that the answer named."""
        self.judge_requests(wanted)
        self.judge_slots()
        for run in self.runs.values():
            self.judge_run(run)
        for run, _ in self.book.tries:
            if run not in self.runs:
                self.complaints.append(f"{run} was at work, and nobody knows it")
        return self.complaints

    def judge_requests(self, wanted):
        counts = collections.Counter(wanted.values())
        asked = {name for name, run in self.runs.items() if "slot" not in run["spec"]}
        for name in counts.keys() - asked:
            self.complaints.append(f"{name} was promised, and isn't there")
        for name in asked - counts.keys():
            self.complaints.append(f"{name} is there, and nobody was told of it")
        for name, count in counts.items():
            if count != 1:
                self.complaints.append(f"{count} requests were answered with {name}")

    def judge_slots(self):
        slots = sorted(run["spec"]["slot"] for run in self.runs.values() if "slot" in run["spec"])
        if not slots:
            self.complaints.append("no slot of the schedule began a run")
        times = [datetime.datetime.fromisoformat(slot.replace("Z", "+00:00")) for slot in slots]
        for before, after in zip(times, times[1:]):
            if after - before != datetime.timedelta(minutes=1):
                self.complaints.append(f"the slot after {before} that was begun is {after}")

    def judge_run(self, run):
        name, job, status = run["meta"]["name"], run["spec"]["job"], run["status"]
        completions = chaos_load.COMPLETIONS[job]
        if status["state"] != "RUN_SUCCEEDED" or status["succeeded"] != completions:
            self.complaints.append(f"{name}: {status}")
        if self.book.most_at_once[name] > chaos_load.PARALLELISM[job]:
            self.complaints.append(f"{self.book.most_at_once[name]} of {name} were at work at once")
        indexes = {index for of, index in self.book.tries if of == name}
        if indexes != set(range(completions)):
            self.complaints.append(f"of {name} the book has {sorted(indexes)}")
        killed = 0
        for index in indexes:
            tries = self.book.tries[name, index]
            if not tries[-1][1]:
                self.complaints.append(f"{name}.{index} was never done: {tries}")
            killed += sum(t[2] for t in tries)
        if job != "tough" and status.get("failed", 0) != 0:
            self.complaints.append(f"{name} had tasks that failed, though none was killed: {status}")
        if status.get("failed", 0) < killed - completions:
            self.complaints.append(f"{name}: {killed} tries were killed, and {status.get('failed', 0)} are known to have "
                                   "failed")


class NotificationJudge:
    """Every event was told, under one id; whatever came under one id was the same each time."""

    def __init__(self, got):
        """`got`: id and body of each request that was answered with 200, in their order."""
        self.bodies = {}
        self.complaints = []
        self.repeated = 0
        for webhook_id, body in got:
            if webhook_id in self.bodies:
                self.repeated += 1
                if self.bodies[webhook_id] != body:
                    self.complaints.append(f"{webhook_id} came with two contents")
            self.bodies[webhook_id] = body

    def told(self):
        return collections.Counter(event["meta"]["uid"] for body in self.bodies.values()
                                   for event in body["data"].get("events", []))

    def judge(self, events):
        """`events`: by uid, those that are to be told."""
        told = self.told()
        for uid, event in events.items():
            if told[uid] != 1:
                self.complaints.append(f"told {told[uid]} times: {event['reason']} {event['subject']} "
                                       f"{event['message']}")
        for uid in told.keys() - events.keys():
            self.complaints.append(f"told, and not among the events: {uid}")
        return self.complaints


class TaskJudge:
    """Everything desired runs, each on its first task: restarted as often as it was killed, and never without."""

    def __init__(self, tasks):
        self.tasks = tasks

    def missing(self):
        """What is desired and doesn't run (yet)."""
        running = collections.Counter(t["spec"]["service"] for t in self.tasks if self.runs(t))
        return {service: wanted - running[service] for service, wanted in chaos_load.REPLICAS.items()
                if running[service] != wanted}

    @staticmethod
    def runs(task):
        status = task["status"]
        good = task["spec"].get("service") != "web" or status.get("health") == "HEALTH_GOOD"
        return status["state"] == "RUNNING" and good

    def judge(self, first, killed_at, moves=0):
        """`first`: the tasks of before the faults. `killed_at`: when a process of each task was killed, by uid. `moves`:
        so often a task that was killed again and again was moved, as events say."""
        complaints = [f"{count} of {service} don't run" for service, count in self.missing().items()]
        now = {t["meta"]["uid"]: t for t in self.tasks if t["spec"].get("service")}
        left = {t["meta"]["uid"] for t in first} - now.keys()
        if len(left) > moves or len(now) != len(first):
            complaints.append("a task was replaced, though its node was never lost")
        for uid, task in now.items():
            status = task["status"]
            restarts = status["attempt"] - 1
            kills = killed_at.get(uid, [])
            if restarts != len(kills):
                complaints.append(f"{task['meta']['name']} was begun anew {restarts} times and killed at {kills}; "
                                  f"its last end: {status.get('lastEnd')}")
        return complaints
