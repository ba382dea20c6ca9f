"""Jobs with files in everything that a machine may have: crun, Docker, Podman, containerd, no container."""

import hashlib
import io
import json
import os
import pathlib
import signal
import subprocess
import tarfile
import unittest

import engines
import harness

NAMES = ("oci", "docker", "podman", "containerd")
VARIABLES = {"docker": "DOCKER_HOST", "podman": "CONTAINER_HOST", "containerd": "CONTAINERD_ADDRESS"}

# Who may write to everything is refused all the same: 90 and 91. What it leaves has modes, a link and an empty folder.
COPY = """
mkdir -p /out/empty
cat /in/film.mov > /film
cat /notes/a "/notes/deep/b c" /notes/link > /out/all
/notes/deep/program > /out/ran
if touch /in/film.mov; then exit 90; fi
if touch /notes/new; then exit 91; fi
busybox chmod 750 /out/ran
busybox ln -s all /out/link
echo copied
exit {{CODE}}
"""

# As a user who owns nothing of what is given. Ends when told to, or when somebody opens the gate.
LONG = """
trap 'echo told to end >> /tmp/left; exit 5' TERM
cat /in/film.mov > /tmp/film
echo begun > /tmp/left
echo begun
while ! test -e /tmp/gate; do sleep 0.05; done
echo on its own >> /tmp/left
exit 3
"""

# Things are mounted below what it leaves, and links lead to it.
MIXED = """
echo own > /made/own
echo on the volume > /made/seen/file
echo in memory > /made/memory/file
echo model > /model-7
busybox ln -s model-7 /newest
busybox ln -s ../../../../../../etc /up
"""


def jobs(name):
    return f"""
    copy-{name}:
      image: busybox-test:latest
      executor: {name}
      command: [sh, -c, {json.dumps(COPY)}]
      parameters: {{CODE: "0"}}
      inputs: {{film: /in/film.mov, notes: /notes}}
      outputs: {{film: /film, folder: /out, nothing: {{path: /nowhere, optional: true}}}}
    long-{name}:
      image: busybox-test:latest
      executor: {name}
      user: "1000:1000"
      command: [sh, -c, {json.dumps(LONG)}]
      inputs: {{film: /in/film.mov}}
      outputs: {{film: /tmp/film, left: /tmp/left}}
    forgetful-{name}:
      image: busybox-test:latest
      executor: {name}
      command: ["true"]
      outputs: {{result: /result}}
    mixed-{name}:
      image: busybox-test:latest
      executor: {name}
      command: [sh, -c, {json.dumps(MIXED)}]
      volumes: ["seen:/made/seen"]
      tmpfs: ["/made/memory"]
      inputs: {{film: /made/in/film.mov, notes: /made/notes}}
      outputs: {{made: /made, newest: /newest, password: /up/passwd}}"""


def compose(folder):
    return f"""
name: shop
volumes: {{seen: {{}}}}
x-orchion:
  jobs:{"".join(jobs(name) for name in NAMES)}
    quick-podman:
      image: busybox-test:latest
      executor: podman
      command: [sh, -c, "mkdir /made; echo own > /made/own"]
      outputs: {{made: /made}}
    program:
      executor: process
      command: [busybox, sh, -c, "cat {folder}/trip.mov > {folder}/by-program; echo copied; exit {{{{CODE}}}}"]
      parameters: {{CODE: "0"}}
    long-program:
      executor: process
      command: [busybox, sh, -c, "echo begun; exec sleep 100000"]
"""


def tree(folder):
    """What a folder holds, as a program sees it: by name its kind, whether it can be run, and its content."""
    found = {}
    for path in sorted(folder.rglob("*")):
        if path.is_symlink():
            content = ("link", os.readlink(path))
        elif path.is_dir():
            content = ("folder",)
        else:
            content = ("program" if path.stat().st_mode & 0o100 else "file", path.read_bytes())
        found[str(path.relative_to(folder))] = content
    return found


class JobExecutors(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.engines = {}
        sockets = {}
        for kind, variable in VARIABLES.items():
            cls.engines[kind] = engines.Engine(kind)
            cls.addClassCleanup(cls.engines[kind].close)
            sockets[variable] = cls.engines[kind].start().socket
        cls.cluster = harness.Cluster(engines=sockets)
        cls.addClassCleanup(cls.cluster.close)
        cls.cluster.start()
        harness.busybox_image(cls.cluster, "busybox-test:latest")
        cls.before = harness.host_state(cls.cluster)
        cls.give_files()
        cls.file = harness.write(cls.cluster.folder / "shop", "compose.yaml", compose(cls.cluster.folder))
        cls.cluster.ok("up", "-f", cls.file, "--yes")

    @classmethod
    def tearDownClass(cls):
        """Nothing is left of all that, neither here nor in the engines."""
        check = cls()
        cls.cluster.ok("down", "-f", cls.file, "--volumes", "--yes")
        check.assertEqual(check.engines_hold(), {"docker": 0, "podman": 0, "containerd": 0})
        for place in ("inputs", "outputs"):
            check.assertEqual(list((cls.cluster.data / "agent" / place).rglob("*")), [])
        check.assertEqual(harness.host_state(cls.cluster), cls.before)

    @classmethod
    def give_files(cls):
        """Readable by their owner alone, here."""
        cls.film = cls.cluster.folder / "trip.mov"
        cls.film.write_bytes(os.urandom((3 << 20) + 7))
        cls.film.chmod(0o600)
        cls.notes = cls.cluster.folder / "notes"
        (cls.notes / "deep").mkdir(parents=True)
        (cls.notes / "a").write_text("one\n")
        (cls.notes / "deep/b c").write_text("two\n")
        (cls.notes / "deep/program").write_text("#!/bin/sh\necho ran\n")
        (cls.notes / "deep/program").chmod(0o700)
        (cls.notes / "link").symlink_to("deep/b c")

    def job(self, *arguments):
        return self.cluster.run("job", *arguments)

    def newest(self, job):
        return json.loads(self.cluster.ok("job", "history", f"shop/{job}", "-o", "json"))["runs"][0]

    def address(self, job):
        return f"shop/{self.newest(job)['meta']['name']}"

    def fetch(self, run, output):
        """The file that it left, as it is on disk here."""
        place = self.cluster.folder / "fetched"
        self.cluster.ok("job", "artifact", run, output, "--to", place)
        content = place.read_bytes()
        place.unlink()
        return content

    def archive(self, run, output):
        """What it left, as the API has it."""
        command = [harness.ORCHION, "job", "artifact", run, output, "--to", "-"]
        made = subprocess.run(command, capture_output=True, env=self.cluster.environment(), check=True).stdout
        return tarfile.open(fileobj=io.BytesIO(made))

    def members(self, run, output):
        with self.archive(run, output) as tar:
            return sorted((m.name.rstrip("/"), m.type, oct(m.mode & 0o7777), m.uid, m.gid, m.size, m.linkname)
                          for m in tar)

    def contents(self, run, output):
        """By name what is in a file, where a link leads to, and nothing of a folder."""
        with self.archive(run, output) as tar:
            return {m.name.rstrip("/"): tar.extractfile(m).read() if m.isfile() else m.linkname.encode() for m in tar}

    def assert_same_bytes(self, found, expected):
        self.assertEqual((len(found), hashlib.sha256(found).hexdigest()),
                         (len(expected), hashlib.sha256(expected).hexdigest()))

    def engines_hold(self):
        """By executor, how many containers of this cluster it has, running or not."""
        held = {}
        for kind in ("docker", "podman"):
            held[kind] = len(json.loads(self.engines[kind].engine_api("/v1.40/containers/json?all=1")))
        identity = (self.cluster.data / "cluster-id").read_text()[:6]
        listed = subprocess.run(["ctr", "--address", self.engines["containerd"].socket, "--namespace",
                                 f"orchion-{identity}", "containers", "list", "--quiet"],
                                capture_output=True, text=True, check=True)
        held["containerd"] = len(listed.stdout.split())
        return held

    def begin_long(self, name):
        """A run that is at work, its address and process."""
        self.cluster.ok("job", "run", f"shop/long-{name}", "--input", f"film={self.film}")
        run = self.address(f"long-{name}")
        harness.wait_for(f"the output of {run}", lambda: "begun" in self.job("logs", run).out)
        status = self.task_status(run)
        self.assertEqual((status["state"], status["executor"]), ("RUNNING", name))
        return run, int(status["pid"])

    def task_status(self, run):
        tasks = [t for t in self.cluster.tasks("shop") if f"shop/{t['spec'].get('run')}" == run]
        self.assertEqual(len(tasks), 1, tasks)
        return tasks[0]["status"]

    def state(self, job):
        return self.newest(job)["status"]["state"]

    def test_files_there_and_back(self):
        members = {}
        for name in NAMES:
            with self.subTest(name):
                for code in (0, 7):
                    out = self.job("run", f"shop/copy-{name}", "--param", f"CODE={code}", "--input",
                                   f"film={self.film}", "--input", f"notes={self.notes}", "--follow")
                    self.assertEqual((out.code, out.out), (code, "copied\n"), out)
                    run = self.address(f"copy-{name}")
                    self.assert_same_bytes(self.fetch(run, "film"), self.film.read_bytes())
                    folder = self.cluster.folder / f"of-{name}-{code}"
                    folder.mkdir()
                    self.cluster.ok("job", "artifact", run, "folder", "--to", folder)
                    self.assertEqual(tree(folder), {
                        "out": ("folder",), "out/empty": ("folder",), "out/all": ("file", b"one\ntwo\ntwo\n"),
                        "out/ran": ("program", b"ran\n"), "out/link": ("link", "all")})
                    self.assertEqual(self.newest(f"copy-{name}")["status"].get("exitCode", 0), code)
                    absent = self.job("artifact", run, "nothing", "--to", folder)
                    self.assertNotEqual(absent.code, 0, absent)
                    self.assertIn("left no output nothing", absent.err)
                    members[name, code] = self.members(run, "folder")
        # Whoever reads the API needn't know what it ran in.
        for key, found in members.items():
            self.assertEqual(found, members["oci", 0], key)

    def test_a_cancelled_run(self):
        for name in NAMES:
            with self.subTest(name):
                run, pid = self.begin_long(name)
                self.cluster.ok("job", "cancel", run)
                harness.wait_for(f"the end of {run}", lambda: self.state(f"long-{name}") == "RUN_CANCELLED")
                harness.wait_for(f"the end of its process {pid}", lambda: not pathlib.Path(f"/proc/{pid}").exists())
                # It was asked to end, not killed; what it had made by then is kept.
                self.assertEqual(self.fetch(run, "left"), b"begun\ntold to end\n")
                self.assert_same_bytes(self.fetch(run, "film"), self.film.read_bytes())
        harness.wait_for("no containers in the engines", lambda: not any(self.engines_hold().values()))

    def test_what_ends_while_the_server_is_away(self):
        begun = {name: self.begin_long(name) for name in NAMES}
        self.assertEqual(self.engines_hold(), {"docker": 1, "podman": 1, "containerd": 1})
        self.cluster.stop(signal.SIGKILL)
        for run, pid in begun.values():
            pathlib.Path(f"/proc/{pid}/root/tmp/gate").touch()
        for run, pid in begun.values():
            harness.wait_for(f"the end of {run}", lambda: not pathlib.Path(f"/proc/{pid}").exists())
        self.cluster.start()
        for name, (run, _) in begun.items():
            with self.subTest(name):
                harness.wait_for(f"the end of {run} to be known", lambda: self.state(f"long-{name}") == "RUN_FAILED")
                self.assertEqual(self.newest(f"long-{name}")["status"]["exitCode"], 3)
                self.assertEqual(self.fetch(run, "left"), b"begun\non its own\n")
                self.assert_same_bytes(self.fetch(run, "film"), self.film.read_bytes())

    def test_an_output_that_is_missing(self):
        for name in NAMES:
            with self.subTest(name):
                out = self.job("run", f"shop/forgetful-{name}", "--wait")
                self.assertEqual(out.code, 1, out)
                self.assertIn("left no output result: there is no /result", out.err)

    def test_mounts_and_links(self):
        own = {"made": "", "made/in": "", "made/in/film.mov": "", "made/memory": "", "made/notes": "",
               "made/own": "own\n", "made/seen": ""}
        for name in NAMES:
            with self.subTest(name):
                out = self.job("run", f"shop/mixed-{name}", "--input", f"film={self.film}", "--input",
                               f"notes={self.notes}", "--wait")
                self.assertEqual(out.code, 0, out)
                run = self.address(f"mixed-{name}")
                expected = dict(own)
                if name == "docker":  # hands out what is mounted too, but for what was in memory
                    expected |= {"made/in/film.mov": self.film.read_bytes(), "made/notes/a": "one\n",
                                 "made/notes/deep": "", "made/notes/deep/b c": "two\n",
                                 "made/notes/deep/program": "#!/bin/sh\necho ran\n", "made/notes/link": "deep/b c",
                                 "made/seen/file": "on the volume\n"}
                self.assertEqual(self.contents(run, "made"), {
                    path: content if isinstance(content, bytes) else content.encode()
                    for path, content in expected.items()})
                # Podman follows a link; the others keep it.
                newest = b"model\n" if name == "podman" else b"model-7"
                self.assertEqual(self.contents(run, "newest"), {"newest": newest})
                # No link leads out of the container.
                self.assertIn(b"web:x:1000", self.contents(run, "password")["passwd"])
                self.assertNotIn(b"daemon", self.contents(run, "password")["passwd"])

    def test_what_is_mounted_is_no_output(self):
        for where, mounted in (("/seen/a", "/seen"), ("/memory", "/memory"), ("/in/film/..//film", "/in/film")):
            file = harness.write(self.cluster.folder / "mounted", "compose.yaml", f"""
name: mounted
volumes: {{seen: {{}}}}
x-orchion:
  jobs:
    one:
      image: busybox-test:latest
      command: ["true"]
      volumes: ["seen:/seen"]
      tmpfs: [/memory]
      inputs: {{film: /in/film}}
      outputs: {{result: {where}}}
""")
            refused = self.cluster.run("up", "-f", file, "--yes")
            self.assertEqual(refused.code, 1, refused)
            self.assertIn(f"{where} is on what is mounted at {mounted}: an output is one of the container's own files",
                          refused.err)

    def test_podman_loses_nothing_while_it_cleans_up(self):
        """It puts an ended container away while its files are read."""
        for _ in range(10):
            out = self.job("run", "shop/quick-podman", "--wait")
            self.assertEqual(out.code, 0, out)
            self.assertEqual(self.contents(self.address("quick-podman"), "made"), {"made": b"", "made/own": b"own\n"})

    def test_a_program_of_the_node(self):
        """It has the node's files, and says so to who would give it others."""
        for code in (0, 7):
            out = self.job("run", "shop/program", "--param", f"CODE={code}", "--follow")
            self.assertEqual((out.code, out.out), (code, "copied\n"), out)
            left = self.cluster.folder / "by-program"
            self.assert_same_bytes(left.read_bytes(), self.film.read_bytes())
            left.unlink()
        self.cluster.ok("job", "run", "shop/long-program")
        run = self.address("long-program")
        harness.wait_for("its output", lambda: "begun" in self.job("logs", run).out)
        pid = int(self.task_status(run)["pid"])
        self.cluster.ok("job", "cancel", run)
        harness.wait_for("its end", lambda: self.state("long-program") == "RUN_CANCELLED")
        harness.wait_for("the end of its process", lambda: not pathlib.Path(f"/proc/{pid}").exists())

        for key in ("inputs", "outputs"):
            file = harness.write(self.cluster.folder / key, "compose.yaml", f"""
name: {key}
x-orchion:
  jobs:
    program:
      executor: process
      command: [busybox, "true"]
      {key}: {{film: /tmp/film}}
""")
            refused = self.cluster.run("up", "-f", file, "--yes")
            self.assertEqual(refused.code, 1, refused)
            self.assertRegex(refused.err, rf"compose.yaml:\d+:\d+: `{key}` mean nothing to a program of the node, "
                             "which has the node's own files: remove them, or the executor")
            self.assertNotIn(f"{key}/", self.cluster.ok("job", "ls"))


if __name__ == "__main__":
    harness.main()
