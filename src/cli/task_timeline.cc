#include "cli/task_timeline.h"

#include <iostream>
#include <vector>

#include <fmt/core.h>
#include <google/protobuf/util/time_util.h>

#include "cli/list.h"
#include "cli/output.h"
#include "core/task_state.h"

namespace orchion::cli {

namespace {

constexpr const char* kGetTaskTimeline = "orchion.v1.TaskService.GetTaskTimeline";

// A task's uid, long enough to tell those of one slot apart.
constexpr std::size_t kUidShown = 8;

std::string dash_if_empty(const std::string& text) {
  return text.empty() ? "-" : text;
}

std::string time_text(google::protobuf::Timestamp time, base::WallTime now) {
  const auto age = age_of(time, now);
  time.set_nanos(time.nanos() / 1'000'000 * 1'000'000);
  return fmt::format("{} ({} ago)", google::protobuf::util::TimeUtil::ToString(time), age);
}

// "Exited: exited with code 3".
std::string what_text(const v1::TaskChange& change) {
  auto text = change.reason();
  if (!change.message().empty()) text += ": " + change.message();
  if (change.has_exit_code() && change.exit_code() != 0 && change.message().empty())
    text += fmt::format(": exit code {}", change.exit_code());
  return one_line(text);
}

std::vector<std::string> cells_of(const v1::TaskChange& change, bool previous, base::WallTime now) {
  std::vector<std::string> cells{time_text(change.time(), now),
                                 change.attempt() == 0 ? "-" : std::to_string(change.attempt()),
                                 std::string(core::state_name(change.state())),
                                 dash_if_empty(change.node()),
                                 what_text(change),
                                 dash_if_empty(change.actor())};
  if (previous) cells.insert(cells.begin(), change.task_uid().substr(0, kUidShown));
  return cells;
}

std::string head_of(const v1::TaskTimeline& timeline) {
  std::vector<std::vector<std::string>> rows;
  const auto add = [&](const char* name, const std::string& value) {
    if (!value.empty()) rows.push_back({fmt::format("  {}", name), one_line(value)});
  };
  add("name", timeline.task());
  add("uid", timeline.task_uid());
  add("state", fmt::format("{}{}", core::state_name(timeline.state()), timeline.gone() ? ", and gone" : ""));
  add("node", timeline.node());
  add("image", timeline.image());
  add("attempts", std::to_string(timeline.attempt()));
  add("note", timeline.message());
  return fmt::format("{}/{}\n{}", timeline.stack(), timeline.slot(), format_table(rows));
}

}  // namespace

std::string timeline_text(const v1::TaskTimeline& timeline, bool previous, base::WallTime now) {
  std::vector<std::vector<std::string>> rows{{"TIME", "ATTEMPT", "STATE", "NODE", "WHAT", "BY"}};
  if (previous) rows.front().insert(rows.front().begin(), "TASK");
  for (const auto& change : timeline.changes()) {
    if (change.left_out() > 0) {
      std::vector<std::string> gap(rows.front().size());
      gap.front() = "…";
      gap[gap.size() - 2] = fmt::format("{} more, not kept", change.left_out());
      rows.push_back(std::move(gap));
    }
    rows.push_back(cells_of(change, previous, now));
  }
  return fmt::format("{}\n{}", head_of(timeline), format_table(rows));
}

int show_task_timeline(Context& context, const v1::GetTaskTimelineRequest& request) {
  auto api = context.api();
  if (!api) return context.fail(api.error());
  const auto json =
      context.run((*api)->call_json(kGetTaskTimeline, std::make_shared<const v1::GetTaskTimelineRequest>(request)));
  if (!json) return context.fail(json.error());
  if (wants_object(context)) return print_object(context, *json);
  v1::TaskTimeline timeline;
  if (auto parsed = client::parse_json(*json, timeline); !parsed) return context.fail(parsed.error());
  if (context.options().output.format == OutputFormat::kName) {
    std::cout << timeline.stack() << "/" << timeline.slot() << "\n";
    return kExitOk;
  }
  std::cout << timeline_text(timeline, request.previous(), context.clock().wall());
  return kExitOk;
}

}  // namespace orchion::cli
