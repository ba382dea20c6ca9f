"""Runs in the far machine of two: does what the near one's checks ask for. The wire has nobody else on it."""

import http.client
import subprocess
import xmlrpc.client
import xmlrpc.server

import harness

ADDRESS = ("10.99.0.2", 9999)


def execute(words):
    done = subprocess.run(words, capture_output=True, text=True, errors="replace")
    return {"code": done.returncode, "out": done.stdout, "err": done.stderr}


class Impatient(xmlrpc.client.Transport):
    """A machine without power doesn't say so."""

    def make_connection(self, host):
        return http.client.HTTPConnection(host, timeout=15 * harness.PATIENCE)


class Hand:
    """The near machine's end."""

    def __init__(self):
        self.far = xmlrpc.client.ServerProxy("http://{}:{}".format(*ADDRESS), transport=Impatient())

    def run(self, *words):
        return self.far.execute([str(word) for word in words])

    def ok(self, *words):
        done = self.run(*words)
        assert done["code"] == 0, f"{words} on the far machine: {done}"
        return done["out"]

    def boot(self):
        """Which run of the machine it is; None while there is none."""
        try:
            return self.ok("cat", "/proc/sys/kernel/random/boot_id")
        except (OSError, http.client.HTTPException):
            return None

    def goes_down(self, how):
        """Has it do so, and waits until it is back."""
        before = self.boot()
        # Not at once: the answer still comes.
        self.ok("systemd-run", "--quiet", "--on-active=1s", "sh", "-c", how)
        harness.wait_for("the far machine's next boot", lambda: self.boot() not in (None, before))


if __name__ == "__main__":
    server = xmlrpc.server.SimpleXMLRPCServer(ADDRESS, logRequests=False)
    server.register_function(execute)
    server.serve_forever()
