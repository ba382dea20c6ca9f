"""In front of a container: `attach`, and `run -it`, in everything that a machine may have."""

import fcntl
import os
import pty
import select
import signal
import struct
import subprocess
import termios
import time
import unittest

import engines
import harness

NAMES = ("oci", "docker", "podman", "containerd", "process")
VARIABLES = {"docker": "DOCKER_HOST", "podman": "CONTAINER_HOST", "containerd": "CONTAINERD_ADDRESS"}
KEYS = b"\x10\x11"


def service(name, script, executor, options=""):
    image = "" if executor == "process" else "image: busybox-test:latest, "
    words = '["/bin/busybox", sh, -c, ' if executor == "process" else "[sh, -c, "
    return f"  {name}: {{{image}command: {words}{script!r}], stop_signal: SIGKILL, {options}" \
           f"x-orchion: {{executor: {executor}}}}}\n"


# One that doesn't edit lines: what is typed comes back by the terminal alone. A signal interrupts the line.
SHELL = ("trap : INT; echo ready; while :; do printf '# '; read -r line || [ $$? -gt 1 ] || exit; "
         "eval $$line; done")


def compose():
    text = "name: shop\nservices:\n"
    for name in NAMES:
        text += service(f"shell-{name}", SHELL, name, 'stdin_open: true, tty: true, restart: "no", ')
        text += service(f"pipe-{name}", "echo early; cat; exit 4", name, 'stdin_open: true, restart: "no", ')
    return text + service("deaf", "echo heard; sleep 100000", "oci")


class Terminal:
    """The command line on a terminal of its own."""

    def __init__(self, test, *words, size=(33, 101)):
        self.seen = b""
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", *size, 0, 0))
            os.chdir(test.folder)
            os.execve(harness.ORCHION, [str(harness.ORCHION), *words], dict(test.cluster.environment(), TERM="xterm"))
        self.test = test

    def expect(self, needle, seconds=60):
        """What comes up to it, without what came before."""
        deadline = time.monotonic() + seconds
        while needle not in self.seen:
            self.test.assertLess(time.monotonic(), deadline, f"{needle} is missing: {self.seen}")
            if select.select([self.fd], [], [], 0.5)[0]:
                self.seen += self.read()
        found, _, self.seen = self.seen.partition(needle)
        return found

    def read(self):
        try:
            data = os.read(self.fd, 65536)
        except OSError:
            data = b""
        self.test.assertTrue(data, f"the terminal ended after {self.seen}")
        return data

    def type(self, keys):
        os.write(self.fd, keys)

    def resize(self, rows, columns):
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def end(self):
        """Its exit code, once it has printed the rest."""
        while True:
            try:
                data = os.read(self.fd, 65536)
            except OSError:
                data = b""
            if not data:
                break
            self.seen += data
        _, status = os.waitpid(self.pid, 0)
        os.close(self.fd)
        return os.waitstatus_to_exitcode(status)


class Attach(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.engines = {}
        for kind in VARIABLES:
            cls.engines[kind] = engines.Engine(kind).start()
            cls.addClassCleanup(cls.engines[kind].close)
        cls.cluster = harness.Cluster(engines={VARIABLES[k]: e.socket for k, e in cls.engines.items()})
        cls.addClassCleanup(cls.cluster.close)
        cls.cluster.start()
        harness.busybox_image(cls.cluster, "busybox-test:latest")
        cls.file = harness.write(cls.cluster.folder, "shop/compose.yaml", compose())
        cls.folder = cls.file.parent

    def run_here(self, *words, **options):
        return self.cluster.run(*words, cwd=self.folder, **options)

    def each(self):
        for name in NAMES:
            with self.subTest(name):
                yield name

    def state(self, service):
        return {t["spec"]["service"]: t["status"]["state"] for t in self.cluster.tasks("shop")}.get(service)

    def test_a_new_container_on_this_terminal(self):
        for name in self.each():
            terminal = Terminal(self, "run", "-it", f"shell-{name}")
            terminal.expect(b"ready\r\n")
            terminal.expect(b"# ")
            terminal.type(b"stty size; echo $((40+2))\n")
            terminal.expect(b"33 101\r\n42\r\n")
            terminal.resize(44, 55)
            # The size travels beside what is typed.
            harness.wait_for("the new size", lambda: self.has_size(terminal, b"44 55"))
            terminal.type(b"\x03exit 5\n")
            self.assertEqual(terminal.end(), 5, terminal.seen)
            self.assertEqual([t for t in self.cluster.tasks("shop") if "-run-" in t["spec"]["service"]], [])

    def has_size(self, terminal, size):
        terminal.type(b"stty size\n")
        terminal.expect(b"stty size\r\n")
        return terminal.expect(b"\r\n") == size

    def test_a_new_container_in_a_pipe(self):
        for name in self.each():
            fed = self.run_here("run", "-i", f"pipe-{name}", stdin="one\ntwo")
            self.assertEqual((fed.code, fed.out), (4, "early\none\ntwo"), fed)
        bytes_in = bytes(range(256)) * 4000
        fed = subprocess.run([harness.ORCHION, "run", "-i", "busybox-test:latest", "--", "cat"], input=bytes_in,
                             capture_output=True, env=self.cluster.environment(), timeout=60)
        self.assertEqual(fed.returncode, 0, fed.stderr)
        self.assertTrue(fed.stdout == bytes_in, f"{len(fed.stdout)} bytes came back")
        quick = self.run_here("run", "-i", "busybox-test:latest", "--", "sh", "-c", "echo quick; exit 3", stdin="x")
        self.assertEqual((quick.code, quick.out), (3, "quick\n"), quick)
        refused = self.run_here("run", "-it", "busybox-test:latest", stdin="")
        self.assertEqual(refused.code, 2, refused)
        self.assertIn("-t needs a terminal", refused.err)

    def test_leaving_and_coming_back(self):
        self.cluster.ok("up", "-f", self.file, "--yes")
        self.addCleanup(self.cluster.ok, "down", "--stack", "shop", "--yes")
        for name in self.each():
            self.leave_and_come_back(name)
        for name in self.each():
            self.listen(name)
        self.cluster.stop(signal.SIGKILL)
        self.cluster.start()
        harness.wait_for("the node", lambda: self.run_here("exec", "shop/shell-oci", "--", "true").code == 0)
        for name in self.each():
            self.after_the_agent(name)
        refused = self.run_here("attach", "shop/nothing")
        self.assertEqual(refused.code, 3, refused)

    def leave_and_come_back(self, name):
        terminal = Terminal(self, "attach", f"shop/shell-{name}")
        terminal.expect(b"ready\r\n")
        terminal.expect(b"# ")
        terminal.type(b"x=kept\n")
        terminal.expect(b"# ")
        terminal.type(KEYS)
        self.assertEqual(terminal.end(), 0, terminal.seen)
        self.assertIn(b"detached", terminal.seen)
        self.assertEqual(self.state(f"shell-{name}"), "RUNNING")
        first, second = (Terminal(self, "attach", f"shop/shell-{name}.1") for _ in range(2))
        for other in (first, second):
            other.expect(b"x=kept\r\n")
        first.type(b"echo $x-$x\n")
        for other in (first, second):
            other.expect(b"kept-kept\r\n")
            other.type(KEYS)
            self.assertEqual(other.end(), 0)

    def listen(self, name):
        """One who only listens is interrupted, and one whose input ends isn't the end of the container."""
        process = subprocess.Popen([harness.ORCHION, "attach", f"shop/pipe-{name}", "--no-stdin"],
                                   env=self.cluster.environment(), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE)
        self.assertEqual(process.stdout.readline(), b"early\n")
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=20)
        self.assertEqual(process.returncode, 130)
        self.assertEqual(self.state(f"pipe-{name}"), "RUNNING")

    def after_the_agent(self, name):
        terminal = Terminal(self, "attach", f"shop/shell-{name}")
        terminal.expect(b"kept-kept\r\n")
        terminal.type(b"echo $x-again\n")
        terminal.expect(b"kept-again\r\n")
        terminal.type(b"exit 6\n")
        self.assertEqual(terminal.end(), 6, terminal.seen)
        fed = self.run_here("attach", f"shop/pipe-{name}", stdin="last")
        self.assertEqual((fed.code, fed.out), (4, "early\nlast"), fed)
        ended = self.run_here("attach", f"shop/pipe-{name}")
        self.assertEqual((ended.code, ended.out), (4, "early\nlast"), "what it was is still there")

    def test_what_takes_no_input_is_listened_to(self):
        self.cluster.ok("up", "-f", self.file, "--yes")
        self.addCleanup(self.cluster.ok, "down", "--stack", "shop", "--yes")
        process = subprocess.Popen([harness.ORCHION, "attach", "shop/deaf"], env=self.cluster.environment(),
                                   stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.assertEqual(process.stdout.readline(), b"heard\n")
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=20)
        wrong = self.run_here("attach", "shop/deaf", "--detach-keys", "ctrl-1")
        self.assertEqual(wrong.code, 2, wrong)


if __name__ == "__main__":
    harness.main()
