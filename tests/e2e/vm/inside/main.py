#!/usr/bin/python3
"""Runs in the virtual machine, once a boot: each boot has its checks, then the machine is started anew or switched off.

Which boots there were, and what failed in them, is kept on the disk, so that the last one can tell the verdict.
"""

import os
import pathlib
import re
import subprocess
import sys
import time
import traceback

E2E = pathlib.Path(__file__).resolve().parents[2]
STATE = pathlib.Path("/var/lib/checks")
USAGE = "Usage.test_figures_are_right Usage.test_processor_time_is_the_process_s_own"
# What a boot runs, and how it ends. The second ends as when the power fails.
POWER_OFF = "sync; systemctl poweroff"
# Of two machines: which addresses they have on their wire.
ADDRESSES = {"near": "10.99.0.1/24", "far": "10.99.0.2/24"}
BOOTS = (
    (["limits_test.py", "unit_test.py", "engines_test.py", f"../../usage_test.py {USAGE}", "rootless_test.py",
      "vlan_test.py", "clock_test.py", "boots.py begin"], "systemctl reboot"),
    (["boots.py again"], "echo b > /proc/sysrq-trigger"),
    (["boots.py end"], POWER_OFF),
)


def run(command):
    """One file of Python, with arguments."""
    print(f"--- {command}", flush=True)
    env = {"ORCHION": "/usr/local/bin/orchion", "ORCHION_CI": "1", "ORCHION_E2E_PATIENCE": "8", "HOME": "/root",
           "ORCHION_E2E_WIREGUARD": "kernel",
           "LC_ALL": "C.UTF-8", "PYTHONDONTWRITEBYTECODE": "1", "PYTHONPATH": str(E2E), "PATH": os.environ["PATH"]}
    if subprocess.run(["python3", *command.split()], env=env, cwd=E2E / "vm/inside").returncode != 0:
        note("failed", f"{command}\n")


def note(name, text):
    """Adds to a file of ours, which is on the disk then: the power may fail next."""
    with open(STATE / name, "a") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())


def install():
    """As the units' files say."""
    copies = (("755", "orchion", "/usr/local/bin/"), ("644", "deploy/systemd/orchion.service", "/etc/systemd/system/"),
              ("644", "deploy/systemd/orchion-agent.service", "/etc/systemd/system/"))
    for mode, what, where in copies:
        subprocess.run(["install", "-m", mode, E2E.parents[1] / what, where], check=True)


def add_swap():
    """For what is allowed some."""
    swap = STATE / "swap"
    subprocess.run(["fallocate", "--length", "256M", swap], check=True)
    swap.chmod(0o600)
    subprocess.run(["mkswap", "--quiet", swap], check=True)
    subprocess.run(["swapon", swap], check=True)


def connect(end):
    # systemd doesn't wait for udev, which loads the card's driver.
    deadline = time.monotonic() + 60
    while not pathlib.Path("/sys/class/net/eth0").exists():
        if time.monotonic() > deadline:
            raise TimeoutError("no Ethernet card within 60 s of the boot")
        time.sleep(0.1)
    for command in (["ip", "addr", "add", ADDRESSES[end], "dev", "eth0"], ["ip", "link", "set", "eth0", "up"],
                    ["hostname", end]):
        subprocess.run(command, check=True)


def main():
    STATE.mkdir(exist_ok=True)
    boot = len((STATE / "boots").read_text().split()) if (STATE / "boots").exists() else 0
    note("boots", "boot\n")
    if boot == 0:
        install()
    words = pathlib.Path("/proc/cmdline").read_text()
    if one_of_two := re.search(r"checks\.end=(\w+)", words):
        connect(one_of_two[1])
        if one_of_two[1] == "far":
            return run("hand.py")
        commands, end = ["pair_test.py"], POWER_OFF
    elif power := re.search(r"checks\.power=(\d+),(\w+)", words):
        commands, end = [f"power.py {power[1]} {power[2]}"], POWER_OFF
    else:
        if boot == 0:
            subprocess.run(["systemctl", "enable", "--quiet", "--now", "orchion"], check=True)
            add_swap()
        commands, end = BOOTS[boot]
    if named := (E2E / "vm/inside/tests").read_text().split():
        commands, end = [f"../../{name}" for name in named], POWER_OFF
    for command in commands:
        run(command)
    if end == POWER_OFF:
        print(f"checks: exit {1 if (STATE / 'failed').exists() else 0}", flush=True)
    subprocess.run(end, shell=True, check=True)


if __name__ == "__main__":
    try:
        main()
    except BaseException:
        traceback.print_exc(file=sys.stdout)
        print("checks: exit 1", flush=True)
        subprocess.run(POWER_OFF, shell=True, check=True)
