"""Everything in examples/ at once on three machines: found by names, at published ports of each machine, gone afterwards."""

import concurrent.futures
import pathlib
import re
import subprocess
import tempfile
import unittest

import harness
import lan

# Other programs under the images' names: what is tried are the examples' files. Each serves pages at its port; what a
# health check calls asks that server.
SERVE = """#!/bin/sh
exec httpd -f -p {port} -h {pages}
"""
ASK = """#!/bin/sh
exec wget -q -O /dev/null http://127.0.0.1:{port}/
"""
PING = """#!/bin/sh
wget -q -O /dev/null http://127.0.0.1:{port}/ && echo PONG
"""
# The last word is an address, or has one.
FETCH = """#!/bin/sh
for word; do :; done
exec wget -q -O /dev/null $(echo "$word" | grep -o "http://[^']*")
"""
FILES = ("index.html", "status.php", "wp-login.php", "health", "manifest.json", "-/healthy", "api/health")
STAND_INS = {
    "docker.io/gitea/gitea:1": (3000, {"curl": FETCH}),
    "docker.io/library/postgres:17-alpine": (5432, {"pg_isready": ASK}),
    "docker.io/library/mariadb:11": (3306, {"healthcheck.sh": ASK}),
    "docker.io/library/redis:7-alpine": (6379, {"docker-entrypoint.sh": SERVE, "redis-cli": PING}),
    "ghcr.io/home-assistant/home-assistant:stable": (8123, {"python3": FETCH}),
    "docker.io/jellyfin/jellyfin:10": (8096, {"curl": FETCH}),
    "docker.io/minio/minio:RELEASE.2025-04-22T22-12-26Z": (9000, {"mc": ASK}),
    "docker.io/library/nextcloud:31-apache": (80, {"curl": FETCH}),
    "docker.io/library/wordpress:6-apache": (80, {"curl": FETCH}),
    "docker.io/library/nginx:1-alpine": (80, {}),
    "docker.io/ollama/ollama:0.9.0": (11434, {"ollama": ASK}),
    "ghcr.io/open-webui/open-webui:v0.6.10": (8080, {"curl": FETCH}),
    "docker.io/prom/prometheus:v3.4.0": (9090, {}),
    "docker.io/grafana/grafana:12.0.0": (3000, {}),
}
PAGES = {"docker.io/library/nginx:1-alpine": "/usr/share/nginx/html"}
SHELLS = {"docker.io/library/redis:7-alpine"}  # the starter's command says what it does with the image
# Ports of their own where two starters have the same.
VARIABLES = {
    "gitea": {"HTTP_PORT": "3100"},
    "nextcloud": {"HTTP_PORT": "8101"},
    "ollama-open-webui": {"HTTP_PORT": "8102", "OLLAMA_MEMORY": "64M"},
    "static-site": {"HTTP_PORT": "8103"},
    "web-postgres-redis": {"HTTP_PORT": "8104"},
    "wordpress": {"HTTP_PORT": "8105"},
}
# At every machine.
PUBLISHED = {3100: "gitea/gitea", 8123: "home-assistant", 8096: "jellyfin", 9000: "minio", 8101: "nextcloud",
             8103: "It works", 8104: "nginx", 8105: "wordpress", 8080: "Hello from orchion"}
# At the loopback address of the machine that has the task.
PRIVATE = {8102: ("ollama-open-webui", "web"), 9090: ("prometheus-grafana", "prometheus"),
           3000: ("prometheus-grafana", "grafana")}
# From which task which name is asked.
NAMES = {("gitea/gitea", "db:5432"): "postgres", ("nextcloud/web", "db:5432"): "postgres",
         ("nextcloud/web", "redis:6379"): "redis", ("ollama-open-webui/web", "ollama:11434"): "ollama",
         ("prometheus-grafana/grafana", "prometheus:9090"): "prometheus",
         ("web-postgres-redis/web", "db:5432"): "postgres", ("web-postgres-redis/web", "redis:6379"): "redis",
         ("wordpress/web", "db:3306"): "mariadb", ("shop/web", "web:80"): "ok"}


class Examples(unittest.TestCase):
    def setUp(self):
        lan.make_wire()
        self.machines = [lan.Machine(number) for number in (1, 2, 3)]
        self.one = self.machines[0]
        self.addCleanup(self.one.close)
        self.one.start()
        for machine in self.machines[1:]:
            self.addCleanup(machine.close)
            self.addCleanup(self.one.run, "stop-all", "--yes")
            machine.join(self.one)
        harness.wait_for("three nodes", lambda: len(lan.ready(self.one)) == 3)
        harness.busybox_image(self.one, "docker.io/library/busybox:1.36",
                              applets=("sh", "httpd", "wget", "grep", "echo", "mkdir"))
        for image, (port, programs) in STAND_INS.items():
            self.import_stand_in(image, port, programs)
        subprocess.run([*self.one.prefix, harness.ROOT / "examples/hello/prepare"], check=True, capture_output=True,
                       env=dict(self.one.environment(), ORCHION=str(harness.ORCHION)))

    def import_stand_in(self, image, port, programs):
        pages = PAGES.get(image, "/www")
        with tempfile.TemporaryDirectory() as folder:
            root = harness.busybox_root(pathlib.Path(folder) / "root", applets=("sh", "httpd", "wget", "grep", "echo", "cat"))
            for name, text in {"serve": SERVE, **programs}.items():
                harness.write(root, f"bin/{name}", text.format(port=port, pages=pages)).chmod(0o755)
            for file in FILES:
                harness.write(root, f"{pages.strip('/')}/{file}", f"{image}\n")
            entrypoint = {} if image in SHELLS else {"Entrypoint": ["/bin/serve"]}
            harness.import_root(self.one, root, image, StopSignal="SIGKILL", **entrypoint)

    def up_starter(self, name):
        folder = self.one.folder / name
        self.one.ok("init", name, "--dir", folder)
        (folder / "media").mkdir(exist_ok=True)
        self.one.ok("up", "--yes", "--wait", "--timeout", "2m", cwd=folder, env=VARIABLES.get(name), timeout=150)

    def up(self, name):
        self.one.ok("up", "--yes", "--wait", "-f", harness.ROOT / f"examples/{name}/compose.yaml")

    def made(self, machine):
        """Links and rules of ours."""
        out = subprocess.run([*machine.prefix, "sh", "-c", "ip -o link; nft list tables"], capture_output=True, text=True)
        return [line for line in out.stdout.splitlines() if re.search(r": or[a-z2-7]{4}[bvx]|orchion", line)]

    def test_everything_runs_at_once(self):
        before = [self.made(machine) for machine in self.machines]
        starters = [starter["name"] for starter in self.one.json("init", "--list")["starters"]]
        with concurrent.futures.ThreadPoolExecutor(6) as pool:
            for done in [*(pool.submit(self.up_starter, name) for name in starters),
                         *(pool.submit(self.up, name) for name in ("hello", "ci"))]:
                done.result()
        tasks = [task for stack in [*starters, "hello", "shop"] for task in self.one.tasks(stack)]
        self.assertEqual({task["status"]["state"] for task in tasks}, {"RUNNING"})
        nodes = {machine.name: sum(task["spec"]["assignment"]["node"] == machine.name for task in tasks)
                 for machine in self.machines}
        self.assertTrue(all(nodes.values()), nodes)
        print(f"{len(tasks)} tasks of {len(starters) + 2} examples run: {nodes}")
        for (task, name), page in NAMES.items():
            with self.subTest(task=task, name=name):
                self.assertIn(page, self.one.ok("exec", task, "--", "wget", "-q", "-O", "-", f"http://{name}/"))
        for machine in self.machines:
            for port, page in PUBLISHED.items():
                with self.subTest(machine=machine.name, port=port):
                    self.assertIn(page, machine.fetch(f"http://{machine.address}:{port}/") or "nobody answered")
        for port, (stack, service) in PRIVATE.items():
            with self.subTest(port=port):
                place = next(task["spec"]["assignment"]["node"] for task in tasks if task["meta"]["stack"] == stack and
                             task["spec"]["service"] == service)
                answers = {machine.name: machine.fetch(f"http://127.0.0.1:{port}/") is not None for machine in self.machines}
                self.assertEqual(answers, {machine.name: machine.name == place for machine in self.machines})
        self.one.ok("job", "run", "shop/test", "--wait")
        self.one.ok("stop-all", "--yes")
        for machine, made in zip(self.machines, before):
            harness.wait_for(f"nothing left on {machine.name}", lambda: self.made(machine) == made)


if __name__ == "__main__":
    harness.main()
