"""A stack that stays while the machine doesn't: brought up at the first boot, looked at in each after it.

    boots.py begin | again | end
"""

import pathlib
import sys
import time

import harness
import machine

GOES_DOWN = pathlib.Path("/var/lib/checks/goes-down")

COMPOSE = """
name: stays
services:
  web:
    image: box
    command: [sh, -c, "echo boot >> /data/boots; exec httpd -f -p 80 -h /data"]
    stop_signal: SIGKILL
    mem_limit: 64m
    ports: ["18080:80"]
    volumes: [data:/data]
  # Ends well when it is told to, and is a server all the same.
  polite:
    image: box
    command: [sh, -c, "trap 'exit 0' TERM; while :; do sleep 0.5; done"]
    mem_limit: 64m
  # Takes longer over its end than most, and says so.
  careful:
    image: box
    command: [sh, -c, "trap 'sleep 14; echo whole >> /data/careful; exit 0' TERM; while :; do sleep 0.5; done"]
    stop_grace_period: 40s
    volumes: [data:/data]
volumes: {data: }
"""


def page():
    return harness.fetch("http://127.0.0.1:18080/boots")


def begin(server):
    harness.busybox_image(server, "box")
    server.ok("up", "-f", harness.write(server.folder, "compose.yaml", COMPOSE), "--yes")
    harness.wait_for("its port", page)
    GOES_DOWN.write_text(str(time.time()))


def last_words():
    return harness.fetch("http://127.0.0.1:18080/careful")


def again(server):
    """Nobody waited for a web server that doesn't care for SIGTERM: systemd would, for a minute and a half."""
    began = time.time() - float(pathlib.Path("/proc/uptime").read_text().split()[0])
    assert began - float(GOES_DOWN.read_text()) < 60, began - float(GOES_DOWN.read_text())
    runs(server)
    assert last_words() == "whole\n", "its end was cut short"


def lives(status):
    return status if status and pathlib.Path(f"/proc/{status['pid']}").exists() else None


def runs(server):
    """Nobody asked for it: systemd started orchion, and orchion what it had run."""
    assert machine.shows("ActiveState") == "active", server.log_tail()
    for service in ("web", "polite"):
        # What is known of it may be from before the power failed.
        task = harness.wait_for(service, lambda: lives(server.running("stays").get(service)))
        memory = (machine.group_of(task["pid"]) / "memory.max").read_text()
        assert memory == f"{64 << 20}\n", memory
    said = harness.wait_for("its port", page)
    assert said.count("boot") >= 2, said
    print(f"runs again, {said.count('boot')} starts in its volume", flush=True)


def end(server):
    """What a machine has after a boot and without containers is nothing of ours."""
    runs(server)
    server.ok("down", "--stack", "stays", "--volumes", "--yes")
    left = {kind: found for kind, found in server.state().items() if found and kind not in ("rules", "links")}
    assert not left, left
    assert server.state()["links"] == ["lo"], server.state()
    assert "orchion" not in server.state()["rules"], server.state()


if __name__ == "__main__":
    {"begin": begin, "again": again, "end": end}[sys.argv[1]](machine.Machine().start())
