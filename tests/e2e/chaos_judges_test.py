"""The judges of the chaos test are judged: what is right passes, and each thing that must not be is named."""

import unittest

import chaos_judges


def complaints_of_logs(noted, *lines):
    judge = chaos_judges.LogJudge()
    judge.read("".join(f"writer.1 | {line}\n" for line in lines))
    return judge.judge(noted)


class Logs(unittest.TestCase):
    def test_whole_output_passes(self):
        self.assertEqual(complaints_of_logs({"a": 2, "b": 1}, "a 1", "b 1", "a 2", "a 3"), [])

    def test_an_instance_that_noted_nothing_may_have_no_line(self):
        self.assertEqual(complaints_of_logs({}), [])

    def test_what_is_wrong(self):
        for name, noted, lines, part in (("a gap", {"a": 3}, ("a 1", "a 3"), "comes where 2"),
                                         ("the first is lost", {"a": 2}, ("a 2",), "comes where 1"),
                                         ("the last is lost", {"a": 3}, ("a 1", "a 2"), "wrote 3 lines at least, and 2"),
                                         ("all are lost", {"a": 1}, (), "and 0 are there"),
                                         ("one came twice", {"a": 2}, ("a 1", "a 1", "a 2"), "comes where 2"),
                                         ("out of order", {"a": 3}, ("a 1", "a 3", "a 2"), "comes where 2"),
                                         ("half a line", {"a": 1}, ("a 1", "a"), "nobody wrote")):
            with self.subTest(name):
                self.assertIn(part, " ".join(complaints_of_logs(noted, *lines)))


def run(name="parts.1", **more):
    status = {"state": "RUN_SUCCEEDED", "succeeded": 4, "failed": 0} | more
    return {"meta": {"name": name}, "spec": {"job": name.split(".")[0]}, "status": status}


def slot(number, minute):
    return {"meta": {"name": f"tick.{number}"}, "spec": {"job": "tick", "slot": f"2026-11-22T18:{minute:02}:00Z"},
            "status": {"state": "RUN_SUCCEEDED", "succeeded": 1, "failed": 0}}


def worked(name, *indexes):
    return "".join(f"{name} {i} {name}-{i} begun\n{name} {i} {name}-{i} done\n" for i in indexes)


GOOD = worked("parts.1", 0, 1, 2, 3) + worked("tick.1", 0) + worked("tick.2", 0)


def complaints_of_jobs(book=GOOD, runs=None, wanted=None, slots=(3, 4)):
    runs = [run()] if runs is None else runs
    wanted = {"key": "parts.1"} if wanted is None else wanted
    ticks = [slot(i + 1, minute) for i, minute in enumerate(slots)]
    return chaos_judges.JobJudge(runs + ticks, chaos_judges.Book(book)).judge(wanted)


class Jobs(unittest.TestCase):
    def test_runs_as_declared_pass(self):
        self.assertEqual(complaints_of_jobs(), [])

    def test_a_try_that_was_killed_is_made_good(self):
        # Killed at work, killed after it was done but had not ended, and killed before it could note anything.
        book = ("tough.1 0 a begun\ntough.1 0 - killed\ntough.1 0 b begun\ntough.1 0 b done\ntough.1 0 - killed\n"
                "tough.1 0 - killed\n" + worked("tough.1", 0, 1, 2, 3) + worked("tick.1", 0) + worked("tick.2", 0))
        self.assertEqual(complaints_of_jobs(book, [run("tough.1", failed=3)], {"key": "tough.1"}), [])

    def test_what_is_wrong(self):
        again = "parts.1 0 x begun\nparts.1 0 x done\n"
        crowd = "".join(f"parts.1 {i} {i} {what}\n" for what in ("begun", "done") for i in range(4))
        ticks = worked("tick.1", 0) + worked("tick.2", 0)
        for name, part, given in (
                ("done twice", "begun again though it was done", {"book": GOOD + again}),
                ("beside itself", "begun beside itself", {"book": "parts.1 0 x begun\n" + GOOD}),
                ("too many at once", "4 of parts.1 were at work at once", {"book": crowd + ticks}),
                ("an index is left out", "the book has [0, 1, 2]", {"book": worked("parts.1", 0, 1, 2) + ticks}),
                ("an index wasn't done", "was never done",
                 {"book": worked("parts.1", 0, 1, 2) + "parts.1 3 x begun\n" + ticks}),
                ("it failed", "RUN_FAILED", {"runs": [run(state="RUN_FAILED")]}),
                ("a try failed for nothing", "though none was killed", {"runs": [run(failed=1)]}),
                ("promised and lost", "parts.2 was promised", {"wanted": {"key": "parts.1", "other": "parts.2"}}),
                ("one request, two runs", "nobody was told of it",
                 {"runs": [run(), run("parts.2")], "book": GOOD + worked("parts.2", 0, 1, 2, 3)}),
                ("two requests, one run", "2 requests were answered", {"wanted": {"key": "parts.1", "other": "parts.1"}}),
                ("a run that nobody knows", "nobody knows it", {"book": GOOD + worked("parts.9", 0)}),
                ("a slot is left out", "that was begun is", {"slots": (3, 5)}),
                ("a slot is begun twice", "that was begun is", {"slots": (3, 3)}),
                ("no slot at all", "no slot", {"slots": (), "book": worked("parts.1", 0, 1, 2, 3)})):
            with self.subTest(name):
                self.assertIn(part, "\n".join(complaints_of_jobs(**given)))


def message(*uids):
    return {"type": "event", "data": {"events": [{"meta": {"uid": uid}} for uid in uids]}}


EVENTS = {uid: {"reason": "TaskRestarted", "subject": "web.1", "message": ""} for uid in ("a", "b")}


class Notifications(unittest.TestCase):
    def complaints(self, *got):
        return chaos_judges.NotificationJudge(got).judge(EVENTS)

    def test_each_once_passes_also_where_an_id_came_again(self):
        self.assertEqual(self.complaints(("1", message("a")), ("2", message("b"))), [])
        self.assertEqual(self.complaints(("1", message("a")), ("2", message("b")), ("1", message("a"))), [])

    def test_what_is_wrong(self):
        both = (("1", message("a")), ("2", message("b")))
        for name, part, got in (("one is missing", "told 0 times", both[:1]),
                                ("told under two ids", "told 2 times", (*both, ("3", message("a")))),
                                ("one id, two contents", "came with two contents", (*both, ("1", message("b")))),
                                ("of nothing", "not among the events", (*both, ("3", message("c"))))):
            with self.subTest(name):
                self.assertIn(part, "\n".join(self.complaints(*got)))


def tasks(**changed):
    replicas = chaos_judges.chaos_load.REPLICAS
    result = {f"{service}-{n}": {"meta": {"uid": f"{service}-{n}", "name": f"{service}.{n}"},
                                 "spec": {"service": service},
                                 "status": {"state": "RUNNING", "attempt": 1, "health": "HEALTH_GOOD"}}
              for service, count in replicas.items() for n in range(count)}
    for uid, status in changed.items():
        result[uid.replace("_", "-")]["status"].update(status)
    return list(result.values())


class Tasks(unittest.TestCase):
    def test_restarted_as_often_as_killed_passes(self):
        now = tasks(writer_0={"attempt": 3})
        self.assertEqual(chaos_judges.TaskJudge(now).judge(tasks(), {"writer-0": ["then", "now"]}), [])

    def test_what_is_wrong(self):
        moved = tasks()
        moved[0]["meta"]["uid"] = "another"
        for name, part, now, killed in (("one is away", "1 of writer don't run", tasks(writer_0={"state": "FAILED"}), {}),
                                        ("one is ill", "1 of web don't run", tasks(web_0={"health": "HEALTH_BAD"}), {}),
                                        ("restarted for nothing", "anew 1 times", tasks(rock_0={"attempt": 2}), {}),
                                        ("killed and not restarted", "anew 0 times", tasks(), {"web-1": ["now"]}),
                                        ("replaced", "was replaced", moved, {})):
            with self.subTest(name):
                self.assertIn(part, "\n".join(chaos_judges.TaskJudge(now).judge(tasks(), killed)))


if __name__ == "__main__":
    unittest.main()
