"""One stack whose services run in everything that a machine may have: crun, Docker, Podman, containerd, no container."""

import json
import subprocess
import unittest

import engines
import harness

NAMES = ("oci", "docker", "podman", "containerd")
OTHERS = {"mine-docker": ("docker", "created"), "mine-podman": ("podman", "created"),
          "mine-containerd": ("containerd", "no process")}
VARIABLES = {"docker": "DOCKER_HOST", "podman": "CONTAINER_HOST", "containerd": "CONTAINERD_ADDRESS"}


def compose():
    services = []
    for index, name in enumerate(NAMES):
        services.append(f"""
  in-{name}:
    image: busybox-test:latest
    command: [sh, -c, "echo {name} is ready; exec httpd -f -p 80 -h /www"]
    stop_signal: SIGKILL
    ports: ["{18080 + index}:80"]
    volumes: ["data-{name}:/data"]
    mem_limit: 64m
    x-orchion: {{executor: {name}}}""")
    return f"""
services:{"".join(services)}
  program:
    command: [busybox, httpd, -f, -p, "18090", -h, /usr/share/common-licenses]
    x-orchion: {{executor: process}}
volumes: {{{", ".join(f"data-{name}: {{}}" for name in NAMES)}}}
"""


class Executors(unittest.TestCase):
    def setUp(self):
        self.engines = {}
        sockets = {}
        for kind, variable in VARIABLES.items():
            self.engines[kind] = engines.Engine(kind).start()
            self.addCleanup(self.engines[kind].close)
            sockets[variable] = self.engines[kind].socket
        self.cluster = harness.Cluster(engines=sockets)
        self.addCleanup(self.cluster.close)
        self.cluster.start()
        harness.busybox_image(self.cluster, "busybox-test:latest")
        self.file = harness.write(self.cluster.folder, "shop/compose.yaml", compose())

    def page(self, port, path="/index.html"):
        try:
            return harness.fetch(f"http://127.0.0.1:{port}{path}")
        except OSError:
            return None

    def places(self):
        return {t["spec"]["service"]: t["status"] for t in self.cluster.tasks("shop")}

    def test_one_stack_in_all_of_them(self):
        found = self.cluster.json("node", "ls")["nodes"][0]["status"]["capabilities"]["runtimes"]
        self.assertEqual([r["executor"] for r in found], [*NAMES, "process"])
        self.assertEqual([r["executor"] for r in found if r.get("isDefault")], ["oci"])
        self.cluster.ok("up", "-f", self.file, "--yes")
        self.assertEqual({s.removeprefix("in-"): t["executor"] for s, t in self.places().items()},
                         {name: name for name in NAMES} | {"program": "process"})

        for index, name in enumerate(NAMES):
            with self.subTest(name):
                harness.wait_for(f"the port of {name}", lambda: self.page(18080 + index) == "ok\n")
                self.assertIn(f"{name} is ready", self.cluster.ok("logs", f"shop/in-{name}"))
                said = self.cluster.ok("exec", f"shop/in-{name}", "--", "sh", "-c", "echo hi; touch /data/here")
                self.assertEqual(said, "hi\n")
                self.assertEqual(self.cluster.run("exec", f"shop/in-{name}", "--", "sh", "-c", "exit 7").code, 7)
                # By name, to and from each of the others.
                for other in NAMES:
                    page = self.cluster.ok("exec", f"shop/in-{name}", "--", "wget", "-qO-", f"http://in-{other}/")
                    self.assertEqual(page, "ok\n")
        self.assertIn("GNU", self.page(18090, "/GPL-3"))

        self.use()
        self.see_others()
        self.recover()
        self.adopt()
        self.leave_alone()
        self.cluster.ok("down", "--stack", "shop", "--yes", "--volumes")
        self.assertEqual(self.cluster.tasks("shop"), [])
        self.assertEqual(self.others(), OTHERS)
        for kind in ("docker", "podman"):
            left = json.loads(self.engines[kind].engine_api("/v1.40/containers/json?all=1"))
            self.assertEqual([container["Names"] for container in left], [[f"/mine-{kind}"]])

    def use(self):
        """What each uses is known, whatever runs it."""
        usages = {usage["service"].removeprefix("in-"): usage for usage in self.cluster.json("top", "shop")["tasks"]}
        self.assertEqual(set(usages), {*NAMES, "program"})
        for name in NAMES:
            with self.subTest(name):
                self.assertEqual(int(usages[name]["memoryLimitBytes"]), 64 << 20)
                self.assertTrue(0 < int(usages[name]["memoryBytes"]) < 32 << 20, usages[name])
                self.assertGreater(int(usages[name]["cpuNanoseconds"]), 0)
                self.assertGreater(int(usages[name]["networkReceivedBytes"]), 0)
                self.assertEqual(usages[name]["processes"], 1)
        self.assertEqual((usages["program"]["networkReceivedBytes"], usages["program"]["processes"]), ("0", 1))

    def recover(self):
        """What is killed comes back in the same place, with its names and ports."""
        before = self.places()
        for name in NAMES:
            subprocess.run(["kill", "-KILL", str(before[f"in-{name}"]["pid"])], check=True)
        for index, name in enumerate(NAMES):
            harness.wait_for(f"{name} again", lambda: self.places()[f"in-{name}"].get("restarts", 0) == 1
                             and self.places()[f"in-{name}"]["state"] == "RUNNING")
            harness.wait_for(f"the port of {name} again", lambda: self.page(18080 + index) == "ok\n")
            self.cluster.ok("exec", f"shop/in-{name}", "--", "test", "-e", "/data/here")
            logs = self.cluster.ok("logs", f"shop/in-{name}")
            self.assertEqual(logs.count(f"{name} is ready"), 2, logs)

    def adopt(self):
        """Neither a killed server nor killed engines end what runs."""
        before = {name: (status["pid"], status["attempt"]) for name, status in self.places().items()}
        self.cluster.stop(how=9)
        for kind in ("docker", "containerd"):
            # What Docker keeps running through its own end is up to its settings: containerd's always goes on.
            if kind == "containerd":
                self.engines[kind].kill()
                self.engines[kind].start()
        self.cluster.start()
        harness.wait_for("the same processes", lambda: {
            name: (status.get("pid"), status["attempt"]) for name, status in self.places().items()} == before)
        for index, name in enumerate(NAMES):
            harness.wait_for(f"the port of {name} still", lambda: self.page(18080 + index) == "ok\n")

    def see_others(self):
        """Containers that somebody else made are shown to those who ask, and outlive everything that orchion does."""
        root = harness.busybox_root(self.cluster.folder / "foreign")
        archive = self.cluster.folder / "foreign.tar"
        subprocess.run(["tar", "-C", root, "-cf", archive, "."], check=True)
        for kind in ("docker", "podman"):
            docker = ["docker", "--host", f"unix://{self.engines[kind].socket}"]
            subprocess.run([*docker, "import", archive, "mine:1"], check=True, capture_output=True)
            subprocess.run([*docker, "create", "--name", f"mine-{kind}", "mine:1", "sleep", "1000"], check=True,
                           capture_output=True)
        subprocess.run(["ctr", "--address", self.engines["containerd"].socket, "--namespace", "mine", "containers",
                        "create", "--rootfs", root, "mine-containerd", "sleep", "1000"], check=True)
        self.assertEqual(self.others(), OTHERS)
        table = self.cluster.ok("node", "containers", self.cluster.json("node", "ls")["nodes"][0]["meta"]["name"])
        self.assertRegex(table, r"(?m)^containerd/mine +mine-containerd +no process")

    def others(self):
        node = self.cluster.json("node", "ls")["nodes"][0]["meta"]["name"]
        listed = self.cluster.json("node", "containers", node)
        self.assertEqual(listed["unanswered"], [])
        return {c["name"]: (c["executor"], c["state"]) for c in listed["containers"]}

    def leave_alone(self):
        """A server that doesn't find an engine goes on with all but its tasks, until it finds them as they were."""
        def processes():
            return {name: (status.get("pid"), status["attempt"]) for name, status in self.places().items()}
        before = processes()
        self.cluster.stop()
        self.engines["podman"].kill()
        self.cluster.start()
        harness.wait_for("the note", lambda: self.places()["in-podman"].get("message")
                         == "podman isn't there: start it")
        self.assertEqual(processes(), before)
        self.assertEqual(self.page(18080 + NAMES.index("podman")), "ok\n")
        self.assertEqual(self.cluster.ok("exec", "shop/in-oci", "--", "wget", "-qO-", "http://in-podman/"), "ok\n")
        self.engines["podman"].start()
        harness.wait_for("no note", lambda: not self.places()["in-podman"].get("message"))
        self.assertEqual(processes(), before)

    def test_docker_pulls_by_itself(self):
        config = harness.write(self.cluster.folder, "registry.yml", f"""
version: 0.1
storage: {{filesystem: {{rootdirectory: {self.cluster.folder}/registry}}}}
http: {{addr: "127.0.0.1:5055"}}
""")
        registry = subprocess.Popen(["docker-registry", "serve", config], stdout=subprocess.DEVNULL,
                                    stderr=subprocess.DEVNULL)
        self.addCleanup(registry.wait)
        self.addCleanup(registry.terminate)
        harness.wait_for("the registry", lambda: harness.fetch("http://127.0.0.1:5055/v2/"))
        self.cluster.ok("image", "push", "busybox-test:latest", "127.0.0.1:5055/team/busybox:1", "--plain-http")
        file = harness.write(self.cluster.folder, "pulled/compose.yaml", """
services:
  one:
    image: 127.0.0.1:5055/team/busybox:1
    command: [sleep, "1000"]
    stop_signal: SIGKILL
    x-orchion: {executor: docker}
""")
        self.cluster.ok("up", "-f", file, "--yes")
        self.assertEqual(self.cluster.ok("exec", "pulled/one", "--", "echo", "hi"), "hi\n")
        images = json.loads(self.engines["docker"].engine_api("/v1.40/images/json"))
        self.assertIn("127.0.0.1:5055/team/busybox:1", [tag for image in images for tag in image["RepoTags"]])
        self.cluster.ok("down", "--stack", "pulled", "--yes")

    def test_what_is_not_there_is_said(self):
        self.cluster.stop()
        self.cluster.engines = {}
        self.cluster.start()
        result = self.cluster.run("up", "-f", self.file, "--yes", "--timeout", "3s")
        self.assertNotEqual(result.code, 0)
        self.assertIn("1 lacks docker", result.err)
        self.cluster.ok("down", "--stack", "shop", "--yes")


if __name__ == "__main__":
    harness.main()
