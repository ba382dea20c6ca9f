"""Images leave as archives that other tools take, and pulls show how far they are."""

import json
import os
import select
import shutil
import socket
import subprocess
import threading
import time
import unittest
import urllib.request

import engines
import harness

REGISTRY = 5056
SLOW = 5057  # the same registry, through a slow line
BYTES_PER_SECOND = 3 << 20


class SlowLine(threading.Thread):
    """Carries answers of the registry at that rate."""

    def __init__(self):
        super().__init__(daemon=True)
        self.listener = socket.create_server(("127.0.0.1", SLOW))

    def run(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.carry, args=(client,), daemon=True).start()

    def carry(self, client):
        with client, socket.create_connection(("127.0.0.1", REGISTRY)) as server:
            began, sent = time.monotonic(), 0
            while True:
                for ready in select.select([client, server], [], [])[0]:
                    try:
                        data = ready.recv(16 << 10)
                        (server if ready is client else client).sendall(data)
                    except OSError:
                        return
                    if not data:
                        return
                    sent += len(data) if ready is server else 0
                    # What came early waits for its time.
                    time.sleep(max(0, sent / BYTES_PER_SECOND - (time.monotonic() - began)))

    def close(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()


class Images(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.docker = engines.Engine("docker").start()
        cls.addClassCleanup(cls.docker.close)
        cls.cluster = harness.Cluster(engines={"DOCKER_HOST": cls.docker.socket}).start()
        cls.addClassCleanup(cls.cluster.close)
        for name in ("one:1", "team/two:2"):
            harness.busybox_image(cls.cluster, name)

    def in_docker(self, *arguments):
        done = subprocess.run(["docker", "--host", f"unix://{self.docker.socket}", *map(str, arguments)],
                              capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout

    def digests(self):
        return {i["meta"]["name"]: i["status"]["digest"] for i in self.cluster.json("image", "ls")["images"]}

    def test_an_archive_is_taken_by_all(self):
        file = self.cluster.folder / "one.tar"
        self.cluster.ok("image", "save", "one:1", "-o", file)
        self.assertIn("Loaded image: one:1", self.in_docker("load", "-i", file))
        self.addCleanup(self.in_docker, "rmi", "one:1")
        folder = self.cluster.folder / "podman"
        loaded = subprocess.run(["podman", f"--root={folder}/root", f"--runroot={folder}/run", "--storage-driver=vfs",
                                 "load", "-i", file], capture_output=True, text=True)
        self.assertEqual(loaded.returncode, 0, loaded.stderr)
        self.assertIn("docker.io/library/one:1", loaded.stdout)
        for transport in ("oci-archive", "docker-archive"):
            subprocess.run(["skopeo", "inspect", f"{transport}:{file}"], check=True, capture_output=True)
        before = self.digests()
        self.cluster.ok("image", "rm", "one:1")
        self.assertEqual(self.cluster.ok("image", "load", "-i", file), "docker.io/library/one:1\n")
        self.assertEqual(self.digests(), before, "it comes back as it was")

    def test_several_in_one_and_through_a_pipe(self):
        command = [str(harness.ORCHION), "image", "save", "one:1", "team/two:2", "-o", "-"]
        saved = subprocess.run(command, env=self.cluster.environment(), capture_output=True)
        self.assertEqual(saved.returncode, 0, saved.stderr)
        file = self.cluster.folder / "both.tar"
        file.write_bytes(saved.stdout)
        text = self.in_docker("load", "-i", file)
        self.addCleanup(self.in_docker, "rmi", "one:1", "team/two:2")
        self.assertIn("Loaded image: one:1", text)
        self.assertIn("Loaded image: team/two:2", text)
        self.cluster.ok("image", "import", file, "team/two:2")

        missing = self.cluster.run("image", "save", "nope:1", "-o", self.cluster.folder / "nope.tar")
        self.assertEqual(missing.code, 3, missing)
        self.assertEqual([p.name for p in self.cluster.folder.iterdir() if p.name.startswith("nope")], [])

    def test_what_only_an_engine_has(self):
        root = harness.busybox_root(self.cluster.folder / "engine-root")
        archive = self.cluster.folder / "engine-root.tar"
        subprocess.run(["tar", "-C", root, "-cf", archive, "."], check=True)
        self.in_docker("import", archive, "engines/own:1")
        self.addCleanup(self.in_docker, "rmi", "engines/own:1")
        file = self.cluster.folder / "own.tar"
        self.cluster.ok("image", "save", "engines/own:1", "-o", file)
        self.assertEqual(self.cluster.ok("image", "load", "-i", file), "docker.io/engines/own:1\n")
        self.cluster.ok("image", "rm", "engines/own:1")

    def test_docker_builds_for_its_own_services(self):
        project = self.cluster.folder / "dock"
        harness.write(project, "Dockerfile",
                      "FROM scratch\nCOPY busybox /bin/busybox\nCOPY said /said\n"
                      "CMD [\"/bin/busybox\", \"sleep\", \"1000\"]\n")
        harness.write(project, "said", "one\n")
        shutil.copy("/bin/busybox", project / "busybox")
        harness.write(project, "compose.yaml", "services: {web: {build: ., stop_signal: SIGKILL, "
                      "x-orchion: {executor: docker}}}")
        self.addCleanup(self.cluster.run, "down", "--stack", "dock", "--yes")
        first = self.cluster.run("up", "--yes", cwd=project)
        self.assertEqual(first.code, 0, first)
        self.assertIn("building web with docker", first.err)
        self.assertEqual(self.cluster.ok("exec", "dock/web", "--", "/bin/busybox", "cat", "/said"), "one\n")
        before = self.cluster.tasks("dock")[0]
        self.assertEqual(before["status"]["executor"], "docker")
        self.cluster.ok("up", "--build", "--yes", cwd=project)
        self.assertEqual(self.cluster.tasks("dock")[0]["meta"]["uid"], before["meta"]["uid"])
        harness.write(project, "said", "two\n")
        self.cluster.ok("up", "--build", "--yes", cwd=project)
        self.assertEqual(self.cluster.ok("exec", "dock/web", "--", "/bin/busybox", "cat", "/said"), "two\n")

    def start_registry(self):
        config = harness.write(self.cluster.folder, "registry.yml", f"""
version: 0.1
storage: {{filesystem: {{rootdirectory: {self.cluster.folder}/registry}}}}
http: {{addr: "127.0.0.1:{REGISTRY}"}}
""")
        registry = subprocess.Popen(["docker-registry", "serve", config], stdout=subprocess.DEVNULL,
                                    stderr=subprocess.DEVNULL)
        self.addCleanup(registry.wait)
        self.addCleanup(registry.terminate)
        harness.wait_for("the registry", lambda: harness.fetch(f"http://127.0.0.1:{REGISTRY}/v2/") is not None)
        line = SlowLine()
        line.start()
        self.addCleanup(line.close)

    def test_what_is_built_is_pushed_and_tagged(self):
        self.start_registry()
        project = self.cluster.folder / "pushed"
        harness.write(project, "compose.yaml", f"""
services:
  web:
    image: 127.0.0.1:{REGISTRY}/team/web:1
    build: {{dockerfile_inline: "FROM scratch\\nCOPY compose.yaml /\\n", tags: ["pushed/other:2"]}}
""")
        storage = harness.write(self.cluster.folder, "storage.conf", f"""
[storage]
driver = "vfs"
graphroot = "{self.cluster.folder}/builder/root"
runroot = "{self.cluster.folder}/builder/run"
""")
        built = self.cluster.run("build", "--push", "--builder", "buildah", "--progress", "quiet", cwd=project,
                                 env={"CONTAINERS_STORAGE_CONF": str(storage)})
        self.assertEqual(built.code, 0, built)
        self.assertEqual((built.out, built.err), (f"127.0.0.1:{REGISTRY}/team/web:1\n", ""))
        tags = harness.fetch(f"http://127.0.0.1:{REGISTRY}/v2/team/web/tags/list")
        self.assertEqual(json.loads(tags)["tags"], ["1"])
        digests = self.digests()
        self.assertEqual(digests["docker.io/pushed/other:2"], digests[f"127.0.0.1:{REGISTRY}/team/web:1"])
        for name in ("pushed/other:2", f"127.0.0.1:{REGISTRY}/team/web:1"):
            self.cluster.ok("image", "rm", name)

    def watch(self, pulls, opened):
        """Collects what the server says about pulls, until one has ended."""
        request = urllib.request.Request("http://127.0.0.1:4600/v1/pulls",
                                         headers={"Authorization": f"Bearer {self.cluster.token()}"})
        with urllib.request.urlopen(request, timeout=60) as response:
            opened.set()
            for line in response:
                if line.startswith(b"data:"):
                    pulls.append(json.loads(line.removeprefix(b"data:")))
                    if pulls[-1]["ended"]:
                        return

    def test_a_pull_shows_how_far_it_is(self):
        self.start_registry()
        layer = self.cluster.folder / "layer"
        layer.mkdir()
        (layer / "data").write_bytes(os.urandom(6 << 20))
        archive = self.cluster.folder / "big.tar"
        subprocess.run(["tar", "-C", layer, "-cf", archive, "."], check=True)
        self.cluster.ok("image", "import", archive, "big:1")
        self.cluster.ok("image", "push", "big:1", f"127.0.0.1:{REGISTRY}/big:1", "--plain-http")
        self.cluster.ok("image", "rm", "big:1")

        pulls, opened = [], threading.Event()
        watcher = threading.Thread(target=self.watch, args=(pulls, opened))
        watcher.start()
        self.assertTrue(opened.wait(30))
        pulled = self.cluster.run("image", "pull", f"127.0.0.1:{SLOW}/big:1", "--progress", "tty")
        self.assertEqual(pulled.code, 0, pulled)
        watcher.join(60)
        self.assertFalse(watcher.is_alive())
        name = self.cluster.json("node", "ls")["nodes"][0]["meta"]["name"]
        self.assertEqual({(p["reference"], p["node"]) for p in pulls}, {(f"127.0.0.1:{SLOW}/big:1", name)})
        done = [int(p["doneBytes"]) for p in pulls]
        totals = {int(p["totalBytes"]) for p in pulls} - {0}
        self.assertEqual(len(totals), 1, pulls)
        total = totals.pop()
        self.assertGreater(total, 6 << 20)
        self.assertEqual(done, sorted(done), "it only grows")
        self.assertGreater(len({d for d in done if 0 < d < total}), 2, "step by step")
        self.assertEqual(done[-1], total)
        shown = r"pulling [0-9]+\.[0-9] of 6\.[0-9] MB  [0-9]+\.[0-9] MB/s"
        self.assertRegex(pulled.err, shown)

        self.cluster.ok("image", "rm", f"127.0.0.1:{SLOW}/big:1")
        file = harness.write(self.cluster.folder, "slow/compose.yaml", f"""
services: {{web: {{image: "127.0.0.1:{SLOW}/big:1", command: [/nothing], restart: "no"}}}}
""")
        self.addCleanup(self.cluster.run, "down", "--stack", "slow", "--yes")
        # The image holds no program.
        self.assertEqual((up := self.cluster.run("up", "-f", file, "--yes", "--progress", "tty")).code, 1, up)
        self.assertRegex(up.err, "web  0/1  " + shown)


if __name__ == "__main__":
    harness.main()
