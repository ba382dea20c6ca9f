#include "cli/usage_board.h"

#include <gmock/gmock.h>

namespace orchion::cli {
namespace {

using std::chrono::seconds;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

constexpr base::Time kStart{std::chrono::hours(1)};

v1::TaskUsage usage(const std::string& service, std::uint32_t slot, double cores, std::int64_t bytes,
                    const std::string& node = "nas") {
  v1::TaskUsage out;
  out.set_stack("shop");
  out.set_service(service);
  out.set_slot(slot);
  out.set_node(node);
  out.set_cpu_cores(cores);
  out.set_memory_bytes(bytes);
  return out;
}

v1::TaskUsages said(const std::vector<v1::TaskUsage>& tasks) {
  v1::TaskUsages out;
  out.mutable_tasks()->Assign(tasks.begin(), tasks.end());
  return out;
}

std::vector<std::string> names(const std::vector<v1::TaskUsage>& tasks, UsageOrder order) {
  std::vector<std::string> out;
  for (const auto& row : usage_rows(tasks, order)) out.push_back(row.name);
  return out;
}

TEST(UsageBoard, TheNewestOfEachNodeCounts) {
  UsageBoard board(seconds(4));
  board.take(said({usage("web", 1, 0, 0), usage("web", 2, 0, 0)}), kStart);
  board.take(said({usage("db", 1, 0, 0, "attic")}), kStart + seconds(1));
  board.take(said({usage("web", 2, 0, 0)}), kStart + seconds(2));
  EXPECT_THAT(names(board.tasks(kStart + seconds(2)), UsageOrder::kName), ElementsAre("shop/db.1", "shop/web.2"));
  EXPECT_THAT(names(board.tasks(kStart + seconds(6)), UsageOrder::kName), ElementsAre("shop/web.2"))
      << "a node that is silent is forgotten";
  EXPECT_THAT(board.tasks(kStart + seconds(7)), IsEmpty());
}

TEST(UsageBoard, Orders) {
  const std::vector<v1::TaskUsage> tasks{usage("web", 10, 0.5, 1), usage("web", 2, 0.5, 3), usage("db", 1, 0.1, 2)};
  EXPECT_THAT(names(tasks, UsageOrder::kCpu), ElementsAre("shop/web.2", "shop/web.10", "shop/db.1"));
  EXPECT_THAT(names(tasks, UsageOrder::kMemory), ElementsAre("shop/web.2", "shop/db.1", "shop/web.10"));
  EXPECT_THAT(names(tasks, UsageOrder::kName), ElementsAre("shop/db.1", "shop/web.2", "shop/web.10"));
}

TEST(UsageBoard, Rows) {
  auto task = usage("web", 1, 1.234, 12 << 20);
  task.set_memory_limit_bytes(64 << 20);
  task.set_network_received_bytes(2048);
  task.set_network_sent_bytes(1);
  task.set_disk_written_bytes(1 << 20);
  task.set_processes(7);
  task.set_cpu_nanoseconds(1'550'000'000);
  task.set_task_uid("u1");
  const auto row = usage_rows({task}, UsageOrder::kCpu).at(0);
  EXPECT_THAT(row.cells, ElementsAre("shop/web.1", "123.4%", "12 MiB / 64 MiB", "2 KiB / 1 B", "0 B / 1 MiB", "7"));
  EXPECT_THAT(row.wide, ElementsAre("nas", "1.6s", "u1"));
  EXPECT_EQ(usage_summary({task, usage("db", 1, 0.1, 4 << 20, "attic")}), "2 tasks on 2 nodes: 133.4% CPU, 16 MiB");
  EXPECT_EQ(usage_summary({}), "nothing runs");
}

TEST(UsageBoard, TheScreenIsNeitherHigherNorWiderThanTheTerminal) {
  std::vector<v1::TaskUsage> tasks;
  for (std::uint32_t slot = 1; slot <= 50; ++slot) tasks.push_back(usage("web", slot, slot / 10.0, 1));
  const auto lines = usage_screen(tasks, UsageOrder::kCpu, true, "q ends it", {60, 10});
  ASSERT_THAT(lines, SizeIs(9));
  EXPECT_EQ(lines[0], "50 tasks on 1 node: 12750.0% CPU, 50 B            q ends it");
  EXPECT_TRUE(lines[1].starts_with("TASK"));
  EXPECT_TRUE(lines[2].starts_with("shop/web.50  500.0%"));
  EXPECT_EQ(lines[8], "and 44 more");
  for (const auto& line : lines) EXPECT_LE(width_of(line), 60u);
  EXPECT_THAT(usage_screen({}, UsageOrder::kCpu, false, "q", {3, 1}), SizeIs(2));
}

}  // namespace
}  // namespace orchion::cli
