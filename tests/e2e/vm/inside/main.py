#!/usr/bin/python3
"""Runs in the virtual machine, once a boot: each boot has its checks, then the machine is started anew or switched off.

What the boots before said is kept on the disk, so that the last one can tell the verdict.
"""

import os
import pathlib
import subprocess

E2E = pathlib.Path(__file__).resolve().parents[2]
STATE = pathlib.Path("/var/lib/checks")
# What a boot runs, and how it ends.
BOOTS = (
    (["limits_test.py", "unit_test.py", "engines_test.py", "leave_running.py"], ["systemctl", "reboot"]),
    (["reboot_test.py"], ["systemctl", "poweroff"]),
)


def number_of_boot():
    counter = STATE / "boots"
    number = int(counter.read_text()) if counter.exists() else 0
    counter.write_text(str(number + 1))
    return number


def run(path):
    print(f"--- {path.name}", flush=True)
    env = dict(os.environ, ORCHION="/usr/local/bin/orchion", ORCHION_CI="1", ORCHION_E2E_PATIENCE="8", HOME="/root",
               PYTHONDONTWRITEBYTECODE="1", PYTHONPATH=str(E2E), PATH="/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")
    code = subprocess.run([path], env=env).returncode if os.access(path, os.X_OK) else subprocess.run(
        ["python3", path], env=env).returncode
    if code != 0:
        with open(STATE / "failed", "a") as file:
            file.write(f"{path.name}\n")


def main():
    STATE.mkdir(exist_ok=True)
    named = (E2E / "vm/inside/tests").read_text().split()
    boot = number_of_boot()
    if boot == 0:
        subprocess.run(["cp", "/orchion/orchion", "/usr/local/bin/orchion"], check=True)
    if named:
        paths, end = [E2E / name for name in named], ["systemctl", "poweroff"]
    else:
        paths, end = [E2E / "vm/inside" / name for name in BOOTS[boot][0]], BOOTS[boot][1]
    for path in paths:
        run(path)
    if end[-1] == "poweroff":
        print(f"checks: exit {1 if (STATE / 'failed').exists() else 0}", flush=True)
    subprocess.run(end, check=True)


if __name__ == "__main__":
    main()
