"""Images are made from source where the command line runs, and reach the nodes."""

import os
import pathlib
import shutil
import signal
import subprocess
import unittest

import harness

COMPOSE = """
services:
  web:
    build: {{context: ./app, args: [GREETING]}}
    ports: ["8091:80"]
    stop_signal: SIGKILL
{more}
"""

DOCKERFILE = """
FROM scratch
COPY busybox /bin/busybox
COPY index.html /www/index.html
ARG GREETING=nobody
RUN ["/bin/busybox", "sh", "-c", "/bin/busybox echo hello $GREETING > /www/greeting"]
CMD ["/bin/busybox", "httpd", "-f", "-p", "80", "-h", "/www"]
"""


class Build(unittest.TestCase):
    def setUp(self):
        self.cluster = harness.Cluster().start()
        self.addCleanup(self.cluster.close)
        folder = self.cluster.folder
        # A store of the builder's that goes with the test.
        storage = harness.write(folder, "storage.conf", f"""
[storage]
driver = "vfs"
graphroot = "{folder}/builder/root"
runroot = "{folder}/builder/run"
""")
        self.env = {"CONTAINERS_STORAGE_CONF": str(storage), "GREETING": "you", "TMPDIR": str(folder)}
        self.project = folder / "shop"
        harness.write(self.project, "app/Dockerfile", DOCKERFILE)
        harness.write(self.project, "app/index.html", "one\n")
        shutil.copy("/bin/busybox", self.project / "app" / "busybox")
        self.compose("")

    def compose(self, more):
        harness.write(self.project, "compose.yaml", COMPOSE.format(more=more))

    def run_in_project(self, *arguments, **env):
        return self.cluster.run(*arguments, cwd=self.project, env={**self.env, **env}, timeout=300)

    def ok(self, *arguments, **env):
        result = self.run_in_project(*arguments, **env)
        self.assertEqual(result.code, 0, f"{result}\n{self.cluster.log_tail()}")
        return result

    def task(self):
        tasks = [t for t in self.cluster.tasks("shop") if t["status"]["state"] == "RUNNING"]
        self.assertEqual(len(tasks), 1, tasks)
        return tasks[0]

    def page(self, name="index.html"):
        return harness.wait_for("the page", lambda: harness.fetch(f"http://127.0.0.1:8091/{name}"))

    def test_a_service_is_built_started_and_rolled(self):
        planned = self.ok("plan")
        self.assertIn("web: its image shop-web isn't built yet", planned.err)
        first = self.ok("up", "--yes")
        self.assertIn("building web with buildah", first.err)
        self.assertIn("STEP 1/", first.err, "what the builder says is shown")
        self.assertEqual(self.page(), "one\n")
        self.assertEqual(self.page("greeting"), "hello you\n")
        task = self.task()
        image = self.cluster.json("image", "ls")["images"][0]
        self.assertEqual(image["meta"]["name"], "docker.io/library/shop-web:latest")
        self.assertEqual(task["status"]["imageDigest"], image["status"]["digest"])

        # The image is known: nothing is built, and nothing replaced.
        again = self.ok("up", "--yes")
        self.assertNotIn("building", again.err)
        self.assertEqual(self.ok("plan", "--exit-code").code, 0)
        # Built again without a change it is the same image.
        self.assertIn("building web", self.ok("up", "--build", "--yes").err)
        self.assertEqual(self.task()["meta"]["uid"], task["meta"]["uid"])

        harness.write(self.project, "app/index.html", "two\n")
        self.ok("up", "--yes")
        self.assertEqual(self.page(), "one\n", "a changed source alone changes nothing")
        self.ok("up", "--build", "--yes")
        harness.wait_for("the new page", lambda: harness.fetch("http://127.0.0.1:8091/") == "two\n")
        self.assertNotEqual(self.task()["meta"]["uid"], task["meta"]["uid"])

        # `build` alone changes nothing that runs; the next `up` does.
        harness.write(self.project, "app/index.html", "three\n")
        built = self.ok("build", "web", "--build-arg", "GREETING=all")
        self.assertEqual(built.out, "docker.io/library/shop-web:latest\n")
        self.assertEqual(self.page(), "two\n")
        self.assertEqual(self.run_in_project("plan", "--exit-code").code, 10)
        self.ok("up", "--yes")
        harness.wait_for("the newest page", lambda: harness.fetch("http://127.0.0.1:8091/") == "three\n")
        self.assertEqual(self.page("greeting"), "hello all\n")
        leftovers = [p.name for p in self.cluster.folder.iterdir() if p.name.startswith("orchion-build-")]
        self.assertEqual(leftovers, [])

    def test_the_example(self):
        """With a base of the test's own in place of the registry's."""
        harness.write(self.project, "base/Dockerfile", "FROM scratch\nCOPY busybox /bin/busybox\n")
        shutil.copy("/bin/busybox", self.project / "base" / "busybox")
        subprocess.run(["buildah", "build", "-t", "localhost/base", self.project / "base"], check=True,
                       capture_output=True, env=dict(os.environ, **self.env))
        self.ok("up", "--yes", "-f", harness.ROOT / "examples/build/compose.yaml", BASE="localhost/base")
        page = harness.wait_for("the page", lambda: harness.fetch("http://127.0.0.1:8080/"))
        self.assertEqual(page, "<p>Made on this machine.\n")

    def hide(self, *programs):
        """From this test's own mount namespace."""
        for folder in ("/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin"):
            for program in programs:
                path = pathlib.Path(folder, program)
                if path.exists():
                    subprocess.run(["mount", "--bind", "/dev/null", path.resolve()], check=True)
                    self.addCleanup(subprocess.run, ["umount", path.resolve()], check=True)

    def test_what_fails_says_so(self):
        harness.write(self.project, "app/Dockerfile", "FROM scratch\nCOPY nowhere /\n")
        broken = self.run_in_project("up", "--yes")
        self.assertEqual(broken.code, 1, broken)
        self.assertIn("nowhere", broken.err)
        self.assertTrue(broken.err.splitlines()[-1].startswith("orchion: the image of web was not built: buildah ended"),
                        broken.err)
        self.assertEqual(self.cluster.json("stack", "ls")["stacks"], [])

        refused = self.run_in_project("up", "--no-build", "--yes")
        self.assertEqual(refused.code, 1, refused)
        self.assertIn("no node has the image shop-web of web: run `orchion build web`", refused.err)

        self.hide("buildah", "podman", "docker")
        without = self.run_in_project("build")
        self.assertEqual(without.code, 1, without)
        self.assertIn("install buildah", without.err)
        named = self.run_in_project("build", "--builder", "docker")
        self.assertEqual(named.code, 1, named)
        self.assertIn("there is no docker on this machine", named.err)
        self.assertEqual(self.run_in_project("build", "--builder", "kaniko").code, 2)
        self.assertEqual(self.run_in_project("build", "db").code, 3)

    def test_secrets_reach_a_run_and_stay_out_of_the_image(self):
        harness.write(self.project, "app/Dockerfile", """
FROM scratch
COPY busybox /bin/busybox
RUN --mount=type=secret,id=token ["/bin/busybox", "sh", "-c", \
"/bin/busybox mkdir /www && /bin/busybox md5sum < /run/secrets/token > /www/index.html"]
CMD ["/bin/busybox", "httpd", "-f", "-p", "80", "-h", "/www"]
""")
        harness.write(self.project, "compose.yaml", """
services:
  web:
    build: {context: ./app, secrets: [token]}
    ports: ["8091:80"]
    stop_signal: SIGKILL
secrets:
  token: {environment: TOKEN}
""")
        self.ok("up", "--yes", TOKEN="very secret")
        digest = subprocess.run(["md5sum"], input=b"very secret", capture_output=True, check=True).stdout.split()[0]
        self.assertTrue(self.page().startswith(digest.decode()))
        image = self.cluster.run("exec", "shop/web", "--", "/bin/busybox", "ls", "/run/secrets")
        self.assertNotIn("token", image.out)

    def test_an_interrupt_ends_the_builder(self):
        harness.write(self.project, "app/Dockerfile", """
FROM scratch
COPY busybox /bin/busybox
RUN ["/bin/busybox", "sh", "-c", "/bin/busybox echo it runs now; /bin/busybox sleep 98765"]
""")
        command = [str(harness.ORCHION), "up", "--yes"]
        process = subprocess.Popen(command, cwd=self.project, env={**self.cluster.environment(), **self.env},
                                   stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        self.addCleanup(process.stderr.close)
        seen = b""
        while b"it runs now\n" not in seen.replace(b"STEP", b""):
            line = process.stderr.readline()
            self.assertTrue(line, seen)
            seen += line if not line.startswith(b"STEP") else b""
        process.send_signal(signal.SIGINT)
        self.assertEqual(process.wait(30), 130)
        harness.wait_for("the build to be gone", lambda: "98765" not in subprocess.run(
            ["ps", "-eo", "args"], capture_output=True, text=True).stdout)


if __name__ == "__main__":
    harness.main()
