"""A macvlan network on a VLAN of the node's interface, which is made for it and goes with it."""

import signal
import subprocess
import unittest

import harness
import network_modes_test


def link(name):
    done = subprocess.run(["ip", "-d", "-o", "link", "show", name], capture_output=True, text=True)
    return done.stdout if done.returncode == 0 else None


class Vlan(network_modes_test.OnTheLan):
    def setUp(self):
        super().setUp()
        for command in ("ip addr flush dev lan1", "ip link add link lan1 name lan1.20 type vlan id 20",
                        "ip addr add 192.168.77.1/24 dev lan1.20", "ip link set lan1.20 up"):
            self.assertIsNotNone(self.on_router(*command.split()), command)

    def test_it_is_made_and_goes_with_the_network(self):
        self.up(network_modes_test.ON_THE_LAN.format(parent="lan0.20"))
        camera = self.address("camera")
        self.assertEqual(self.page(camera), "camera\n")
        self.assertIn("vlan protocol 802.1Q id 20", link("lan0.20"))
        self.cluster.stop(signal.SIGKILL)
        self.cluster.start()
        self.assertEqual(self.page(camera), "camera\n")
        self.assertIsNotNone(link("lan0.20"))
        self.down()
        self.assertIsNone(link("lan0.20"))

    def test_one_that_was_there_stays(self):
        subprocess.run("ip link add link lan0 name lan0.20 type vlan id 20".split(), check=True)
        subprocess.run("ip link set lan0.20 up".split(), check=True)
        self.empty = harness.host_state(self.cluster)
        self.up(network_modes_test.ON_THE_LAN.format(parent="lan0.20"))
        self.assertEqual(self.page(self.address("camera")), "camera\n")
        self.down()
        self.assertIsNotNone(link("lan0.20"))


if __name__ == "__main__":
    harness.main()
