"""Every operation of /openapi.json, as who writes a client by it would call it: what is promised is kept.

ROWS has an example for each operation; one without a row fails, so that a new route can't be forgotten. All the rest
follows from the document: who may, what is refused and how, and that good answers fit their schemas.
"""

import dataclasses
import http.client
import http.server
import json
import pathlib
import subprocess
import tempfile
import threading
import unittest
import uuid

import harness

CONTRACT = harness.ROOT / "tests" / "contract"
IMAGE = "docker.io/library/contract:1"
ADDRESS = "192.0.2.1"
VERBS = ("get", "put", "post", "delete", "patch")


def service(replicas=1):
    return {"container": {"image": IMAGE, "command": {"values": ["sleep", "100000"]},
                          "stopSignal": "SIGKILL"}, "replicas": replicas}


def job(*command):
    return {"container": {"image": IMAGE, "command": {"values": list(command)}, "stopSignal": "SIGKILL"},
            "outputs": [{"name": "programs", "path": "/bin"}]}


def quoted(text):
    return text.replace("/", "%2F")


@dataclasses.dataclass
class Row:
    """A call that succeeds."""
    path: dict = dataclasses.field(default_factory=dict)    # what stands in the braces
    body: object = None
    query: str = ""
    status: int = 200
    before: object = None     # makes what the call needs, each time
    makes: bool = False       # what the path names needn't be there
    silent: bool = False      # nothing need come on its stream
    once: bool = False        # the answer of a repeated call with one Idempotency-Key is a refusal


def make_service(test):
    """The stack `other` with a service that runs nothing; an earlier one of that name may still be going."""
    body = {"spec": {"services": [{"name": name, "spec": service(0)} for name in ("gone", "stays")],
                     "jobs": [{"name": "work", "spec": job("sh", "-c", ":")}]}}
    harness.wait_for("the stack to be made", lambda: test.call("PUT", "/v1/stacks/other", body)[0] == 200, seconds=120)
    for name in ("gone", "stays"):
        harness.wait_for("its services", lambda: test.call("GET", f"/v1/stacks/other/services/{name}")[0] == 200)
    harness.wait_for("its job", lambda: test.call("GET", "/v1/stacks/other/jobs/work")[0] == 200)


def forget_job(test):
    test.call("DELETE", "/v1/stacks/small/jobs/work")
    harness.wait_for("its end", lambda: test.call("GET", "/v1/stacks/small/jobs/work")[0] == 404)


def make_run(test):
    harness.wait_for("a run", lambda: test.call("POST", "/v1/stacks/shop/jobs/long/runs", {})[0] == 200)


WEBHOOK = {"webhook": {"url": "https://hooks.example.org/x", "secrets": ["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"]}}


def make_channel(test):
    status, _, text = test.call("PUT", "/v1/channels/ops", {"spec": WEBHOOK})
    assert status == 200, text


class Taker(http.server.BaseHTTPRequestHandler):
    """Takes whatever is posted."""
    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_):
        pass


def make_near_channel(test):
    """One that leads to a receiver which takes everything."""
    taker = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Taker)
    threading.Thread(target=taker.serve_forever, daemon=True).start()
    test.addCleanup(taker.server_close)
    test.addCleanup(taker.shutdown)
    url = f"http://127.0.0.1:{taker.server_address[1]}/"
    status, _, text = test.call("PUT", "/v1/channels/near", {"spec": {"slack": {"url": url}, "allowPrivate": True}})
    assert status == 200, text


def forget_network(test):
    """Nobody is in it then, and it may come again."""
    test.call("DELETE", "/v1/stacks/other/services/stays")
    path = "/v1/stacks/small/networks/more"
    harness.wait_for("nobody to be in the network",
                     lambda: (test.call("DELETE", path), test.call("GET", path)[0] == 404)[1])


def make_network(test):
    forget_network(test)
    make_service(test)
    status, _, text = test.call("POST", "/v1/stacks/small/networks", {"name": "more"})
    assert status == 200, text


def make_two_networks(test):
    make_service(test)
    test.call("POST", "/v1/stacks/other/networks", {"name": "side"})
    status, _, text = test.call("POST", "/v1/stacks/other/networks/side/connect", {"service": "gone"})
    assert status == 200, text


WEB = {"stack": "shop", "name": "web"}
GONE = {"stack": "other", "name": "gone"}
NETWORK = {"stack": "small", "name": "more"}
DRY = "dryRun=true"
ROWS = {
    "GET /v1/stacks": Row(),
    "GET /v1/stacks/{name}": Row({"name": "shop"}),
    "PUT /v1/stacks/{name}": Row({"name": "small"}, {"spec": {"volumes": [{"name": "data"}]}}, makes=True),
    "DELETE /v1/stacks/{name}": Row({"name": "other"}, before=make_service),
    "GET /v1/services": Row(),
    "GET /v1/stacks/{stack}/services/{name}": Row(WEB),
    "POST /v1/stacks/{stack}/services": Row({"stack": "small"}, {"name": "more", "spec": service(0)}, makes=True),
    "DELETE /v1/stacks/{stack}/services/{name}": Row(GONE, before=make_service),
    "POST /v1/stacks/{stack}/services/{name}/scale": Row(GONE, {"replicas": 0}, before=make_service),
    "POST /v1/stacks/{stack}/services/{name}/restart": Row(GONE, {}, before=make_service),
    "POST /v1/stacks/{stack}/services/{name}/stop": Row(GONE, {}, before=make_service),
    "POST /v1/stacks/{stack}/services/{name}/start": Row(GONE, {}, before=make_service),
    "GET /v1/jobs": Row(),
    "GET /v1/stacks/{stack}/jobs/{name}": Row({"stack": "shop", "name": "short"}),
    "POST /v1/stacks/{stack}/jobs": Row({"stack": "small"}, {"name": "work", "spec": job("sh", "-c", ":")}, makes=True,
                                        before=forget_job),
    "DELETE /v1/stacks/{stack}/jobs/{name}": Row({"stack": "other", "name": "work"}, before=make_service),
    "POST /v1/stacks/{stack}/jobs/{job}/runs": Row({"stack": "shop", "job": "short"}, {}),
    "POST /v1/stacks/{stack}/jobs/{job}/inputs/{input}": Row({"stack": "shop", "job": "short", "input": "notes"},
                                                             b"a tar, for all the server knows"),
    "GET /v1/queues": Row(query="stack=shop"),
    "GET /v1/runs": Row(query="stack=shop"),
    "GET /v1/stacks/{stack}/runs/{name}": Row({"stack": "shop", "name": "short.1"}),
    "POST /v1/stacks/{stack}/runs/{name}/cancel": Row({"stack": "shop", "name": "long"}, {}, DRY, before=make_run),
    "POST /v1/stacks/{stack}/runs/{name}/retry": Row({"stack": "shop", "name": "short.1"}, {}, DRY),
    "GET /v1/stacks/{stack}/runs/{run}/artifacts/{artifact}": Row({"stack": "shop", "run": "short.1",
                                                                   "artifact": "programs"}),
    "GET /v1/tasks": Row(query="stack=shop&all=true"),
    "GET /v1/stacks/{stack}/tasks/{name}": Row({"stack": "shop", "name": "web.1"}),
    "GET /v1/stacks/{stack}/tasks/{name}/health": Row({"stack": "shop", "name": "web.1"}),
    "GET /v1/stacks/{stack}/tasks/{name}/timeline": Row({"stack": "shop", "name": "web.1"}, query="previous=true"),
    "GET /v1/logs": Row(query="stack=shop"),
    "GET /v1/logs/text": Row(query="stack=shop&timestamps=true"),
    "GET /v1/usage": Row(query="stack=shop"),
    "GET /v1/usage/watch": Row(query="stack=shop&intervalMs=200"),
    "GET /v1/exec": Row(status=101),
    "GET /v1/attach": Row(status=101),
    "GET /v1/stacks/{stack}/tasks/{task}/files": Row({"stack": "shop", "task": "web.1"}, query="path=/etc"),
    "PUT /v1/stacks/{stack}/tasks/{task}/files": Row({"stack": "shop", "task": "web.1"}, query="path=/tmp"),
    "GET /v1/forward": Row(status=101),
    "GET /v1/networks": Row(),
    "GET /v1/stacks/{stack}/networks/{name}": Row({"stack": "shop", "name": "default"}),
    "GET /v1/networkPolicies": Row(),
    "GET /v1/routes": Row(),
    "GET /v1/routeAuthority": Row(),
    "GET /v1/networkPolicies/test": Row(query="from=192.0.2.7&to=shop/web&port=80"),
    "GET /v1/stacks/{stack}/networkPolicies/{name}": Row({"stack": "shop", "name": "web-only"}),
    "POST /v1/stacks/{stack}/networks": Row({"stack": "small"}, {"name": "more"}, makes=True, before=forget_network),
    "DELETE /v1/stacks/{stack}/networks/{name}": Row(NETWORK, before=make_network),
    "POST /v1/stacks/{stack}/networks/{name}/connect": Row(NETWORK, {"serviceStack": "other", "service": "stays"},
                                                           before=make_network),
    "POST /v1/stacks/{stack}/networks/{name}/disconnect": Row(
        {"stack": "other", "name": "side"}, {"service": "gone"}, before=make_two_networks),
    "GET /v1/volumes": Row(),
    "GET /v1/stacks/{stack}/volumes/{name}": Row({"stack": "shop", "name": "data"}),
    "GET /v1/revisions": Row(query="stack=shop&pageSize=1"),
    "GET /v1/stacks/{stack}/revisions/{name}": Row({"stack": "shop", "name": "web.1"}),
    "GET /v1/nodes": Row(),
    "GET /v1/nodes/{name}": Row({"name": "NODE"}),
    "GET /v1/nodes/{name}/containers": Row({"name": "NODE"}),
    "POST /v1/nodes/{name}/availability": Row({"name": "NODE"}, {"availability": "DRAINED"}, DRY),
    "POST /v1/nodes/{name}/placement": Row({"name": "NODE"}, {"labels": {"disk": "ssd"}}, DRY),
    "DELETE /v1/nodes/{name}": Row({"name": "NODE"}, query=DRY + "&force=true"),
    "POST /v1/nodes/rebalance": Row({}, {"movesMax": 3}, DRY),
    "POST /v1/nodes/invitations": Row(body={}, once=True),
    "GET /v1/images": Row(),
    "GET /v1/images/{name}": Row({"name": IMAGE}),
    "GET /v1/images/{name}/archive": Row({"name": IMAGE}),
    "GET /v1/pulls": Row(silent=True),
    "POST /v1/images/pull": Row(body={"reference": IMAGE}, query=DRY),
    "POST /v1/images/push": Row(body={"reference": IMAGE, "destination": "localhost:5000/contract"}, query=DRY),
    "POST /v1/images/tag": Row(body={"reference": IMAGE, "name": "contract:new"}, query=DRY),
    "POST /v1/images/import": Row(body=b"no archive at all", query="name=new:1&" + DRY),
    "POST /v1/images/remove": Row(body={"reference": "docker.io/library/spare:1"}, query=DRY),
    "POST /v1/images/prune": Row(body={}, query=DRY),
    "GET /v1/events": Row(),
    "GET /v1/events/{name}": Row({"name": "EVENT"}),
    "GET /v1/channels": Row(before=make_channel),
    "GET /v1/channels/{name}": Row({"name": "ops"}, before=make_channel),
    "PUT /v1/channels/{name}": Row({"name": "new"}, {"spec": WEBHOOK}, makes=True),
    "DELETE /v1/channels/{name}": Row({"name": "ops"}, before=make_channel),
    "POST /v1/channels/{name}/test": Row({"name": "near"}, {}, before=make_near_channel),
    "GET /v1/server": Row(),
    "GET /v1/backup": Row(),
    "GET /v1/watch": Row(query="kinds=Node&kinds=Stack"),
    "GET /livez": Row(),
    "GET /readyz": Row(),
    "GET /openapi.json": Row(),
}


# For each body that says something: what it can't say, and the pointer at that.
REFUSED = {
    "PUT /v1/stacks/{name}": [
        ({"spec": {"services": [{"name": "a b", "spec": service()}]}}, "/spec/services/0/name"),
        ({"spec": {"services": [{"name": "a", "spec": {"container": {"image": ""}}}]}},
         "/spec/services/0/spec/container/image"),
        ({"spec": {"services": [{"name": "a", "spec": {**service(), "dependsOn": [{"service": "none"}]}}]}},
         "/spec/services/0/spec/dependsOn/0/service"),
        ({"spec": {"networkPolicies": [{"name": "p", "spec": {"ingress": True, "from": [
            {"peers": [{"addressRange": "10.0.0.1/8"}]}]}}]}},
         "/spec/networkPolicies/0/spec/from/0/peers/0/addressRange")],
    "POST /v1/stacks/{stack}/services": [
        ({}, "/name"),
        ({"name": "a b", "spec": service()}, "/name"),
        ({"name": "a", "spec": {"container": {"image": ""}}}, "/spec/container/image"),
        ({"name": "a", "spec": service(4_000_000_000)}, "/spec/replicas")],
    "POST /v1/stacks/{stack}/services/{name}/scale": [({"replicas": 4_000_000_000}, "/replicas")],
    "POST /v1/stacks/{stack}/networks": [
        ({}, "/name"), ({"name": "a b"}, "/name"), ({"name": "a", "spec": {"subnet": "127.0.0.0/8"}}, "/spec/subnet"),
        ({"name": "a", "spec": {"gateway": "10.0.0.1"}}, "/spec/gateway"), ({"name": "a", "spec": {"mtu": 1}}, "/spec/mtu"),
        ({"name": "a", "spec": {"enableIpv6": True, "subnet6": "fe80::/64"}}, "/spec/subnet6")],
    "POST /v1/stacks/{stack}/networks/{name}/disconnect": [({}, "/service"), ({"service": "a b"}, "/service")],
    "POST /v1/stacks/{stack}/networks/{name}/connect": [
        ({}, "/service"), ({"serviceStack": "other", "service": "stays", "aliases": ["a b"]}, "/aliases/0")],
    "POST /v1/stacks/{stack}/jobs": [
        ({}, "/name"),
        ({"name": "a b", "spec": job("x")}, "/name"),
        ({"name": "a", "spec": {"container": {"image": ""}}}, "/spec/container/image"),
        ({"name": "a", "spec": {**job("x"), "schedule": {"cron": ["61 * * * *"]}}}, "/spec/schedule/cron/0")],
    "POST /v1/stacks/{stack}/jobs/{job}/runs": [
        ({"parameters": {"NO": "1"}}, "/parameters"), ({"secretParameters": {"NO": "1"}}, "/secretParameters"),
        ({"inputs": {"notes": "../../etc/passwd"}}, "/inputs")],
    "POST /v1/nodes/{name}/availability": [({"availability": 77}, "/availability")],
    "POST /v1/nodes/{name}/placement": [
        ({"taints": [{"key": "a b"}]}, "/taints/0/key"), ({"taints": [{"key": "a", "effect": 77}]}, "/taints/0/effect"),
        ({"removeTaints": ["a:NEVER"]}, "/removeTaints/0"), ({"reserved": {"nanoCpus": -1}}, "/reserved/nanoCpus")],
    "POST /v1/nodes/rebalance": [({"movesMax": 101}, "/movesMax")],
    "POST /v1/images/pull": [({}, "/reference"), ({"reference": "a b"}, "/reference")],
    "POST /v1/images/push": [
        ({}, "/reference"), ({"reference": IMAGE, "destination": "a b"}, "/destination"),
        ({"reference": IMAGE, "destination": f"localhost:5000/a@sha256:{64 * '0'}"}, "/destination"),
        ({"reference": IMAGE, "destination": "registry.example/a:1", "plainHttp": True}, "/plainHttp")],
    "POST /v1/images/tag": [
        ({}, "/reference"), ({"reference": "a b", "name": "a:1"}, "/reference"),
        ({"reference": IMAGE}, "/name"), ({"reference": IMAGE, "name": f"a@sha256:{64 * '0'}"}, "/name")],
    "PUT /v1/channels/{name}": [
        ({}, "/spec"), ({"spec": {"slack": {"url": "http://hooks.example.org/"}}}, "/spec/slack/url"),
        ({"spec": {**WEBHOOK, "rules": [{"reasons": [""]}]}}, "/spec/rules/0/reasons/0")],
    "POST /v1/images/remove": [({}, "/reference"), ({"reference": "a b"}, "/reference")],
}


class Contract(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        assert (CONTRACT / "node_modules").is_dir(), "what checks the document isn't there: run ./dev setup"
        subprocess.run(["ip", "link", "add", "uplink", "type", "veth", "peer", "name", "uplink-peer"], check=True)
        subprocess.run(["ip", "addr", "add", f"{ADDRESS}/24", "dev", "uplink"], check=True)
        for link in ("uplink", "uplink-peer"):
            subprocess.run(["ip", "link", "set", link, "up"], check=True)
        cls.cluster = harness.Cluster(["--advertise", ADDRESS]).start()
        cls.addClassCleanup(cls.cluster.close)
        harness.busybox_image(cls.cluster, IMAGE, applets=("sh", "sleep"))
        harness.busybox_image(cls.cluster, "docker.io/library/spare:1", applets=("sh",))
        cls.token = cls.cluster.token()
        cls.document = json.loads(cls.cluster.request("GET", "/openapi.json", token=False)[2])
        cls.operations = {f"{verb.upper()} {path}": operation for path, item in cls.document["paths"].items()
                          for verb, operation in item.items() if verb in VERBS}
        status, _, text = cls.cluster.request("PUT", "/v1/stacks/shop", body={"spec": {
            "services": [{"name": "web", "spec": {**service(), "routes": [
                {"name": "shop", "hosts": ["shop.example.com"], "port": 80}]}}], "volumes": [{"name": "data"}],
            "queues": [{"name": "line", "spec": {"slots": 3}}],
            "networkPolicies": [{"name": "web-only", "spec": {"service": "web", "ingress": True}}],
            "jobs": [{"name": "short", "spec": {**job("sh", "-c", ":"), "queue": "line", "inputs": [
                {"name": "notes", "path": "/in/notes", "optional": True}]}}, {"name": "long", "spec": job("sleep", "100000")}]}})
        assert status == 200, text
        for name in ("short", "long"):
            harness.wait_for("a run", lambda: cls.cluster.request("POST", f"/v1/stacks/shop/jobs/{name}/runs", {})[0] ==
                             200)
        harness.wait_for("its end", lambda: json.loads(
            cls.cluster.request("GET", "/v1/stacks/shop/runs/short.1")[2])["status"]["state"] == "RUN_SUCCEEDED")
        harness.wait_for("the task to run", lambda: [task["status"]["state"] for task in cls.cluster.tasks("shop")] ==
                         ["RUNNING", "RUNNING"])
        cls.names = {"NODE": json.loads(cls.cluster.request("GET", "/v1/nodes")[2])["nodes"][0]["meta"]["name"],
                     "EVENT": json.loads(cls.cluster.request("GET", "/v1/events")[2])["events"][0]["meta"]["name"]}

    def setUp(self):
        self.answers = []     # what is to fit a schema
        self.assertEqual(set(self.operations), set(ROWS), "each operation has a row in ROWS, and each row an operation")

    def call(self, verb, path, body=None, headers=None, token="", stream=False, silent=False):
        """Status, headers and text; of a stream of events its first, of a silent one none."""
        sent = dict(headers or {})
        if token is not None:
            sent["Authorization"] = f"Bearer {token or self.token}"
        data = body if body is None or isinstance(body, bytes) else json.dumps(body)
        connection = http.client.HTTPConnection("127.0.0.1", 4600, timeout=30)
        try:
            connection.request(verb, path, data, sent)
            response = connection.getresponse()
            if silent and response.status == 200:
                return response.status, response.headers, ""
            if stream and response.status == 200:
                lines = iter(lambda: response.readline().decode(), "")
                return response.status, response.headers, next((line for line in lines if line.startswith("data:")), "")
            return response.status, response.headers, response.read().decode(errors="replace")
        finally:
            connection.close()

    def target(self, path, row, query="", none=False):
        for name, value in row.path.items():
            path = path.replace("{" + name + "}", "none" if none else quoted(self.names.get(value, value)))
        parts = [part for part in (row.query, query) if part]
        return path + ("?" + "&".join(parts) if parts else "")

    def good(self, verb, path, row, headers=None):
        operation = self.operations[f"{verb} {path}"]
        content = operation["responses"].get("200", {}).get("content", {})
        status, answered, text = self.call(verb, self.target(path, row), row.body, headers,
                                           stream="text/event-stream" in content, silent=row.silent)
        self.assertEqual(status, row.status, f"{verb} {path}: {text}")
        kind = answered["Content-Type"].split(";")[0]
        content = {name.partition(";")[0]: body for name, body in content.items()}
        self.assertIn(kind, content)
        tagged = "ETag" in operation["responses"]["200"].get("headers", {})
        self.assertTrue(tagged if "ETag" in answered else not tagged or verb != "GET", f"{verb} {path}")
        schema = content[kind]["schema"]
        if kind == "text/event-stream":
            text, schema = text.removeprefix("data:"), schema["contentSchema"]
        if text and "$ref" in schema:
            self.answers.append({"what": f"{verb} {path}", "schema": schema["$ref"], "value": json.loads(text)})
        return answered, text

    def refused(self, status, answer, pointer=None):
        """Holds the answer to a problem of that status, and to a pointer at what is wrong."""
        actual, headers, text = answer
        self.assertEqual(actual, status, text)
        self.assertEqual(headers["Content-Type"], "application/problem+json")
        problem = json.loads(text)
        self.assertEqual(problem["status"], status)
        self.assertTrue(problem["detail"])
        if pointer is not None:
            self.assertIn(pointer, [error["pointer"] for error in problem["errors"]], text)
        self.answers.append({"what": f"a problem of {status}", "schema": "#/components/schemas/Problem",
                             "value": problem})
        return problem

    def check_answers(self):
        """The document is OpenAPI, and all answers so far fit their schemas."""
        with tempfile.TemporaryDirectory() as folder:
            files = [pathlib.Path(folder) / name for name in ("openapi.json", "answers.json")]
            for file, content in zip(files, (self.document, self.answers)):
                file.write_text(json.dumps(content))
            checked = subprocess.run([CONTRACT / "node_modules" / ".bin" / "node", CONTRACT / "check.mjs", *files],
                                     capture_output=True, text=True)
        self.assertEqual((checked.returncode, checked.stdout), (0, ""), checked.stderr)

    def each(self, check, wanted=lambda operation: True):
        """Checks those operations that need a token and are wanted, with their verb, path and row."""
        for name, operation in self.operations.items():
            if operation.get("security") != [] and wanted(operation):
                with self.subTest(name):
                    check(*name.split(), ROWS[name], operation)

    @staticmethod
    def heeds(header):
        return lambda operation: any(p["name"] == header for p in operation["parameters"])

    @staticmethod
    def is_websocket(operation):
        return "101" in operation["responses"]

    def body_schema(self, operation):
        schema = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema", {})
        return self.document["components"]["schemas"][schema["$ref"].rsplit("/", 1)[1]] if schema else None

    def test_the_document_is_openapi(self):
        for name, operation in self.operations.items():
            named = {p["name"] for p in operation.get("parameters", ()) if p["in"] == "path" and p["required"]}
            braces = {part.strip("{}") for part in name.split("/") if part.startswith("{")}
            self.assertEqual(named, braces, name)
            self.assertRegex(operation["summary"], r"^[A-Z].*[^.]$", f"{name}: its rpc has a comment")
        ids = [operation["operationId"] for operation in self.operations.values()]
        self.assertEqual(len(ids), len(set(ids)))
        self.check_answers()

    def test_good_requests_get_what_the_document_says(self):
        for name in self.operations:
            verb, path = name.split()
            row = ROWS[name]
            if row.status == 101:
                continue
            with self.subTest(name):
                if row.before:
                    row.before(self)
                self.good(verb, path, row)
        self.check_answers()

    def test_a_search_for_no_pattern_is_refused(self):
        self.refused(400, self.call("GET", "/v1/logs?stack=shop&grep=("), pointer="/grep")

    def test_nobody_without_a_token_gets_in(self):
        def check(verb, path, row, operation):
            self.refused(401, self.call(verb, self.target(path, row), row.body, token=None))
            self.refused(401, self.call(verb, self.target(path, row), row.body, token="orc_wrong"))
        self.each(check)
        self.check_answers()

    def test_what_the_document_does_not_name_is_refused(self):
        def check(verb, path, row, operation):
            self.refused(400, self.call(verb, self.target(path, row, "nope=1"), row.body), "/nope")
            if self.body_schema(operation):
                self.refused(400, self.call(verb, self.target(path, row), {**row.body, "nope": 1}), "/nope")
        self.each(check, lambda operation: not self.is_websocket(operation))

    def test_wrong_types_are_refused(self):
        def check(verb, path, row, operation):
            for parameter in operation["parameters"]:
                schema = parameter["schema"]
                if parameter["in"] == "query" and (schema.get("type") in ("boolean", "integer") or "format" in schema):
                    plain = dataclasses.replace(row, query="")
                    answer = self.call(verb, self.target(path, plain, f"{parameter['name']}=perhaps"), row.body)
                    self.refused(400, answer, f"/{parameter['name']}")
            for name, schema in ((self.body_schema(operation) or {}).get("properties") or {}).items():
                if schema.get("type") in ("boolean", "integer"):
                    plain = dataclasses.replace(row, query="")
                    answer = self.call(verb, self.target(path, plain), {**row.body, name: "perhaps"})
                    self.refused(400, answer, f"/{name}")
        self.each(check, lambda operation: not self.is_websocket(operation))

    def wrong_values(self, schema, pointer):
        """Bodies in which one field alone is of a wrong type, at any depth, each with the pointer at it."""
        if "$ref" in schema:
            schema = self.document["components"]["schemas"][schema["$ref"].rsplit("/", 1)[1]]
        words = schema["type"] == "string" and not {"format", "pattern", "enum", "contentEncoding"} & set(schema)
        # Text alone for a list of texts is taken, as protobuf does.
        texts = schema["type"] == "array" and schema["items"].get("type") == "string"
        yield {"no": "words"} if words or texts else "per haps!", pointer
        for name, inner in schema.get("properties", {}).items():
            for wrong, at in self.wrong_values(inner, f"{pointer}/{name}"):
                yield {name: wrong}, at
        if schema["type"] == "array":
            for wrong, at in self.wrong_values(schema["items"], f"{pointer}/0"):
                yield [wrong], at
        if isinstance(schema.get("additionalProperties"), dict):
            for wrong, at in self.wrong_values(schema["additionalProperties"], f"{pointer}/a~1key"):
                yield {"a/key": wrong}, at

    def test_each_wrong_field_of_a_body_is_pointed_at(self):
        def check(verb, path, row, operation):
            schema = self.body_schema(operation)
            for odd in ("perhaps", ["perhaps"], 5):
                self.refused(400, self.call(verb, self.target(path, row), odd), "")
            for name, inner in schema["properties"].items():
                for wrong, pointer in self.wrong_values(inner, f"/{name}"):
                    answer = self.call(verb, self.target(path, dataclasses.replace(row, query="")), {name: wrong})
                    with self.subTest(pointer):
                        self.refused(400, answer, pointer)
        self.each(check, self.body_schema)
        self.check_answers()

    def test_what_a_body_cannot_say_is_pointed_at(self):
        def check(verb, path, row, operation):
            says = set(self.body_schema(operation)["properties"]) - {"dryRun", *row.path}
            self.assertEqual(bool(says), f"{verb} {path}" in REFUSED, "each body that says something is in REFUSED")
            for body, pointer in REFUSED.get(f"{verb} {path}", ()):
                there = dataclasses.replace(row, path=WEB if row.path == GONE else row.path, query="")
                problem = self.refused(400, self.call(verb, self.target(path, there), body), pointer)
                self.assertLessEqual({error["pointer"].split("/")[1] for error in problem["errors"]}, says)
        self.each(check, self.body_schema)
        self.assertEqual(
            [error["pointer"] for error in self.refused(
                400, self.call("POST", "/v1/stacks/a%20b/services", {"name": "a", "spec": service()}))["errors"]],
            ["/stack"])
        self.check_answers()

    def test_lists_come_in_pages(self):
        make_service(self)
        self.call("PUT", "/v1/stacks/second", {"spec": {"volumes": [{"name": "a"}, {"name": "b"}]}})

        def name_of(thing):
            if "route" in thing:  # part of a service
                return thing["stack"], thing["service"], thing["route"]["name"]
            return thing["meta"]["uid"] or thing["meta"]["name"]

        def check(verb, path, row, operation):
            def page(query):
                status, _, text = self.call(verb, self.target(path, row, query))
                self.assertEqual(status, 200, text)
                answer = json.loads(text)
                objects, = (value for value in answer.values() if isinstance(value, list))
                return [name_of(o) for o in objects], answer["nextPageToken"]
            row = dataclasses.replace(row, query=row.query.replace("pageSize=1", ""))
            for size in (1, 2):
                before, token = page("pageSize=0")
                self.assertEqual(token, "")
                paged, tokens = [], set()
                while True:
                    found, token = page(f"pageSize={size}&pageToken={token}")
                    self.assertLessEqual(len(found), size)
                    self.assertNotIn(token, tokens, "each page is another")
                    tokens.add(token)
                    paged += found
                    if not token:
                        break
                    self.assertEqual(len(found), size, "only the last is not full")
                # What comes or goes meanwhile may be in it or not.
                after = page("pageSize=10000")[0]
                stays = [name for name in before if name in after]
                self.assertEqual([name for name in paged if name in stays], stays)
                self.assertLessEqual(set(paged), {*before, *after})
                self.assertTrue(paged, "there is something to list")
            page("pageSize=2147483647")
            for size in ("-1", "x", "1.5", "2147483648", ""):
                self.refused(400, self.call(verb, self.target(path, row, f"pageSize={size}")), "/pageSize")
            for token in ("x", "zz", "6", "616", "6162", "%00", "%2e%2e"):
                self.refused(400, self.call(verb, self.target(path, row, f"pageToken={token}")), "/pageToken")
        self.each(check, self.heeds("pageToken"))
        self.check_answers()

    def test_what_is_not_there_is_not_found(self):
        def check(verb, path, row, operation):
            if row.path and not row.makes:
                problem = self.refused(404, self.call(verb, self.target(path, row, none=True), row.body))
                self.assertEqual(problem["code"], "NOT_FOUND")
                self.assertIn(":", problem["detail"], "it says what to do")
        self.each(check)

    def test_other_verbs_are_refused(self):
        def check(verb, path, row, operation):
            answer = self.call("PATCH", self.target(path, row), b"")
            self.refused(405, answer)
            known = {name.split()[0] for name in self.operations if name.split()[1] == path}
            self.assertLessEqual(known, set(answer[1]["Allow"].split(", ")))
        self.each(check)

    def test_a_websocket_is_asked_for(self):
        def check(verb, path, row, operation):
            self.refused(426, self.call(verb, self.target(path, row)))
        self.each(check, self.is_websocket)

    def test_a_stale_if_match_changes_nothing(self):
        def check(verb, path, row, operation):
            if row.before:
                row.before(self)
            target = self.target(path, row)
            self.refused(412, self.call(verb, target, row.body, {"If-Match": '"1"'}))
            self.refused(400, self.call(verb, target, row.body, {"If-Match": "1"}))
        self.each(check, self.heeds("If-Match"))

    def test_a_write_refuses_the_headers_it_does_not_heed(self):
        def check(verb, path, row, operation):
            if verb == "GET":
                return
            for header, value in (("If-Match", '"1"'), ("If-Match", "*"), ("Idempotency-Key", "contract")):
                if self.heeds(header)(operation):
                    continue
                query = DRY if row.makes else ""
                answer = self.call(verb, self.target(path, row, query, none=True), row.body, {header: value})
                if header == "Idempotency-Key" and row.makes and verb == "PUT":
                    self.assertEqual(answer[0], 200)
                elif header == "Idempotency-Key" and verb in ("DELETE", "PUT"):
                    self.refused(404, answer)     # the same when it is repeated: the key does no harm
                else:
                    self.assertIn(header, self.refused(400, answer)["detail"])
        self.each(check)
        self.check_answers()

    def test_a_key_does_a_call_once(self):
        def check(verb, path, row, operation):
            row = dataclasses.replace(row, query="")
            if path.endswith("/services"):
                row = dataclasses.replace(row, body={"name": "keyed", "spec": service(0)})
            if path.endswith("/jobs"):
                row = dataclasses.replace(row, body={"name": "keyed-work", "spec": job("sh", "-c", ":")})
            if row.before:
                row.before(self)
            key = {"Idempotency-Key": f"contract-{uuid.uuid4().hex}"}
            first = self.good(verb, path, row, key)
            if row.once:
                self.assertEqual(self.refused(409, self.call(verb, path, row.body, key))["code"], "ALREADY_EXISTS")
            else:
                self.assertEqual(self.good(verb, path, row, key)[1], first[1])
            odd = self.call(verb, self.target(path, row), row.body, {"Idempotency-Key": "two words"})
            self.refused(400, odd)
        self.each(check, self.heeds("Idempotency-Key"))

    def test_a_dry_run_changes_nothing(self):
        def resources():
            found = {}
            for kind in ("stacks", "services", "jobs", "runs", "networks", "volumes", "nodes", "images", "channels"):
                objects = json.loads(self.call("GET", f"/v1/{kind}")[2])[kind]
                found[kind] = [(o["meta"].get("stack"), o["meta"]["name"], o["meta"]["revision"]) for o in objects]
            return found
        make_network(self)
        make_two_networks(self)
        make_channel(self)
        before = resources()

        def check(verb, path, row, operation):
            row = dataclasses.replace(row, query=row.query if DRY in row.query else DRY)
            if row.makes and "name" in row.body:  # of what isn't there yet
                row = dataclasses.replace(row, body=row.body | {"name": "never"})
            self.good(verb, path, row)
        self.each(check, self.heeds("dryRun"))
        self.assertEqual(resources(), before)
        self.check_answers()


if __name__ == "__main__":
    harness.main()
