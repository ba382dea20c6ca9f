"""A server in the background, as `up` starts one where none answers."""

import os
import pathlib
import socket
import subprocess
import unittest

import harness


class Background(unittest.TestCase):
    def setUp(self):
        self.cluster = harness.Cluster()
        self.addCleanup(self.cluster.close)
        self.addCleanup(self.cluster.run, "server", "--stop")

    def process(self):
        return pathlib.Path("/proc") / (self.cluster.data / "server.pid").read_text().strip()

    def test_it_is_called_by_its_name_and_is_started_once(self):
        self.cluster.ok("server", "--background")
        process = self.process()
        self.assertEqual((process / "comm").read_text(), "orchion\n")
        self.cluster.ok("server", "--background")
        self.assertEqual(self.process(), process)
        self.cluster.ok("server", "--stop")
        self.assertEqual(self.cluster.run("ps").code, 6)
        again = self.cluster.run("server", "--stop")
        self.assertEqual(again.code, 3, again)

    def test_it_keeps_nothing_that_its_caller_holds_open(self):
        read_end, write_end = os.pipe()
        try:
            subprocess.run([harness.ORCHION, "server", "--background"], env=self.cluster.environment(), check=True,
                           pass_fds=[write_end], timeout=60)
        finally:
            os.close(write_end)
        os.set_blocking(read_end, False)
        # An end of file: nobody has the other end any more.
        self.assertEqual(os.read(read_end, 1), b"")
        os.close(read_end)

    def test_one_that_cannot_start_says_why(self):
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 4600))
            taken.listen()
            for _ in range(10):
                failed = self.cluster.run("server", "--background")
                self.assertEqual(failed.code, 1, failed)
                self.assertIn("4600", failed.err)
                self.assertEqual(len(failed.err.splitlines()), 1, failed)


if __name__ == "__main__":
    harness.main()
