"""What holds a container on cgroup v2, as Debian has it."""

import pathlib
import unittest


class Machine(unittest.TestCase):
    def test_is_what_users_of_debian_12_have(self):
        cgroups = [line.split() for line in pathlib.Path("/proc/mounts").read_text().splitlines() if "cgroup" in line]
        self.assertEqual([(fields[1], fields[2]) for fields in cgroups], [("/sys/fs/cgroup", "cgroup2")])
        self.assertEqual(pathlib.Path("/sys/module/apparmor/parameters/enabled").read_text(), "Y\n")


if __name__ == "__main__":
    unittest.main(verbosity=2)
