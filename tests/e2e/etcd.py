"""A real etcd of a member on each machine of a wire, with certificates both ways."""

import pathlib
import shutil
import signal
import subprocess
import tempfile

import harness

CLIENT, PEER = 2379, 2380


def openssl(*arguments):
    subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True)


class Etcd:
    def __init__(self, machines):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="orchion-etcd-"))
        self.machines = machines
        self.processes = {}
        self.make_certificates()
        for machine in machines:
            self.start(machine)

    @property
    def address(self):
        return "etcd://" + ",".join(f"{machine.address}:{CLIENT}" for machine in self.machines) + "/test"

    def arguments(self):
        """Of a server that keeps its state there."""
        return ["--store", self.address, "--store-ca", str(self.folder / "ca.pem"),
                "--store-cert", str(self.folder / "etcd.pem"), "--store-key", str(self.folder / "etcd.key")]

    def make_certificates(self):
        ca, key = self.folder / "ca.pem", self.folder / "ca.key"
        openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
                "-subj", "/CN=test etcd", "-keyout", key, "-out", ca)
        openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=etcd",
                "-keyout", self.folder / "etcd.key", "-out", self.folder / "etcd.csr")
        names = harness.write(self.folder, "names", "subjectAltName=IP:127.0.0.1," +
                              ",".join(f"IP:{machine.address}" for machine in self.machines))
        openssl("x509", "-req", "-in", self.folder / "etcd.csr", "-CA", ca, "-CAkey", key, "-CAcreateserial",
                "-days", "2", "-extfile", names, "-out", self.folder / "etcd.pem")
        (self.folder / "etcd.key").chmod(0o600)

    def start(self, machine):
        members = ",".join(f"{one.name}=https://{one.address}:{PEER}" for one in self.machines)
        client, peer = f"https://{machine.address}:{CLIENT}", f"https://{machine.address}:{PEER}"
        tls = [f"--{side}{what}={self.folder / name}" for side in ("", "peer-")
               for what, name in (("trusted-ca-file", "ca.pem"), ("cert-file", "etcd.pem"), ("key-file", "etcd.key"))]
        command = [*machine.prefix, "etcd", "--name", machine.name, "--data-dir", str(self.folder / machine.name),
                   "--listen-client-urls", client, "--advertise-client-urls", client, "--listen-peer-urls", peer,
                   "--initial-advertise-peer-urls", peer, "--initial-cluster", members, "--client-cert-auth",
                   "--peer-client-cert-auth", *tls, "--heartbeat-interval", "100", "--election-timeout", "1000"]
        with open(self.folder / f"{machine.name}.log", "ab") as log:
            self.processes[machine.name] = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def kill(self, machine):
        process = self.processes.pop(machine.name)
        process.send_signal(signal.SIGKILL)
        process.wait(10)

    def close(self):
        for process in self.processes.values():
            process.kill()
            process.wait(10)
        shutil.rmtree(self.folder)
