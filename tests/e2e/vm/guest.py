"""A Debian 12 in qemu, with the binary and the tests on its second disk."""

import os
import pathlib
import shutil
import subprocess
import threading
import time

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[2]
ORCHION = pathlib.Path(os.environ.get("ORCHION", ROOT / "build" / "release" / "src" / "orchion"))
VERDICT = "checks: exit "  # what main.py says last


def copy_of(folder, tests):
    """The second disk: the binary, the tests, the systemd units, in the folders of the repository."""
    tree = folder / "tree"
    inside = tree / "tests" / "e2e"
    shutil.copytree(ROOT / "tests" / "e2e", inside, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(ROOT / "deploy", tree / "deploy")
    subprocess.run(["strip", "-o", tree / "orchion", ORCHION], check=True)
    (inside / "vm" / "inside" / "tests").write_text("".join(f"{test}\n" for test in tests))
    used = sum(path.stat().st_size for path in tree.rglob("*"))
    disk = folder / "copy.img"
    subprocess.run(["mkfs.ext4", "-q", "-O", "^has_journal", "-d", tree, disk, f"{used // 2**20 * 5 // 4 + 16}M"],
                   check=True, stdout=subprocess.DEVNULL)
    return disk


def seconds_to_boot(accelerator, sector):
    """How long the machine takes to come to a boot sector that switches it off; None where it never comes there."""
    command = ["qemu-system-x86_64", "-accel", accelerator, "-nodefaults", "-display", "none", "-m", "16", "-no-reboot",
               "-device", "isa-debug-exit,iobase=0xf4,iosize=1", "-drive", f"file={sector},format=raw,if=floppy"]
    begun = time.monotonic()
    try:
        code = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=5).returncode
    except subprocess.TimeoutExpired:
        return None
    return time.monotonic() - begun if code == 33 else None  # 2 × 16 + 1, as the device has it


def accelerator(folder):
    """KVM may be there and not work, or be slower than emulation where it is emulated itself: both are tried."""
    if not os.access("/dev/kvm", os.R_OK | os.W_OK):
        return "tcg,thread=multi"
    sector = folder / "sector"
    # mov dx, 0xf4; mov al, 16; out dx, al; hlt
    sector.write_bytes(bytes([0xba, 0xf4, 0x00, 0xb0, 0x10, 0xee, 0xf4]).ljust(510, b"\0") + b"\x55\xaa")
    native, emulated = seconds_to_boot("kvm", sector), seconds_to_boot("tcg", sector)
    return "kvm" if native is not None and native <= (emulated or native) else "tcg,thread=multi"


def image():
    """The folder that has the disk, made where it isn't there yet."""
    return pathlib.Path(subprocess.run([HERE / "image"], check=True, stdout=subprocess.PIPE, text=True).stdout.strip())


def kept_root(folder, image):
    """A disk that survives its machine, as the image's to begin with."""
    disk = folder / "root.img"
    subprocess.run(["cp", "--sparse=always", image / "root.img", disk], check=True)
    return disk


class Guest:
    """One machine, from power-on to power-off. `words` go on its kernel's command line, `devices` on qemu's. `root` is
    the disk that it boots from and keeps, by kept_root(); without one it forgets what it wrote."""

    def __init__(self, folder, image, disk, kind, seconds, words="", devices=("-nic", "none"), root=None):
        folder.mkdir(exist_ok=True)
        self.console = folder / "console"
        self.seconds = seconds
        self.why = []  # it was switched off from outside
        self.code = None  # of its checks
        drive = f"file={root},cache=writeback" if root else f"file={image}/root.img,snapshot=on,cache=unsafe"
        command = ["qemu-system-x86_64", "-accel", kind, "-smp", "2", "-m", "2048", "-nodefaults", "-display", "none",
                   *devices, "-kernel", image / "vmlinuz", "-initrd", image / "initrd.img",
                   "-append", f"console=ttyS0 root=/dev/vda rw quiet systemd.show_status=1 {words}",
                   "-drive", f"{drive},format=raw,if=virtio",
                   "-drive", f"file={disk},format=raw,if=virtio,readonly=on",
                   "-serial", f"file:{self.console}", "-serial", "stdio"]
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True,
                                        errors="replace", env=dict(os.environ, TMPDIR=str(folder)))
        self.watcher = threading.Thread(target=self.watch)
        self.watcher.start()

    def watch(self):
        """Ends it when its time is over or its kernel gave up."""
        deadline = time.monotonic() + self.seconds
        while self.process.poll() is None:
            if time.monotonic() > deadline:
                self.why.append(f"it ran for {self.seconds} s")
            elif self.console.exists() and b"Kernel panic" in self.console.read_bytes():
                self.why.append("its kernel gave up")
            if self.why:
                self.process.kill()
                return
            time.sleep(0.5)

    def lines(self):
        """What its checks say, until it is off."""
        for line in self.process.stdout:
            line = line.rstrip("\r\n")
            if line.startswith(VERDICT):
                self.code = int(line.removeprefix(VERDICT))
            else:
                yield line
        self.process.wait()
        self.watcher.join()

    def kill(self):
        """As when its power is cut."""
        self.process.kill()
        self.process.wait()
        self.watcher.join()

    def last_words(self):
        """Of the kernel and systemd, for who asks why its checks didn't end."""
        said = self.console.read_text(errors="replace").splitlines()[-60:]
        return "\n".join([*said, f"the machine ended with {self.process.returncode}, and its checks didn't: "
                                 f"{' '.join(self.why) or 'see above'}"])
