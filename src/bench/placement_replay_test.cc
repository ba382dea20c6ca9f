#include "bench/placement_replay.h"

#include <gtest/gtest.h>

namespace orchion::bench {
namespace {

using control::scheduler::Strategy;

constexpr const char* kNodes = "sn,cpu_milli,memory_mib,gpu,model\nn0,16000,65536,2,T4\nn1,16000,65536,2,P100\r\n\n";
constexpr const char* kTasks =
    "name,cpu_milli,memory_mib,num_gpu,gpu_milli,gpu_spec,qos\n"
    "a,4000,1024,1,500,,LS\nb,4000,1024,1,1000,P100|V100,LS\nc,1000,512,0,0,,BE\nd,4000,1024,1,500,,LS\n";

base::Result<PlacementTrace> read(const std::string& nodes, const std::string& tasks) {
  return read_trace(nodes, "nodes.csv", tasks, "tasks.csv");
}

TEST(PlacementTrace, ReadsWhatIsThere) {
  const auto trace = read(kNodes, kTasks);
  ASSERT_TRUE(trace) << trace.error().message;
  EXPECT_EQ(trace->nodes.size(), 2U);
  EXPECT_EQ(trace->gpus, 4U);
  EXPECT_EQ(trace->nodes[0].nano_cpus, 16'000'000'000);
  EXPECT_EQ(trace->tasks, (std::vector<std::uint32_t>{0, 1, 2, 0}));
  EXPECT_EQ(trace->classes[0].gpus.milli, 500U);
  EXPECT_EQ(trace->classes[1].gpus.models.size(), 2U);
  EXPECT_EQ(trace->classes[1].gpus.models[0], trace->nodes[1].gpus[0].model);
  EXPECT_EQ(trace->classes[2].gpus.count, 0U);
}

TEST(PlacementTrace, SaysWhichLineIsWrong) {
  const std::string nodes = "cpu_milli,memory_mib,gpu,model\n",
                    tasks = "cpu_milli,memory_mib,num_gpu,gpu_milli,gpu_spec\n";
  const struct {
    std::string nodes, tasks, message;
  } cases[] = {
      {"", kTasks, "nodes.csv:1 is empty: its first line names the columns"},
      {"cpu_milli,memory_mib,model\n", kTasks, "nodes.csv:1 names no column gpu"},
      {nodes, kTasks, "nodes.csv:2 has no node"},
      {nodes + "1,2,3\n", kTasks, "nodes.csv:2 has 3 fields where the heading has 4"},
      {nodes + "1,2,65,T4\n", kTasks, "nodes.csv:2 gpu: `65` is no number from 0 to 64"},
      {nodes + "1,2,1,T4\nx,2,1,T4\n", kTasks, "nodes.csv:3 cpu_milli: `x` is no number from 0 to 1000000000"},
      {nodes + "1,-2,1,T4\n", kTasks, "nodes.csv:2 memory_mib: `-2` is no number from 0 to 1099511627776"},
      {nodes + "1,2,1,\"T4\"\n", kTasks, "nodes.csv:2 has quotes, which aren't read here"},
      {kNodes, tasks, "tasks.csv:2 has no task"},
      {kNodes, tasks + "1,2,1,0,\n", "tasks.csv:2 gpu_milli: a task with one GPU has 1 to 1000 thousandths of it"},
      {kNodes, tasks + "1,2,2,500,\n", "tasks.csv:2 gpu_milli: shares are of one GPU; several are whole, 1000"},
  };
  for (const auto& c : cases) {
    const auto trace = read(c.nodes, c.tasks);
    ASSERT_FALSE(trace) << c.message;
    EXPECT_EQ(trace.error().message, c.message);
  }
}

TEST(Replay, FillsTheGpusAndSaysWhatDidNotFit) {
  const auto trace = read(kNodes, kTasks);
  ASSERT_TRUE(trace);
  for (const auto strategy : {Strategy::kBinPack, Strategy::kSpread, Strategy::kRoundRobin, Strategy::kFragmentation}) {
    const auto run = replay(*trace, strategy, 3, 42);
    EXPECT_GE(run.arrived, 12U) << "four GPUs, three times";
    std::size_t unplaced = 0;
    for (const auto& [reason, tasks] : run.unplaced) unplaced += tasks;
    EXPECT_EQ(run.placed + unplaced, run.arrived);
    EXPECT_GT(unplaced, 0U);
    EXPECT_GT(run.gpu_allocated_percent, 70);
    EXPECT_LE(run.gpu_allocated_percent, 100);
  }
  const auto once = replay(*trace, Strategy::kFragmentation, 2, 7),
             again = replay(*trace, Strategy::kFragmentation, 2, 7);
  EXPECT_EQ(once.placed, again.placed);
  EXPECT_EQ(once.gpu_allocated_percent, again.gpu_allocated_percent);
}

TEST(Replay, NamesWhatTheClosestNodeLacks) {
  const auto trace =
      read(kNodes, "cpu_milli,memory_mib,num_gpu,gpu_milli,gpu_spec\n64000,1,1,100,\n1,999999,1,100,\n1,1,1,100,A10\n");
  ASSERT_TRUE(trace);
  const auto run = replay(*trace, Strategy::kBinPack, 0.05, 1);
  EXPECT_EQ(run.placed, 0U);
  for (const auto& [reason, tasks] : run.unplaced)
    EXPECT_TRUE(reason == "cpus" || reason == "memory" || reason == "gpus") << reason;
}

}  // namespace
}  // namespace orchion::bench
