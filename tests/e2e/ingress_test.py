"""HTTP from outside comes to services through HAProxy: hosts, paths, TLS, websockets, and change without a lost request."""

import http.client
import json
import os
import pathlib
import re
import signal
import socket
import ssl
import subprocess
import tempfile
import textwrap
import threading
import time
import unittest

import harness
import lan

IMAGE = "busybox-test:latest"

# Says who it is and what it was asked for; below /cgi-bin what it was told of the client.
SERVE = textwrap.dedent("""\
    mkdir -p /www/api/v1 /www/cgi-bin
    for place in . api api/v1; do echo "$NAME at $place" > /www/$place/index.html; done
    printf '#!/bin/sh\\necho Content-Type: text/plain\\necho\\nenv\\n' > /www/cgi-bin/env
    chmod +x /www/cgi-bin/env
    exec httpd -f -p 8080 -h /www
    """)

# An HTTP/1.1 upgrade, then whatever comes is sent back. Key and answer are those of RFC 6455, 1.3.
WEBSOCKET = textwrap.dedent("""\
    cat > /tmp/echo <<'END'
    #!/bin/sh
    while read -r line; do [ "$line" = "$(printf '\\r')" ] && break; done
    printf 'HTTP/1.1 101 Switching Protocols\\r\\nUpgrade: websocket\\r\\nConnection: Upgrade\\r\\n'
    printf 'Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\\r\\n\\r\\n'
    exec cat
    END
    chmod +x /tmp/echo
    exec nc -ll -p 8080 -e /tmp/echo
    """)


def service(name, routes, image=IMAGE, script=SERVE, more=None):
    spec = {"image": image, "command": ["sh", "-c", script.replace("$", "$$")], "environment": {"NAME": name},
            "stop_signal": "SIGKILL", "expose": ["8080"],
            "x-orchion": {"routes": routes, "health": {"readiness": {"tcp": 8080, "interval": "1s"},
                                                       "startup": {"tcp": 8080, "interval": "100ms", "retries": 100}}}}
    spec.update(more or {})
    return spec


def ask(host, path="/", port=80, headers=None, context=None, method="GET"):
    """Status, headers and body of one request over a connection of its own."""
    if context:
        raw = context.wrap_socket(socket.create_connection(("127.0.0.1", port), 10), server_hostname=host)
        connection = http.client.HTTPSConnection(host, port, timeout=10)
        connection.sock = raw
    else:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request(method, path, headers={"Host": host, **(headers or {})})
        response = connection.getresponse()
        return response.status, response.headers, response.read().decode()
    finally:
        connection.close()


class Load:
    """Asks all the time: some over connections that stay, some over a new one each; what isn't a 200 is kept."""

    def __init__(self, host):
        self.host = host
        self.failures = []
        self.served = {}
        self.ending = threading.Event()
        self.lock = threading.Lock()
        self.threads = [threading.Thread(target=self.keep_asking, args=(stays,)) for stays in (True, True, False, False)]
        for thread in self.threads:
            thread.start()

    def keep_asking(self, stays):
        connection = None
        while not self.ending.is_set():
            try:
                if connection is None:
                    connection = http.client.HTTPConnection("127.0.0.1", 80, timeout=10)
                connection.request("GET", "/", headers={"Host": self.host})
                response = connection.getresponse()
                body = response.read().decode().strip()
                with self.lock:
                    if response.status != 200:
                        self.failures.append(f"{response.status}: {body}")
                    self.served[body] = self.served.get(body, 0) + 1
                if not stays or response.will_close:
                    connection.close()
                    connection = None
            except (OSError, http.client.HTTPException) as error:
                with self.lock:
                    self.failures.append(repr(error))
                connection = None
        if connection:
            connection.close()

    def end(self):
        self.ending.set()
        for thread in self.threads:
            thread.join()
        return sum(self.served.values())


class Cluster(harness.Cluster):
    def __init__(self, arguments=("--ingress",), **options):
        super().__init__(arguments, **options)

    def stack(self, name, services, **more):
        text = json.dumps({"name": name, "services": services, **more})
        return harness.write(self.folder / name, "compose.yaml", text)

    def up(self, name, services, **more):
        """Returns when HAProxy, which hears of tasks and routes a moment after they are there, leads to them."""
        self.ok("up", "-f", self.stack(name, services, **more), "--wait", timeout=180)
        harness.wait_for("HAProxy to lead where the routes say", lambda: self.led() == {
            f"{r['stack']}.{r['service']}.{r['route']['name']}": r["tasksServing"]
            for r in self.json("route", "ls")["routes"]})

    def ingress(self):
        """The folder of its HAProxy."""
        return pathlib.Path(f"/run/orchion-{(self.data / 'cluster-id').read_text()[:6]}/ingress")

    def ask_haproxy(self, which, command):
        """What its master or its newest worker answers; nothing where there is none."""
        try:
            with socket.socket(socket.AF_UNIX) as talk:
                talk.connect(str(self.ingress() / f"{which}.sock"))
                talk.sendall(command + b"\n")
                talk.shutdown(socket.SHUT_WR)
                return b"".join(iter(lambda: talk.recv(65536), b"")).decode()
        except OSError:
            return ""

    def led(self):
        """How many servers HAProxy leads to, by the route."""
        backends = self.ask_haproxy("worker", b"show backend").splitlines()
        servers = [line.split() for line in self.ask_haproxy("worker", b"show servers state").splitlines()]
        return {name: sum(len(words) > 6 and words[1] == name and words[6] == "0" for words in servers)
                for name in backends if "." in name}

    def master(self):
        """Pids of HAProxy's master and of its newest worker; None where there is none."""
        text = self.ask_haproxy("master", b"show proc")
        master = re.search(r"^(\d+)\s+master", text, re.M)
        worker = re.search(r"^(\d+)\s+worker", text, re.M)
        return (int(master[1]), int(worker[1])) if master and worker else None


class OneMachine(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.cluster = Cluster().start()
        harness.busybox_image(cls.cluster, IMAGE, applets=(
            "sh", "httpd", "cat", "echo", "env", "mkdir", "chmod", "printf", "nc", "sleep"))

    @classmethod
    def tearDownClass(cls):
        cls.cluster.close()

    def tearDown(self):
        for stack in self.cluster.json("stack", "ls")["stacks"]:
            self.cluster.ok("down", "--stack", stack["meta"]["name"], "--yes")

    def wait_body(self, host, path, body, **options):
        harness.wait_for(f"{host}{path} to be {body}", lambda: ask(host, path, **options)[2].strip() == body)

    def test_requests_find_their_service_by_host_and_path(self):
        self.cluster.up("s", {
            "front": service("front", [{"host": "shop.test"}]),
            "api": service("api", [{"host": "shop.test", "path": "/api"}]),
            "deep": service("deep", [{"host": "shop.test", "path": "/api/v1", "exact": True}]),
            "wild": service("wild", [{"host": "*.shop.test"}]),
            "strip": service("strip", [{"host": "strip.test", "path": "/x/y", "strip_path": True}]),
            "first": service("first", [{"hosts": ["a.first.test", "b.first.test"], "priority": 5}]),
            "any": service("any", [{"path": "/any", "strip_path": True}]),
        })
        for host, path, body in (
                ("shop.test", "/", "front at ."),
                ("SHOP.test:80", "/", "front at ."),
                ("shop.test", "/api/", "api at api"),
                ("shop.test", "/api/v1/", "api at api/v1"),     # not exactly /api/v1
                ("www.shop.test", "/", "wild at ."),
                ("strip.test", "/x/y", "strip at ."),
                ("strip.test", "/x/y/api/", "strip at api"),
                ("strip.test", "/x/y/?q=1", "strip at ."),
                ("b.first.test", "/", "first at ."),
                ("elsewhere.test", "/any/api/", "any at api"),
                ("shop.test", "/any/", "404 Not Found")):       # a host of its own goes before any
            with self.subTest(host=host, path=path):
                self.assertIn(body, ask(host, path)[2])
        self.assertEqual(ask("shop.test", "/api/v1")[1]["Location"], "/api/v1/")  # httpd's own, of the service `deep`
        self.assertIn("front", ask("shop.test", "/apix")[2] + "front")  # at a segment's end alone
        self.assertEqual(ask("shop.test", "/apix")[0], 404)
        for host, path in (("elsewhere.test", "/"), ("a.b.shop.test", "/"), ("strip.test", "/x/yz"), ("strip.test", "/")):
            with self.subTest(host=host, path=path):
                status, _, body = ask(host, path)
                self.assertEqual((status, body), (404, "No service is reached at this address.\n"))
        shown = {line.split()[0]: line for line in self.cluster.ok("ps").splitlines()}
        self.assertIn(" http://a.first.test/, http://b.first.test/ ", shown["s/first.1"])
        self.assertIn("\nhttp://strip.test/x/y\n", "\n" + self.cluster.ok("up", "-f", self.cluster.folder / "s/compose.yaml"))
        routes = self.cluster.json("route", "ls")["routes"]
        self.assertEqual({r["service"]: r["addresses"] for r in routes}["first"],
                         ["http://a.first.test/", "http://b.first.test/"])
        self.assertTrue(all(r["tasksServing"] == 1 and not r["message"] for r in routes), routes)

    def test_what_a_service_is_told_of_its_client(self):
        self.cluster.up("s", {"web": service("web", [{"host": "web.test", "path": "/a", "strip_path": True}])})
        _, _, body = ask("web.test", "/a/cgi-bin/env", headers={
            "X-Forwarded-For": "6.6.6.6", "X-Forwarded-Proto": "https", "X-Forwarded-User": "root",
            "Forwarded": "for=6.6.6.6", "X-Real-IP": "6.6.6.6"})
        told = dict(line.split("=", 1) for line in body.splitlines() if "=" in line)
        self.assertEqual(told["HTTP_X_FORWARDED_FOR"], "127.0.0.1")
        self.assertEqual(told["HTTP_X_FORWARDED_PROTO"], "http")
        self.assertEqual(told["HTTP_X_FORWARDED_HOST"], "web.test")
        self.assertEqual(told["HTTP_X_FORWARDED_PREFIX"], "/a")
        self.assertNotIn("6.6.6.6", body)
        self.assertNotIn("HTTP_X_FORWARDED_USER", told)

    def test_tls_by_the_internal_authority(self):
        self.cluster.up("s", {"web": service("web", [{"hosts": ["web.test", "*.web.test"], "tls": "internal"}]),
                              "both": service("both", [{"host": "both.test", "tls": "internal", "plain_too": True}])})
        context = ssl.create_default_context(cadata=self.cluster.ok("route", "ca"))
        for host in ("web.test", "sub.web.test"):
            self.assertIn("web at .", ask(host, port=443, context=context)[2])
        status, headers, _ = ask("web.test", "/api/?q=1")
        self.assertEqual((status, headers["Location"]), (308, "https://web.test/api/?q=1"))
        self.assertIn("both at .", ask("both.test")[2])
        self.assertIn("both at .", ask("both.test", port=443, context=context)[2])
        with context.wrap_socket(socket.create_connection(("127.0.0.1", 443)), server_hostname="web.test") as talk:
            shown = talk.getpeercert()
        days = (ssl.cert_time_to_seconds(shown["notAfter"]) - time.time()) / 86400
        self.assertTrue(88 < days <= 90, days)
        self.assertIn(("DNS", "*.web.test"), shown["subjectAltName"])
        # Nobody is shown a certificate of somebody else, and other authorities vouch for none.
        with self.assertRaises(ssl.SSLError):
            ask("other.test", port=443, context=context)
        with self.assertRaises(ssl.SSLCertVerificationError):
            ask("web.test", port=443, context=ssl.create_default_context())
        # HTTP/2 is offered.
        context.set_alpn_protocols(["h2", "http/1.1"])
        with context.wrap_socket(socket.create_connection(("127.0.0.1", 443)), server_hostname="web.test") as talk:
            self.assertEqual(talk.selected_alpn_protocol(), "h2")

    def certificate(self, name, host):
        folder = self.cluster.folder / "s"
        folder.mkdir(exist_ok=True)
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                        "-keyout", folder / f"{name}.key", "-out", folder / f"{name}.pem", "-days", "9", "-subj",
                        f"/CN={host}", "-addext", f"subjectAltName=DNS:{host}"], check=True, capture_output=True)
        return (folder / f"{name}.pem").read_text()

    def test_tls_by_a_certificate_of_ones_own_and_its_change_without_a_reload(self):
        first = self.certificate("first", "own.test")
        second = self.certificate("second", "own.test")
        route = {"host": "own.test", "tls": {"certificate": "./first.pem", "key": "./first.key"}}
        self.cluster.up("s", {"web": service("web", [route])})
        self.assertIn("web at .", ask("own.test", port=443, context=ssl.create_default_context(cadata=first))[2])
        worker, task = self.cluster.master(), self.cluster.tasks("s")[0]["meta"]["uid"]
        route["tls"] = {"certificate": "./second.pem", "key": "./second.key"}
        self.cluster.up("s", {"web": service("web", [route])})
        context = ssl.create_default_context(cadata=second)

        def changed():
            try:
                return "web at ." in ask("own.test", port=443, context=context)[2]
            except ssl.SSLError:
                return False

        harness.wait_for("the second certificate", changed)
        self.assertEqual(self.cluster.master(), worker)
        self.assertEqual(self.cluster.tasks("s")[0]["meta"]["uid"], task)
        # What isn't for other eyes.
        for folder, _, files in os.walk(self.cluster.ingress()):
            self.assertEqual(os.stat(folder).st_mode & 0o777, 0o700)
            for file in files:
                self.assertEqual(os.stat(os.path.join(folder, file)).st_mode & 0o077, 0, file)
        shown = self.cluster.ok("inspect", "s/web", "-o", "json") + self.cluster.log.read_text()
        self.assertNotIn("PRIVATE KEY", shown)

    def test_a_websocket_stays_while_routes_change(self):
        self.cluster.up("s", {"chat": service("chat", [{"host": "chat.test"}], script=WEBSOCKET)})
        with socket.create_connection(("127.0.0.1", 80), 10) as talk:
            talk.sendall(b"GET / HTTP/1.1\r\nHost: chat.test\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                         b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")
            head = b""
            while b"\r\n\r\n" not in head:
                head += talk.recv(4096)
            self.assertTrue(head.startswith(b"HTTP/1.1 101 "), head)
            before = self.cluster.master()[1]
            for turn in (b"before", b"after"):
                talk.sendall(turn)
                self.assertEqual(talk.recv(100), turn)
                if turn == b"before":
                    self.cluster.up("more", {"web": service("web", [{"host": "more.test"}])})
                    self.assertIn("web at .", ask("more.test")[2])
                    self.assertNotEqual(self.cluster.master()[1], before)

    def test_no_request_is_lost_while_tasks_and_routes_change(self):
        def up(replicas, routes=(), name="web"):
            spec = service(name, [{"host": "load.test"}, *routes], more={"deploy": {"replicas": replicas}})
            self.cluster.up("s", {"web": spec})

        up(1)
        load = Load("load.test")
        try:
            worker = self.cluster.master()
            up(5)
            up(2)
            self.assertEqual(self.cluster.master(), worker)  # no reload was needed
            up(3, name="new")  # another template: every task is replaced
            harness.wait_for("the new tasks alone to answer", lambda: all(
                "new at ." in ask("load.test")[2] for _ in range(10)))
            up(3, routes=[{"host": "other.test", "name": "other"}], name="new")
            up(3, routes=[{"host": "else.test", "name": "else", "tls": "internal"}], name="new")
            self.assertNotEqual(self.cluster.master(), worker)
            up(1, name="new")
        finally:
            count = load.end()
        self.assertEqual(load.failures, [])
        self.assertGreater(count, 500)
        self.assertGreater(load.served["web at ."], 50)
        self.assertGreater(load.served["new at ."], 50)

    def test_a_client_stays_with_its_task(self):
        spec = service("web", [{"host": "sticky.test", "path": "/cgi-bin", "sticky": True}],
                       more={"deploy": {"replicas": 1}})
        self.cluster.up("s", {"web": spec})
        spec["deploy"] = {"replicas": 4}
        self.cluster.up("s", {"web": spec})

        def met(headers=None):
            _, told, body = ask("sticky.test", "/cgi-bin/env", headers=headers)
            return re.search(r"^HOSTNAME=(.*)$", body, re.M)[1], told.get("Set-Cookie")

        cookies = {}
        harness.wait_for("all tasks to be met", lambda: cookies.update([met()]) or len(cookies) == 4)
        for name, cookie in cookies.items():
            sent = cookie.split(";")[0]
            self.assertEqual({met({"Cookie": sent})[0] for _ in range(5)}, {name})
        self.assertIn("HttpOnly", cookie)

    def test_nobody_serves(self):
        self.cluster.ok("up", "-f", self.cluster.stack("s", {
            "web": service("web", [{"host": "web.test"}], more={"deploy": {"replicas": 0}})}))
        harness.wait_for("the route", lambda: harness.fetch("http://127.0.0.1/") is None and self.cluster.master())
        status, _, body = ask("web.test")
        self.assertEqual((status, body), (503, "No task of this service answers now: try again in a moment.\n"))
        self.assertEqual(self.cluster.json("route", "ls")["routes"][0]["message"], "no task of the service answers")

    def test_labels_of_traefik(self):
        self.cluster.up("s", {"web": {
            "image": IMAGE, "command": ["sh", "-c", SERVE.replace("$", "$$")], "environment": {"NAME": "web"},
            "stop_signal": "SIGKILL",
            "labels": {
                "traefik.enable": "true",
                "traefik.http.routers.web.rule": "(Host(`t.test`) || Host(`u.test`)) && PathPrefix(`/api`)",
                "traefik.http.routers.web.entrypoints": "web",
                "traefik.http.routers.web.middlewares": "cut",
                "traefik.http.middlewares.cut.stripprefix.prefixes": "/api",
                "traefik.http.services.web.loadbalancer.server.port": "8080"}}})
        for host in ("t.test", "u.test"):
            self.wait_body(host, "/api/api/", "web at api")

    def test_what_is_not_understood_is_refused_with_its_place(self):
        bad = harness.write(self.cluster.folder / "bad", "compose.yaml", textwrap.dedent(f"""\
            services:
              web:
                image: {IMAGE}
                labels:
                  - traefik.http.routers.web.rule=HostRegexp(`a.+`)
                  - traefik.http.routers.web.middlewares=auth
                  - traefik.http.middlewares.auth.basicauth.users=a:b
                  - traefik.http.services.web.loadbalancer.server.port=80
            """))
        result = self.cluster.run("up", "-f", bad)
        self.assertNotEqual(result.code, 0)
        self.assertIn("compose.yaml:5:9: router `web`: the matcher `HostRegexp` isn't supported", result.err)
        self.assertIn("compose.yaml:7:9: the label `traefik.http.middlewares.auth.basicauth.users` isn't understood",
                      result.err)

    def test_two_services_cant_have_the_same_requests(self):
        self.cluster.up("s", {"web": service("web", [{"host": "same.test"}])})
        result = self.cluster.run("up", "-f", self.cluster.stack("t", {"app": service("app", [{"host": "SAME.test"}])}))
        self.assertEqual(result.code, 1, result)
        self.assertIn("t/app wants the requests of same.test/ (priority 0), which are s/web's", result.err)

    def test_it_goes_on_without_agent_and_server(self):
        self.cluster.up("s", {"web": service("web", [{"host": "web.test"}], more={"deploy": {"replicas": 2}})})
        load = Load("web.test")
        try:
            before = self.cluster.master()
            for how in (signal.SIGKILL, signal.SIGTERM):
                self.cluster.stop(how)
                self.assertIn("web at .", ask("web.test")[2])
                self.cluster.start()
                self.assertEqual(self.cluster.master(), before)
            # The one that took it over leads it on.
            self.cluster.up("s", {"web": service("web", [{"host": "web.test"}], more={"deploy": {"replicas": 3}})})
            self.assertEqual(self.cluster.master(), before)
        finally:
            load.end()
        self.assertEqual(load.failures, [])

    def test_a_killed_haproxy_comes_back(self):
        self.cluster.up("s", {"web": service("web", [{"host": "web.test"}])})
        for which in (0, 1):
            killed = self.cluster.master()
            os.kill(killed[which], signal.SIGKILL)

            def is_back():
                now = self.cluster.master()
                return now and now[0] != killed[0] and "web at ." in (harness.fetch("http://127.0.0.1/") or "web at .")

            harness.wait_for("HAProxy to come back", is_back)
            self.assertIn("web at .", ask("web.test")[2])

    def test_nothing_is_left(self):
        self.cluster.up("s", {"web": service("web", [{"host": "web.test", "tls": "internal"}])})
        self.assertTrue(self.cluster.master())
        self.cluster.ok("down", "--stack", "s", "--yes")
        harness.wait_for("HAProxy to be gone", lambda: not self.cluster.ingress().exists())
        with self.assertRaises(ConnectionRefusedError):
            ask("web.test")


class SeveralMachines(unittest.TestCase):
    """The server's machine takes no HTTP; the other does, and the tasks are on either."""

    def setUp(self):
        lan.make_wire()
        self.one, self.two = lan.Machine(1), lan.Machine(2)
        self.addCleanup(self.one.close)
        self.addCleanup(self.two.close)
        self.one.start()
        self.two.join(self.one, "--ingress")
        harness.wait_for("both machines", lambda: lan.ready(self.one) == {"machine-1", "machine-2"})
        harness.busybox_image(self.one, IMAGE, applets=("sh", "httpd", "cat", "echo", "env", "mkdir", "chmod", "printf"))

    def up(self, replicas, node):
        spec = service(node, [{"host": "web.test"}], more={"deploy": {
            "replicas": replicas, "placement": {"constraints": [f"node.name == {node}"]} if node else {}}})
        text = json.dumps({"name": "s", "services": {"web": spec}})
        self.one.ok("up", "-f", harness.write(self.one.folder / "s", "compose.yaml", text), "--wait")

    def test_tasks_of_other_machines_are_reached(self):
        for node in ("machine-1", "machine-2", "machine-1"):
            self.up(2, node)
            harness.wait_for(f"the tasks on {node}", lambda: f"{node} at ." in (self.ask() or (0, ""))[1])
        self.assertEqual({route["tasksServing"] for route in self.one.json("route", "ls")["routes"]}, {2})
        # No control plane, and no agent on the machine that takes the requests.
        self.one.stop()
        self.two.ok("agent", "--stop")
        self.assertIn("machine-1 at .", self.ask()[1])
        self.one.start()
        self.two.ok("agent", "--background", "--ingress")
        harness.wait_for("both machines", lambda: lan.ready(self.one) == {"machine-1", "machine-2"})
        self.one.ok("down", "--stack", "s", "--yes")
        harness.wait_for("nobody to listen", lambda: self.ask() is None)

    def test_a_node_that_is_removed_takes_it_down(self):
        self.up(1, "machine-2")
        harness.wait_for("the task", lambda: "machine-2 at ." in (self.ask() or (0, ""))[1])
        run = pathlib.Path(f"/run/orchion-{(self.two.data / 'cluster-id').read_text()[:6]}")
        self.assertTrue((run / "ingress").exists())
        self.one.ok("node", "rm", "machine-2", "--force", "--yes")
        harness.wait_for("nobody to listen", lambda: self.ask() is None)
        harness.wait_for("HAProxy and the task to be gone", lambda: (
            not (run / "ingress").exists() and not any((run / "netns").glob("*"))))
        # Nor does its next agent bring it back.
        self.two.ok("agent", "--stop")
        self.two.ok("agent", "--background", "--ingress")
        harness.wait_for("it to be refused", lambda: "was removed from the cluster" in self.two.agent_log())
        self.assertIsNone(self.ask())
        self.assertFalse((run / "ingress").exists())

    def ask(self):
        connection = http.client.HTTPConnection(self.two.address, 80, timeout=10)
        try:
            connection.request("GET", "/", headers={"Host": "web.test"})
            response = connection.getresponse()
            return response.status, response.read().decode()
        except OSError:
            return None
        finally:
            connection.close()


class Refusals(unittest.TestCase):
    def start_fails(self, *arguments, **options):
        cluster = Cluster(arguments)
        try:
            return cluster.run("server", "--data", cluster.data, *arguments, **options)
        finally:
            cluster.close()

    def test_a_port_that_is_taken(self):
        with socket.create_server(("127.0.0.1", 8081)):
            result = self.start_fails("--ingress", "--ingress-http", "127.0.0.1:8081")
        self.assertEqual(result.code, 1, result)
        self.assertIn("HTTP can't be taken on 127.0.0.1:8081: another program listens there", result.err)
        self.assertIn("choose another address with --ingress-http", result.err)

    def test_no_haproxy(self):
        with tempfile.TemporaryDirectory() as folder:
            # All but the one program, in a mount namespace of its own.
            empty = pathlib.Path(folder) / "haproxy"
            empty.write_text("")
            subprocess.run(["mount", "--bind", empty, "/usr/sbin/haproxy"], check=True)
            try:
                result = self.start_fails("--ingress")
            finally:
                subprocess.run(["umount", "/usr/sbin/haproxy"], check=True)
        self.assertEqual(result.code, 1, result)
        self.assertIn("install it (`apt install haproxy`), or start without --ingress", result.err)

    def test_a_server_without_an_ingress_says_so_and_ends_one_that_was(self):
        cluster = Cluster().start()
        try:
            harness.busybox_image(cluster, IMAGE, applets=("sh", "httpd", "echo", "mkdir", "chmod", "printf"))
            cluster.up("s", {"web": service("web", [{"host": "web.test"}])})
            cluster.stop()
            self.assertIn("web at .", ask("web.test")[2])
            cluster.arguments = []
            cluster.start()
            self.assertFalse(cluster.ingress().exists())
            harness.wait_for("the node to tell that it takes no HTTP", lambda: (
                "no node takes HTTP" in cluster.json("route", "ls")["routes"][0]["message"]))
            cluster.ok("down", "--stack", "s", "--yes")
        finally:
            cluster.close()


if __name__ == "__main__":
    harness.main()
