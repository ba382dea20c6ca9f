"""`orchion bench place`: needs no server, and says by line what is wrong with its files."""

import unittest

import harness

NODES = "sn,cpu_milli,memory_mib,gpu,model\n" + "".join(f"n{i},32000,131072,4,T4\n" for i in range(8))
TASKS = ("name,cpu_milli,memory_mib,num_gpu,gpu_milli,gpu_spec\n"
         "a,4000,8192,1,1000,\nb,2000,4096,1,500,T4\nc,2000,4096,1,250,\nd,1000,1024,0,0,\n")


class BenchPlace(unittest.TestCase):
    def setUp(self):
        self.cluster = harness.Cluster()
        self.addCleanup(self.cluster.close)
        self.nodes = harness.write(self.cluster.folder, "nodes.csv", NODES)
        self.tasks = harness.write(self.cluster.folder, "tasks.csv", TASKS)

    def place(self, *arguments):
        return self.cluster.run("bench", "place", "--nodes", self.nodes, "--tasks", self.tasks, *arguments)

    def test_each_strategy_says_how_well_it_went_and_repeats(self):
        for strategy in ("bin-pack", "spread", "round-robin", "fragmentation"):
            with self.subTest(strategy):
                words = ("bench", "place", "--nodes", self.nodes, "--tasks", self.tasks, "--arrivals", "1.3", "--seed", "42",
                         "--strategy", strategy)
                first, again = self.cluster.json(*words), self.cluster.json(*words)
                self.assertEqual(first["gpuAllocatedPercent"], again["gpuAllocatedPercent"])
                self.assertEqual(first["runs"], again["runs"])
                self.assertTrue(70 < first["gpuAllocatedPercent"] <= 100, first)
                self.assertGreater(first["decisionsPerSecond"], 0)
                run = first["runs"][0]
                self.assertEqual(run["arrived"] - run["placed"], sum(first["unplaced"].values()))
                self.assertEqual(set(first["unplaced"]), {"gpus"}, "processors and memory are plenty")

    def test_people_get_a_table(self):
        result = self.place("--runs", "3", "--arrivals", "1.3")
        self.assertEqual(result.code, 0, result)
        self.assertEqual([line.split()[0] for line in result.out.splitlines()], ["SEED", "42", "43", "44", "mean"])

    def test_a_load_that_is_made_up(self):
        made = self.cluster.json("bench", "place", "--synthetic", "50")
        self.assertGreater(made["placed"], made["refused"])
        self.assertLess(made["bytesPerNode"], 1024)

    def test_what_is_wrong_is_said(self):
        self.assertEqual(self.cluster.run("bench", "place").code, 2)
        self.assertEqual(self.place("--strategy", "best").code, 2)
        bad = harness.write(self.cluster.folder, "bad.csv", NODES + "n9,lots,1,1,T4\n")
        result = self.cluster.run("bench", "place", "--nodes", bad, "--tasks", self.tasks)
        self.assertEqual(result.code, 1, result)
        self.assertIn("bad.csv:10 cpu_milli: `lots` is no number from 0 to", result.err)
        result = self.cluster.run("bench", "place", "--nodes", self.cluster.folder / "none.csv", "--tasks", self.tasks)
        self.assertEqual(result.code, 3, result)


if __name__ == "__main__":
    harness.main()
