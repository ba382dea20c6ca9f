#include "cli/usage_board.h"

#include <algorithm>
#include <set>
#include <tuple>

#include <fmt/core.h>

#include "core/naming.h"
#include "core/quantities.h"

namespace orchion::cli {

namespace {

std::string name_of(const v1::TaskUsage& usage) {
  return usage.stack() + "/" + core::slot_name(usage.run().empty() ? usage.service() : usage.run(), usage.slot());
}

std::string percent_text(double cores) {
  return fmt::format("{:.1f}%", cores * 100);
}

std::string bytes_text(std::uint64_t bytes) {
  return core::format_bytes(static_cast<std::int64_t>(bytes));
}

std::string memory_text(const v1::TaskUsage& usage) {
  const auto used = core::format_bytes(usage.memory_bytes());
  return usage.memory_limit_bytes() > 0 ? used + " / " + core::format_bytes(usage.memory_limit_bytes()) : used;
}

std::string cpu_time_text(std::uint64_t nanoseconds) {
  const auto seconds = static_cast<double>(nanoseconds) / 1e9;
  return seconds < 60 ? fmt::format("{:.1f}s", seconds) : elapsed_text(static_cast<std::int64_t>(seconds));
}

bool stands_before(const v1::TaskUsage& a, const v1::TaskUsage& b, UsageOrder order) {
  if (order == UsageOrder::kCpu && a.cpu_cores() != b.cpu_cores()) return a.cpu_cores() > b.cpu_cores();
  if (order == UsageOrder::kMemory && a.memory_bytes() != b.memory_bytes()) return a.memory_bytes() > b.memory_bytes();
  const auto place = [](const v1::TaskUsage& usage) { return std::tie(usage.stack(), usage.service(), usage.run()); };
  return place(a) != place(b) ? place(a) < place(b) : a.slot() < b.slot();
}

Row row_of(const v1::TaskUsage& usage) {
  const auto name = name_of(usage);
  return {name,
          {name, percent_text(usage.cpu_cores()), memory_text(usage),
           bytes_text(usage.network_received_bytes()) + " / " + bytes_text(usage.network_sent_bytes()),
           bytes_text(usage.disk_read_bytes()) + " / " + bytes_text(usage.disk_written_bytes()),
           std::to_string(usage.processes())},
          {usage.node(), cpu_time_text(usage.cpu_nanoseconds()), usage.task_uid()}};
}

std::string counted(std::size_t count, const char* noun) {
  return fmt::format("{} {}{}", count, noun, count == 1 ? "" : "s");
}

}  // namespace

void UsageBoard::take(const v1::TaskUsages& usages, base::Time now) {
  if (!usages.tasks().empty()) nodes_[usages.tasks(0).node()] = {now, usages};
}

std::vector<v1::TaskUsage> UsageBoard::tasks(base::Time now) {
  std::erase_if(nodes_, [&](const auto& entry) { return now - entry.second.at > silence_; });
  std::vector<v1::TaskUsage> all;
  for (const auto& [node, word] : nodes_) all.insert(all.end(), word.usages.tasks().begin(), word.usages.tasks().end());
  return all;
}

std::vector<std::string> usage_heading() {
  return {"TASK", "CPU", "MEMORY", "NETWORK IN / OUT", "DISK READ / WRITTEN", "PROCESSES"};
}

std::vector<std::string> usage_wide_heading() {
  return {"NODE", "CPU TIME", "UID"};
}

std::vector<Row> usage_rows(std::vector<v1::TaskUsage> tasks, UsageOrder order) {
  std::ranges::sort(tasks, [&](const auto& a, const auto& b) { return stands_before(a, b, order); });
  std::vector<Row> rows;
  for (const auto& task : tasks) rows.push_back(row_of(task));
  return rows;
}

std::string usage_summary(const std::vector<v1::TaskUsage>& tasks) {
  std::set<std::string> nodes;
  double cores = 0;
  std::int64_t bytes = 0;
  for (const auto& task : tasks) {
    nodes.insert(task.node());
    cores += task.cpu_cores();
    bytes += task.memory_bytes();
  }
  if (tasks.empty()) return "nothing runs";
  return fmt::format("{} on {}: {} CPU, {}", counted(tasks.size(), "task"), counted(nodes.size(), "node"),
                     percent_text(cores), core::format_bytes(bytes));
}

std::vector<std::string> usage_screen(const std::vector<v1::TaskUsage>& tasks, UsageOrder order, bool wide,
                                      const std::string& hint, ScreenSize size) {
  auto rows = usage_rows(tasks, order);
  // One line each for the summary, the heading, the count of what isn't shown, and the cursor.
  const auto most = std::max<std::size_t>(size.rows, 5) - 4;
  const auto hidden = rows.size() > most ? rows.size() - most : 0;
  rows.resize(rows.size() - hidden);
  auto top = usage_summary(tasks);
  const auto taken = width_of(top) + width_of(hint);
  top += std::string(size.columns > taken + 2 ? size.columns - taken - 1 : 2, ' ') + hint;
  std::vector<std::string> lines{std::move(top)};
  const auto table = table_lines(usage_heading(), usage_wide_heading(), rows, wide);
  lines.insert(lines.end(), table.begin(), table.end());
  if (hidden > 0) lines.push_back(fmt::format("and {} more", hidden));
  for (auto& line : lines) line = fitted(std::move(line), size.columns);
  return lines;
}

}  // namespace orchion::cli
