"""A real server with real containers, in a network namespace of its own.

Each test file is run by itself: `python3 tests/e2e/hello_test.py [NAME]`. It re-executes itself in fresh network and
mount namespaces, so that bridges, ports and rules never meet the host's.
"""

import ctypes
import glob
import hashlib
import io
import json
import os
import pathlib
import platform
import re
import shutil
import signal
import socket
import subprocess
import sys
import tarfile
import tempfile
import time
import unittest
import urllib.error
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parents[2]
# How much longer than here things may take: where the machine itself is emulated.
PATIENCE = float(os.environ.get("ORCHION_E2E_PATIENCE", 1))
ORCHION = pathlib.Path(os.environ.get("ORCHION", ROOT / "build" / "release" / "src" / "orchion"))


def enter():
    """Begins the calling file anew in namespaces of its own; returns there. What a file makes before is made twice."""
    if os.geteuid() != 0:
        sys.exit("the end-to-end tests run containers: run them as root")
    if os.environ.get("ORCHION_E2E_INSIDE") != "1":
        env = dict(os.environ, ORCHION_E2E_INSIDE="1")
        os.execvpe("unshare", ["unshare", "--net", "--mount", "--propagation", "slave", sys.executable, *sys.argv], env)


def main():
    """Runs the calling file's tests in namespaces of their own."""
    enter()
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    # What a namespace's /sys shows is its own links.
    unittest.main(module="__main__", verbosity=2)


def wait_for(what, condition, seconds=30):
    """Polls until `condition()` is truthy and returns it; fails with `what` after that long."""
    seconds *= PATIENCE
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {seconds} s for {what}")
        time.sleep(0.02)


class Result:
    def __init__(self, process):
        self.code = process.returncode
        self.out = process.stdout
        self.err = process.stderr

    def __repr__(self):
        return f"exit {self.code}\n--- stdout\n{self.out}\n--- stderr\n{self.err}"


class Cluster:
    """One server with its agent, on a data folder of its own."""

    def __init__(self, arguments=(), prefix=(), engines=None):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="orchion-e2e-"))
        self.data = self.folder / "data"
        self.arguments = list(arguments)
        self.prefix = list(prefix)  # what puts a command onto its machine
        self.engines = engines or {}  # by the variable that names an engine's socket; those of the host are never used
        self.process = None
        self.log = self.folder / "server.log"

    def environment(self):
        env = {k: v for k, v in os.environ.items() if not k.startswith("ORCHION_")}
        env.update(ORCHION_DATA=str(self.data), NO_COLOR="1", LC_ALL="C.UTF-8")
        for variable in ("DOCKER_HOST", "CONTAINER_HOST", "CONTAINERD_ADDRESS"):
            env[variable] = f"unix://{self.engines.get(variable, '/nowhere.sock')}"
        return env

    def launch(self):
        """Starts the server and doesn't wait for it."""
        with open(self.log, "ab") as log:
            command = [*self.prefix, str(ORCHION), "server", "--data", str(self.data), *self.arguments]
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                            env=self.environment(), start_new_session=True)

    def start(self):
        self.launch()
        wait_for("the server to be ready", self.is_ready)
        return self

    def is_ready(self):
        if self.process.poll() is not None:
            raise AssertionError(f"the server ended with {self.process.returncode}:\n{self.log.read_text()}")
        result = self.run("node", "ls", "-o", "json")
        return result.code == 0 and any(n["status"]["state"] == "READY" for n in json.loads(result.out)["nodes"])

    def stop(self, how=signal.SIGTERM):
        if self.process and self.process.poll() is None:
            self.process.send_signal(how)
            self.process.wait(30 * PATIENCE)
        self.process = None

    def close(self):
        """Brings everything down and removes the data folder."""
        if self.process and self.process.poll() is None:
            self.run("stop-all", "--yes")
        self.stop()
        identity = self.data / "cluster-id"
        if identity.exists():
            # What is forgotten at boot goes with the test's cluster.
            shutil.rmtree(f"/run/orchion-{identity.read_text()[:6]}", ignore_errors=True)
        shutil.rmtree(self.folder, ignore_errors=True)

    def run(self, *arguments, stdin=None, cwd=None, env=None, timeout=120):
        environment = self.environment()
        environment.update(env or {})
        command = [*self.prefix, str(ORCHION), *map(str, arguments)]
        return Result(subprocess.run(command, input=stdin, capture_output=True, text=True, cwd=cwd, env=environment,
                                     timeout=timeout * PATIENCE))

    def ok(self, *arguments, **options):
        result = self.run(*arguments, **options)
        if result.code != 0:
            raise AssertionError(f"orchion {' '.join(map(str, arguments))}: {result}\n--- log\n{self.log_tail()}")
        return result.out

    def json(self, *arguments):
        return json.loads(self.ok(*arguments, "-o", "json"))

    def log_tail(self):
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-40:]) if self.log.exists() else ""

    def tasks(self, stack):
        """As `ps` has them; one that was made this very moment has no status yet."""
        return [{"status": {"state": "PENDING"}} | task for task in self.json("ps", "--stack", stack)["tasks"]]

    def token(self):
        return (self.data / "admin-token").read_text().strip()

    def info(self):
        return json.loads(self.request("GET", "/v1/server")[2])

    def request(self, method, path, body=None, headers=None, token=True, port=4600):
        """Status, headers and body of a REST call over TCP."""
        request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", method=method,
                                         data=None if body is None else json.dumps(body).encode())
        if token:
            request.add_header("Authorization", f"Bearer {self.token()}")
        if body is not None:
            request.add_header("Content-Type", "application/json")
        for name, value in (headers or {}).items():
            request.add_header(name, value)
        try:
            with urllib.request.urlopen(request, timeout=30 * PATIENCE) as response:
                return response.status, response.headers, response.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.headers, error.read().decode()


def busybox_root(folder, applets=("sh", "httpd", "wget", "sleep", "cat", "echo", "id", "ls", "nslookup", "nc",
                                  "hostname", "env", "kill", "true", "false", "dd", "head", "tail", "expr", "mv",
                                  "stty", "ip", "seq", "yes", "test", "touch", "rm", "date", "timeout")):
    """A small root file system made from Debian's busybox, in a new folder."""
    root = pathlib.Path(folder)
    for part in ("bin", "etc", "tmp", "www", "data"):
        (root / part).mkdir(parents=True)
    (root / "tmp").chmod(0o1777)
    shutil.copy("/bin/busybox", root / "bin" / "busybox")
    for applet in applets:
        (root / "bin" / applet).symlink_to("busybox")
    (root / "etc" / "passwd").write_text("root:x:0:0:root:/:/bin/sh\nweb:x:1000:1000:web:/:/bin/sh\n")
    (root / "etc" / "group").write_text("root:x:0:\nweb:x:1000:\n")
    (root / "www" / "index.html").write_text("ok\n")
    return root


def busybox_image(cluster, name, **of_root):
    """Imports such a root file system as an image."""
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)  # for a server that another user runs
        root = busybox_root(pathlib.Path(folder) / "root", **of_root)
        archive = pathlib.Path(folder) / "root.tar"
        subprocess.run(["tar", "-C", root, "-cf", archive, "."], check=True)
        cluster.ok("image", "import", archive, name)


def web_image(cluster, name, pages="/www", **config):
    """Imports an image that serves its folder `pages` on port 80 by itself; `config` is more of its configuration."""
    layer = io.BytesIO()
    with tarfile.open(fileobj=layer, mode="w") as tar:
        tar.add("/bin/busybox", arcname="bin/busybox")
        for applet in ("sh", "httpd", "wget", "env", "mv"):
            link = tarfile.TarInfo(f"bin/{applet}")
            link.type, link.linkname = tarfile.SYMTYPE, "busybox"
            tar.addfile(link)
        page = tarfile.TarInfo(f"{pages.strip('/')}/index.html")
        page.size = 3
        tar.addfile(page, io.BytesIO(b"ok\n"))
    import_layer(cluster, name, layer, {"Cmd": ["/bin/httpd", "-f", "-p", "80", "-h", pages],
                                        "StopSignal": "SIGKILL"} | config)


def import_root(cluster, root, name, **config):
    """Imports a root file system with a configuration of its own."""
    layer = io.BytesIO()
    with tarfile.open(fileobj=layer, mode="w") as tar:
        tar.add(root, arcname=".")
    import_layer(cluster, name, layer, config)


def import_layer(cluster, name, layer, config):
    architecture = {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())
    document = {"architecture": architecture, "os": "linux", "config": {"Env": ["PATH=/bin"]} | config,
                "rootfs": {"type": "layers", "diff_ids": [f"sha256:{hashlib.sha256(layer.getvalue()).hexdigest()}"]}}
    manifest = [{"Config": "config.json", "RepoTags": [name], "Layers": ["layer.tar"]}]
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)  # for a server that another user runs
        archive = pathlib.Path(folder) / "image.tar"
        with tarfile.open(archive, "w") as tar:
            for member, content in (("config.json", json.dumps(document).encode()), ("layer.tar", layer.getvalue()),
                                    ("manifest.json", json.dumps(manifest).encode())):
                info = tarfile.TarInfo(member)
                info.size = len(content)
                tar.addfile(info, io.BytesIO(content))
        cluster.ok("image", "import", archive, name)


def problem(cluster, method, path, body=None, headers=None):
    """Status and document of a call that is expected to fail."""
    status, _, text = cluster.request(method, path, body=body, headers=headers)
    return status, json.loads(text)


def fetch(url, timeout=5):
    """The body, or None where nobody answers."""
    try:
        with urllib.request.urlopen(url, timeout=timeout) as response:
            return response.read().decode()
    except (OSError, urllib.error.URLError):
        return None


def below(root, pattern):
    """All paths that fit; those that others remove meanwhile are left out."""
    found = []
    for folder in glob.glob(f"{root}/{pattern}"):
        found.append(folder)
        for parent, folders, files in os.walk(folder):
            found += [os.path.join(parent, name) for name in (*folders, *files)]
    return found


def host_state(cluster):
    """What this cluster's containers leave on a host: mounts, cgroups, links, rules, files, processes. Two of these are
    compared. What is made carries the short id of the data folder; links and rules are those of the machine's network
    namespace."""
    mark = (cluster.data / "cluster-id").read_text()[:6]

    def lines(*command):
        return subprocess.run([*cluster.prefix, *command], capture_output=True, text=True).stdout.splitlines()

    def ours(paths):
        return sorted(str(p) for p in paths if mark in str(p) or str(cluster.data) in str(p))

    mounts = [line.split()[4] for line in pathlib.Path("/proc/self/mountinfo").read_text().splitlines()]
    return {"mounts": ours(mounts),
            "cgroups": ours(os.path.join(parent, name) for parent, folders, _ in os.walk("/sys/fs/cgroup")
                            for name in folders if name.startswith("orchion")),
            "links": sorted(line.split(":")[1].strip() for line in lines("ip", "-o", "link")),
            "rules": re.sub(r"(counter packets|handle) \S+", "", "\n".join(lines("nft", "list", "ruleset"))),
            "run": ours(below("/run", "orchion*/*")),
            # The compiled seccomp profile and the shim itself serve every container to come.
            "containers": ours(p for p in (cluster.data / "containers").glob("*/*")
                               if p.parent.name not in ("seccomp", "shim")),
            "volumes": ours((cluster.data / "volumes").glob("*/*")),
            "checkpoints": ours((cluster.data / "agent").glob("tasks/*")),
            "processes": [line for line in lines("ps", "-eo", "pid,args") if mark in line and "ps -eo" not in line]}


def write(folder, name, text):
    path = pathlib.Path(folder) / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path
