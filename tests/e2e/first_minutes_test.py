"""The first five minutes: docs/guides/quick-start.md is typed as it stands, with a clock, and what is printed is compared
to what it shows. The second machine's guide has its own such test in two_machines_test.py."""

import pathlib
import re
import subprocess
import time
import unittest

import harness

GUIDE = pathlib.Path(__file__).resolve().parents[2] / "docs" / "guides" / "quick-start.md"
WEB_STACK_SECONDS = 60


def blocks(language):
    return re.findall(rf"```{language}\n(.*?)```", GUIDE.read_text(), re.S)


def steps(block):
    """A console block as (command, what it prints); comments behind commands are left out."""
    found = []
    for line in block.splitlines():
        if line.startswith("$ "):
            found.append([line[2:].split(" #")[0].strip(), []])
        else:
            found[-1][1].append(line)
    return [(command, "\n".join(lines)) for command, lines in found]


class FirstMinutes(unittest.TestCase):
    def setUp(self):
        self.cluster = harness.Cluster()
        self.addCleanup(self.cluster.close)
        self.addCleanup(self.cluster.run, "server", "--stop")
        self.addCleanup(self.cluster.run, "stop-all", "--yes")
        # What a registry would have given.
        self.cluster.ok("server", "--background")
        for tag in ("1.27", "1.28"):
            harness.web_image(self.cluster, f"docker.io/library/nginx:{tag}")
        self.cluster.ok("server", "--stop")
        self.folder = self.cluster.folder / "shop"
        harness.write(self.folder, "compose.yaml", blocks("yaml")[0])

    def type(self, command):
        """As a person sees it: both streams in one."""
        words = command.split()
        self.assertEqual(words[0], "orchion", command)
        done = subprocess.run([harness.ORCHION, *words[1:]], cwd=self.folder, env=self.cluster.environment(),
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                              timeout=120)
        self.assertEqual(done.returncode, 0, f"{command}:\n{done.stdout}")
        return done.stdout.rstrip("\n")

    def test_the_quick_start(self):
        up, change, look = (steps(block) for block in blocks("console")[1:4])
        begin = time.monotonic()
        [(command, printed)] = up
        self.assertEqual(self.type(command), printed)
        url = re.search(r"http://\S+", printed).group()
        harness.wait_for(f"{url} to answer", lambda: harness.fetch(url))
        taken = time.monotonic() - begin
        self.assertLess(taken, WEB_STACK_SECONDS)
        print(f"a web stack from nothing to an answer: {taken:.1f} s", flush=True)

        file = self.folder / "compose.yaml"
        file.write_text(file.read_text().replace("nginx:1.27", "nginx:1.28"))
        (plan, difference), (again, _) = change
        self.assertEqual(self.type(plan), difference)
        self.type(again)
        self.assertEqual({t["spec"]["revision"] for t in self.cluster.tasks("shop")}, {"web.2"})

        # Nobody sits in front of it: what would go on for ever, or wants a terminal, is asked for once.
        for command, _ in look:
            self.type(command.replace("logs -f", "logs").replace("exec -it", "exec"))
        self.assertEqual(self.cluster.json("ps")["tasks"], [])


if __name__ == "__main__":
    harness.main()
