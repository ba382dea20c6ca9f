"""Files and ports of running tasks, whatever runs them: `orchion cp` and `orchion port-forward`."""

import hashlib
import io
import json
import os
import pathlib
import re
import signal
import socket
import subprocess
import tarfile
import threading
import time
import unittest

import engines
import harness

NAMES = ("oci", "docker", "podman", "containerd")
VARIABLES = {"docker": "DOCKER_HOST", "podman": "CONTAINER_HOST", "containerd": "CONTAINERD_ADDRESS"}


ECHO = """import socketserver

class Handler(socketserver.BaseRequestHandler):
    def handle(self):
        while data := self.request.recv(65536):
            self.request.sendall(data)

socketserver.ThreadingTCPServer.request_queue_size = 64
socketserver.ThreadingTCPServer(("127.0.0.1", 7000), Handler).serve_forever()
"""


def compose():
    services = "".join(f"""
  in-{name}:
    image: busybox-test:latest
    command: [httpd, -f, -p, "127.0.0.1:80", -h, /www]
    working_dir: /www
    stop_signal: SIGKILL
    tmpfs: ["/small:size=64k"]
    volumes: ["kept-{name}:/kept"]
    x-orchion: {{executor: {name}}}""" for name in NAMES)
    return f"""
services:{services}
  sealed:
    image: busybox-test:latest
    command: [sleep, "100000"]
    stop_signal: SIGKILL
    read_only: true
  echo:
    command: [/usr/bin/python3, -c, {json.dumps(ECHO)}]
    stop_signal: SIGKILL
    x-orchion: {{executor: process}}
  two:
    image: busybox-test:latest
    command: [httpd, -f, -p, "80", -h, /www]
    stop_signal: SIGKILL
    deploy: {{replicas: 2}}
  program:
    command: [busybox, httpd, -f, -p, "127.0.0.1:18090", -h, /usr/share/common-licenses]
    x-orchion: {{executor: process}}
volumes: {{{", ".join(f"kept-{name}: {{}}" for name in NAMES)}}}
"""


class Forward:
    """A running `orchion port-forward`."""

    def __init__(self, cluster, *arguments):
        self.process = subprocess.Popen([*cluster.prefix, str(harness.ORCHION), "port-forward", *arguments],
                                        env=cluster.environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                        text=True)
        self.line = self.process.stdout.readline()
        assert self.line, self.process.communicate()
        self.port = int(re.match(r"\S+:(\d+) → ", self.line)[1])

    def end(self):
        self.process.send_signal(signal.SIGINT)
        _, said = self.process.communicate(timeout=10)
        return self.process.returncode, said


class Files(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        sockets = {}
        for kind, variable in VARIABLES.items():
            engine = engines.Engine(kind).start()
            cls.addClassCleanup(engine.close)
            sockets[variable] = engine.socket
        cls.cluster = harness.Cluster(engines=sockets)
        cls.addClassCleanup(cls.cluster.close)
        cls.cluster.start()
        harness.busybox_image(cls.cluster, "busybox-test:latest")
        file = harness.write(cls.cluster.folder, "shop/compose.yaml", compose())
        cls.cluster.ok("up", "-f", file, "--yes")

    def setUp(self):
        self.here = self.cluster.folder / self.id().rpartition(".")[2]
        self.here.mkdir()

    def cp(self, *words, code=0, **options):
        result = self.cluster.run("cp", *words, cwd=self.here, **options)
        self.assertEqual(result.code, code, result)
        return result

    def inside(self, task, *command):
        return self.cluster.ok("exec", f"shop/{task}", "--", *command)

    def no_helper(self):
        harness.wait_for("no helper process", lambda: subprocess.run(["pgrep", "-x", "orchion-files"],
                                                                     capture_output=True).returncode == 1)

    def test_both_ways_in_each(self):
        tree = self.here / "conf"
        (tree / "deep").mkdir(parents=True)
        (tree / "deep" / "file").write_text("text\n")
        (tree / "run").write_text("#!/bin/sh\n")
        (tree / "run").chmod(0o755)
        os.chown(tree / "run", 1000, 1000)
        os.utime(tree / "run", (1_000_000_000, 1_000_000_000))
        (tree / "link").symlink_to("deep/file")
        os.link(tree / "run", tree / "twin")
        for name in NAMES:
            with self.subTest(name):
                task = f"shop/in-{name}"
                self.cp(f"{task}:/etc/passwd", ".")
                self.assertIn("web:x:1000", (self.here / "passwd").read_text())
                # Into a folder that is there; to a new name; what is in a folder; a file over a file.
                self.cp("conf", f"{task}:/data")
                self.assertEqual(self.inside(f"in-{name}", "cat", "/data/conf/link"), "text\n")
                self.assertRegex(self.inside(f"in-{name}", "ls", "-ln", "/data/conf/run"), r"^-rwxr-xr-x +2 0 +0 .* 2001 ")
                self.cp("-a", "conf", f"{task}:/data/other")
                self.assertRegex(self.inside(f"in-{name}", "ls", "-ln", "/data/other/run"), r"^-rwxr-xr-x +2 1000 +1000 ")
                self.cp("conf/.", f"{task}:/kept/")
                self.assertEqual(self.inside(f"in-{name}", "cat", "/kept/deep/file"), "text\n")
                self.cp("conf/run", f"{task}:index.html")  # from the working folder
                self.assertEqual(self.inside(f"in-{name}", "cat", "/www/index.html"), "#!/bin/sh\n")
                self.cp("conf/run", f"{task}:/etc/hosts")  # which something is mounted on
                # And back.
                self.cp(f"{task}:/data/other", f"back-{name}")
                back = self.here / f"back-{name}"
                self.assertEqual((back / "link").readlink(), pathlib.Path("deep/file"))
                self.assertEqual((back / "run").stat().st_ino, (back / "twin").stat().st_ino)
                self.assertEqual((back / "run").stat().st_mtime, 1_000_000_000)
                self.assertEqual((back / "run").stat().st_uid, 0)
                self.cp("-a", f"{task}:/data/other/.", back)
                self.assertEqual((back / "run").stat().st_uid, 1000)
                self.cp("-L", f"{task}:/data/other/link", f"followed-{name}")
                self.assertEqual((self.here / f"followed-{name}").read_text(), "text\n")
        self.no_helper()

    def test_a_program_s_files_are_the_machine_s(self):
        target = self.here / "made"
        target.mkdir()
        (self.here / "file").write_text("x")
        self.cp("file", f"shop/program:{target}")
        self.assertEqual((target / "file").read_text(), "x")
        self.cp(f"shop/program:{target}/file", "again")
        self.assertEqual((self.here / "again").read_text(), "x")

    def test_archives(self):
        for name in NAMES:
            data = subprocess.run([harness.ORCHION, "cp", f"shop/in-{name}:/www", "-"], check=True,
                                  capture_output=True, env=self.cluster.environment()).stdout
            with tarfile.open(fileobj=io.BytesIO(data)) as tar:
                self.assertEqual({member.name.split("/")[0] for member in tar}, {"www"})
            packed = io.BytesIO()
            with tarfile.open(fileobj=packed, mode="w:gz") as tar:
                info = tarfile.TarInfo("from/an/archive")
                info.size, info.uid, info.gid = 4, 77, 78
                tar.addfile(info, io.BytesIO(b"text"))
            subprocess.run([harness.ORCHION, "cp", "-", f"shop/in-{name}:/tmp"], check=True, input=packed.getvalue(),
                           env=self.cluster.environment())
            self.assertRegex(self.inside(f"in-{name}", "ls", "-ln", "/tmp/from/an/archive"), " 77 +78 +4 ")
        status, headers, _ = self.cluster.request("GET", "/v1/stacks/shop/tasks/in-oci/files?path=/etc/group")
        self.assertEqual((status, headers["Content-Type"]), (200, "application/x-tar"))

    def test_gigabytes(self):
        size = 1 << 30
        big = self.here / "big"
        with open(big, "wb") as file:
            block = os.urandom(1 << 20)
            for _ in range(size >> 20):
                file.write(block)
        begun = time.monotonic()
        self.cp("big", "shop/in-oci:/kept/big")
        middle = time.monotonic()
        self.cp("shop/in-oci:/kept/big", "back")
        ended = time.monotonic()
        print(f"1 GiB went in at {size / (middle - begun) / 1e6:.0f} MB/s and came out at "
              f"{size / (ended - middle) / 1e6:.0f} MB/s")
        digests = [hashlib.file_digest(open(path, "rb"), "sha256").hexdigest() for path in (big, self.here / "back")]
        self.assertEqual(digests[0], digests[1])
        self.inside("in-oci", "rm", "/kept/big")
        # Cut off in the middle: nothing goes on alone.
        process = subprocess.Popen([harness.ORCHION, "cp", "shop/program:/dev/zero", "-"], stdout=subprocess.PIPE,
                                   stderr=subprocess.DEVNULL, env=self.cluster.environment())
        process.communicate(timeout=10)
        process = subprocess.Popen([harness.ORCHION, "cp", f"shop/program:{big}", "-"], stdout=subprocess.PIPE,
                                   stderr=subprocess.DEVNULL, env=self.cluster.environment())
        process.stdout.read(1 << 20)
        process.kill()
        process.wait()
        process.stdout.close()
        self.no_helper()

    def test_what_goes_wrong_is_one_sentence(self):
        (self.here / "folder").mkdir()
        (self.here / "file").write_text("x")
        (self.here / "fat").write_bytes(os.urandom(1 << 20))
        refused = [
            (3, ["shop/in-oci:/nowhere", "."], "there is no /nowhere in the container"),
            (3, ["file", "shop/in-oci:/nowhere/at/all"], "there is no folder /nowhere/at in the container: make it first"),
            (3, ["file", "shop/in-oci:/nowhere/"], "there is no folder /nowhere/ in the container: make it first"),
            (3, ["nothing", "shop/in-oci:/tmp"], "there is no nothing on this machine"),
            (3, ["shop/in-oci:/etc/passwd", "nowhere/file"], "there is no folder nowhere: make it first"),
            (1, ["shop/in-oci:/etc", "file"], "file is a file: a folder is copied to a folder"),
            (1, ["folder", "shop/in-oci:/etc/passwd"], "/etc/passwd is no folder in the container"),
            (2, ["file", "folder"], "one of the two is to be in a container"),
            (1, ["shop/two:/etc/passwd", "."], "shop/two has 2 tasks: say which, like shop/two.1"),
            (1, ["file", "shop/sealed:/etc"], "cannot create \"/etc/file\": it is read-only there"),
        ]
        for code, words, sentence in refused:
            with self.subTest(" ".join(words)):
                result = self.cp(*words, code=code)
                self.assertTrue(result.err.startswith(f"orchion: {sentence}"), result)
                self.assertEqual(result.err.count("\n"), 1, result)
        for name in NAMES:
            with self.subTest(name):
                result = self.cp("fat", f"shop/in-{name}:/small", code=1)
                self.assertEqual(result.err, "orchion: cannot write \"/small/fat\": no space is left there, free some "
                                             "first\n")
        self.no_helper()

    def test_links_of_a_container_lead_nowhere_else(self):
        secret = self.here / "secret"
        secret.write_text("the machine's")
        for name in NAMES:
            self.inside(f"in-{name}", "sh", "-c", f"busybox ln -sf {secret} /tmp/out; busybox ln -sf / /tmp/top")
            self.cp("-L", f"shop/in-{name}:/tmp/out", "stolen", code=3)
            self.cp("secret", f"shop/in-{name}:/tmp/top/tmp/in")
            self.assertEqual(self.inside(f"in-{name}", "cat", "/tmp/in"), "the machine's")

    def test_ports(self):
        for name in NAMES:
            with self.subTest(name):
                forward = Forward(self.cluster, f"shop/in-{name}", "0:80")
                self.assertEqual(forward.line, f"127.0.0.1:{forward.port} → shop/in-{name}:80\n")
                self.assertEqual(harness.fetch(f"http://127.0.0.1:{forward.port}/index.html") is not None, True)
                self.assertEqual(forward.end(), (130, ""))
        forward = Forward(self.cluster, "shop/program", "0:18090")
        self.assertIn("GNU", harness.fetch(f"http://127.0.0.1:{forward.port}/GPL-3"))
        forward.end()
        # A service of several tasks: one of them. By its own address, where it doesn't listen on its loopback.
        forward = Forward(self.cluster, "shop/two", "0:80", "--address", "127.0.0.2")
        self.assertEqual(harness.fetch(f"http://127.0.0.2:{forward.port}/"), "ok\n")
        forward.end()

    def test_a_connection_ends_half_by_half(self):
        forward = Forward(self.cluster, "shop/echo", "0:7000")
        answers = {}

        def talk(number):
            with socket.create_connection(("127.0.0.1", forward.port), timeout=30) as connection:
                text = f"{number} ".encode() * 50_000
                sender = threading.Thread(target=lambda: (connection.sendall(text),
                                                          connection.shutdown(socket.SHUT_WR)))
                sender.start()
                with connection.makefile("rb") as reader:
                    answers[number] = reader.read() == text
                sender.join()

        threads = [threading.Thread(target=talk, args=[number]) for number in range(20)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual((forward.end(), answers), ((130, ""), {number: True for number in range(20)}))

    def test_forwarding_goes_on_after_what_fails(self):
        forward = Forward(self.cluster, "shop/in-oci.1", "0:81")
        self.assertIsNone(harness.fetch(f"http://127.0.0.1:{forward.port}/"))
        code, said = forward.end()
        self.assertEqual(code, 130)
        self.assertEqual(said, f"orchion: a connection to port {forward.port} was closed: nothing listens on port 81 of "
                               "shop/in-oci.1\n")
        forward = Forward(self.cluster, "shop/in-oci", "0:80")
        self.cluster.stop()
        self.assertIsNone(harness.fetch(f"http://127.0.0.1:{forward.port}/"))
        self.cluster.start()
        harness.wait_for("a connection by the new server", lambda: harness.fetch(f"http://127.0.0.1:{forward.port}/"))
        self.assertEqual(forward.end()[0], 130)
        for code, words in ((3, ["shop/nope", "80"]), (3, ["shop/in-oci.9", "80"]), (2, ["shop/in-oci", "x"]),
                            (2, ["shop/in-oci", "80:0"])):
            result = self.cluster.run("port-forward", *words)
            self.assertEqual(result.code, code, result)


if __name__ == "__main__":
    harness.main()
