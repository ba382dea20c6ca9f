"""/v1/watch as any reader of server-sent events has it: each kind, from a place on, and from which places it can't.

CHANGES has a row for each kind that the document says an event can carry. A resumed watch is compared with one that was
never interrupted: the same events, to the byte.
"""

import dataclasses
import http.client
import json
import unittest
import uuid

import harness

IMAGE = "docker.io/library/watched:1"


class Watch:
    """One stream of events, read one by one."""

    def __init__(self, cluster, query, last=None):
        self.connection = http.client.HTTPConnection("127.0.0.1", 4600, timeout=60)
        headers = {"Authorization": f"Bearer {cluster.token()}"} | ({"Last-Event-ID": last} if last else {})
        self.connection.request("GET", f"/v1/watch?{query}", headers=headers)
        self.response = self.connection.getresponse()
        assert self.response.status == 200, self.response.read()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.connection.close()
        self.response.close()

    def next(self):
        """Name, id and data of the next event; None at the end."""
        event = {}
        while line := self.response.readline().decode():
            name, _, value = line.rstrip("\n").partition(": ")
            if line == "\n" and event:
                return event["event"], event["id"], json.loads(event["data"])
            if name:
                event[name] = value
        return None

    def until(self, wanted):
        events = [self.next()]
        while not wanted(events[-1][2]):
            events.append(self.next())
        return events


def in_json(kind):
    return kind[:1].lower() + kind[1:]


def plural(kind):
    """What its list is called, in its route and in its answer."""
    name = in_json(kind)
    return name[:-1] + "ies" if name.endswith("y") else name + "s"


def object_of(data):
    return data.get(in_json(data["kind"])) or {}


def of_stack(data, name):
    """It is about the stack itself, or about something in it."""
    meta = object_of(data)["meta"]
    return name in (meta["stack"], meta["name"])


def make_stack(test, name):
    container = {"image": IMAGE, "command": {"values": ["sleep", "100000"]}, "stopSignal": "SIGKILL"}
    test.call("PUT", f"/v1/stacks/{name}", {"spec": {
        "services": [{"name": "web", "spec": {"container": container}}], "volumes": [{"name": "data"}],
        "networkPolicies": [{"name": "quiet", "spec": {"ingress": True}}],
        "jobs": [{"name": "once", "spec": {"container": container | {"command": {"values": ["sleep", "0"]}}}}]}})
    harness.wait_for("the task to run", lambda: [task["status"]["state"] for task in test.cluster.tasks(name)] ==
                     ["RUNNING"])


def make_run(test, name):
    make_stack(test, name)
    harness.wait_for("the job", lambda: test.call("GET", f"/v1/jobs?stack={name}")["jobs"])
    run = test.call("POST", f"/v1/stacks/{name}/jobs/once/runs", {})["meta"]["name"]
    harness.wait_for("its end", lambda: test.call("GET", f"/v1/stacks/{name}/runs/{run}")["status"]["state"] ==
                     "RUN_SUCCEEDED")


def remove_stack(test, name):
    test.call("DELETE", f"/v1/stacks/{name}?volumes=true")


def import_image(test, name):
    harness.busybox_image(test.cluster, f"docker.io/library/{name}:1", applets=("sh",))


def remove_image(test, name):
    test.call("POST", "/v1/images/remove", {"reference": f"docker.io/library/{name}:1"})


def make_channel(test, name):
    test.call("PUT", f"/v1/channels/{name}", {"spec": {"slack": {"url": "https://hooks.example.org/x"}, "rules": [
        {"reasons": ["Nothing"]}]}})


def remove_channel(test, name):
    test.call("DELETE", f"/v1/channels/{name}")


def set_availability(availability):
    def change(test, _):
        node = test.call("GET", "/v1/nodes")["nodes"][0]["meta"]["name"]
        test.call("POST", f"/v1/nodes/{node}/availability", {"availability": availability})
    return change


def is_removed(data, name):
    return data["type"] == "REMOVED" and of_stack(data, name)


def has_availability(availability):
    return lambda data, _: object_of(data)["spec"]["availability"] == availability


def is_image(kind):
    return lambda data, name: data["type"] == kind and object_of(data)["meta"]["name"] == f"docker.io/library/{name}:1"


@dataclasses.dataclass
class Change:
    """Something happens to an object of the kind, and is undone."""
    make: object = make_stack
    undo: object = remove_stack
    begins: object = of_stack     # that an event is of the first, of `name`
    ends: object = is_removed     # that it is the last that came of it


CHANGES = {
    "Stack": Change(),
    "Service": Change(),
    "Job": Change(),
    "Run": Change(make_run),
    "Revision": Change(),
    "Task": Change(),
    "Network": Change(),
    "NetworkPolicy": Change(),
    "Volume": Change(),
    "Event": Change(ends=lambda data, name: of_stack(data, name) and data["event"]["reason"] == "StackRemoved"),
    "Node": Change(set_availability("PAUSED"), set_availability("ACTIVE"), has_availability("PAUSED"),
                   has_availability("ACTIVE")),
    "Image": Change(import_image, remove_image, is_image("PUT"), is_image("REMOVED")),
    "Channel": Change(make_channel, remove_channel),
}


class WatchOfEachKind(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.cluster = harness.Cluster().start()
        cls.addClassCleanup(cls.cluster.close)
        harness.busybox_image(cls.cluster, IMAGE, applets=("sh", "sleep"))

    def call(self, verb, path, body=None):
        status, _, text = self.cluster.request(verb, path, body)
        self.assertEqual(status, 200, f"{verb} {path}: {text}")
        return json.loads(text)

    def watch(self, kind, last=None, more=""):
        return Watch(self.cluster, f"kinds={kind}{more}", last)

    def each(self, check):
        for kind, change in CHANGES.items():
            with self.subTest(kind):
                check(kind, change)

    def refused(self, query, last=None):
        headers = {"Last-Event-ID": last} if last else {}
        status, problem = harness.problem(self.cluster, "GET", f"/v1/watch?{query}", headers=headers)
        self.assertEqual(status, 400, problem)
        return [error["pointer"] for error in problem["errors"]]

    def lists_again(self, kind, last):
        """The only event says so, and where a list would stand now."""
        with self.watch(kind, last) as watch:
            name, id, data = watch.next()
            self.assertEqual((name, data["type"]), ("LIST_AGAIN", "LIST_AGAIN"), kind)
            self.assertIsNone(watch.next(), "the stream ends")
        return id

    def synced(self, kind):
        with self.watch(kind) as watch:
            return watch.until(lambda data: data["type"] == "SYNCED")

    def test_there_is_a_row_for_each_kind(self):
        document = json.loads(self.cluster.request("GET", "/openapi.json", token=False)[2])
        properties = document["components"]["schemas"]["WatchEvent"]["properties"]
        self.assertEqual({p["$ref"].rsplit("/", 1)[1] for p in properties.values() if "$ref" in p}, set(CHANGES))

    def test_the_present_comes_first(self):
        name = f"present-{uuid.uuid4().hex[:6]}"
        make_run(self, name)
        self.addCleanup(remove_stack, self, name)
        make_channel(self, name)
        self.addCleanup(remove_channel, self, name)

        def check(kind, change):
            listed = [{"kind": kind, in_json(kind): object}
                      for object in self.call("GET", f"/v1/{plural(kind)}")[plural(kind)]]
            *present, last = self.synced(kind)
            self.assertEqual({(event, data["type"]) for event, _, data in present}, {(kind, "PUT")})
            self.assertEqual(last[0], "SYNCED")
            self.assertEqual({id for _, id, _ in present}, {last[1]}, "of one place")
            # Other tests' stacks may be going meanwhile.
            wanted = {object_of(data)["meta"]["uid"] for data in listed
                      if kind in ("Node", "Image") or of_stack(data, name)}
            self.assertTrue(wanted)
            self.assertLessEqual(wanted, {object_of(data)["meta"]["uid"] for _, _, data in present})
        self.each(check)

    def test_a_resumed_watch_has_what_an_uninterrupted_one_has(self):
        def check(kind, change):
            name = f"{kind.lower()}-{uuid.uuid4().hex[:6]}"
            with self.watch(kind) as watch:
                start = watch.until(lambda data: data["type"] == "SYNCED")[-1][1]
                change.make(self, name)
                events = watch.until(lambda data: change.begins(data, name))
                change.undo(self, name)
                events += watch.until(lambda data: change.ends(data, name))
            self.assertEqual({event for event, _, _ in events}, {kind})
            places = [start, *dict.fromkeys(id for _, id, _ in events)]
            for place in places[:-1]:
                # The events of one commit share an id: one goes on after all of them.
                after = [id for _, id, _ in events]
                missed = events[len(after) - after[::-1].index(place) if place in after else 0:]
                for resumed in (self.watch(kind, place), self.watch(kind, more=f"&since={place}"),
                                self.watch(kind, place, f"&since={start}")):
                    with resumed:
                        self.assertEqual([resumed.next() for _ in missed], missed, place)
        self.each(check)

    def test_only_known_places_are_gone_on_from(self):
        now = self.synced("Stack")[-1][1]
        epoch, revision = now.split(".")

        def check(kind, change):
            for nowhere in ("otherepoch.1", f"{epoch}.{int(revision) + 1_000_000}"):
                self.assertEqual(self.lists_again(kind, nowhere).split(".")[0], epoch)
            for broken in ("x", f"{epoch}.", f"{epoch}.-1", f".{revision}", f"{epoch}.99999999999999999999"):
                self.assertEqual(self.refused(f"kinds={kind}", broken), ["/since"])
                self.assertEqual(self.refused(f"kinds={kind}&since={broken}"), ["/since"])
        self.each(check)
        self.assertEqual(self.refused("kinds=Node&kinds=Token"), ["/kinds/1"])

    def test_what_is_long_past_is_listed_again(self):
        places = {kind: self.synced(kind)[-1][1] for kind in CHANGES}
        # 16 MiB of changes are kept.
        for n in range(40):
            self.call("PUT", "/v1/stacks/past", {"spec": {"labels": {"n": str(n), "filler": "x" * 500_000}}})
        self.each(lambda kind, change: self.lists_again(kind, places[kind]))
        remove_stack(self, "past")

    def test_a_silent_watch_gets_bookmarks(self):
        watches = {kind: self.watch(kind, more="&stack=nobodys") for kind in CHANGES}
        for watch in watches.values():
            self.addCleanup(watch.__exit__)
            self.assertEqual(watch.next()[0], "SYNCED")
        made = int(self.call("PUT", "/v1/stacks/elsewhere", {"spec": {}})["stack"]["meta"]["revision"])
        self.addCleanup(remove_stack, self, "elsewhere")
        name = f"after-{uuid.uuid4().hex[:6]}"
        places = {}
        for kind, watch in watches.items():
            event, places[kind], data = watch.next()
            self.assertEqual((event, data["type"], data["id"]), ("BOOKMARK", "BOOKMARK", places[kind]))
            self.assertGreaterEqual(int(places[kind].split(".")[1]), made, "it moves on with what others did")
        make_run(self, name)
        self.addCleanup(remove_stack, self, name)
        for kind in set(CHANGES) - {"Node", "Image", "Channel"}:
            with self.subTest(kind), self.watch(kind, places[kind]) as resumed:
                self.assertNotIn("elsewhere", json.dumps(resumed.until(lambda data: of_stack(data, name))[0]))

    def test_a_restarted_server_has_all_listed_again(self):
        places = {kind: self.synced(kind)[-1][1] for kind in CHANGES}
        # Where nothing happened since, nothing is missed.
        self.call("PUT", "/v1/stacks/restarted", {"spec": {}})
        self.addCleanup(remove_stack, self, "restarted")
        self.cluster.stop()
        self.cluster.start()
        self.each(lambda kind, change: self.lists_again(kind, places[kind]))


if __name__ == "__main__":
    harness.main()
