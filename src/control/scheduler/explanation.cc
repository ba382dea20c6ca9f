#include "control/scheduler/explanation.h"

#include <algorithm>
#include <map>

#include <fmt/core.h>

#include "core/quantities.h"

namespace orchion::control::scheduler {

namespace {

struct Tally {
  int count = 0;
  std::int64_t free = INT64_MIN;
};

// One verb form for one node, another for more.
std::string_view form(int count, std::string_view one, std::string_view more) {
  return count == 1 ? one : more;
}

// "need 2", "need 0.25 of one with 8 GiB"
std::string wanted_gpus(const v1::GpuRequest& wanted) {
  std::string text = wanted.share_milli() > 0 ? fmt::format("need {:g} of one", wanted.share_milli() / 1000.0)
                     : wanted.all()           ? "need all that it has"
                                              : fmt::format("need {}", wanted.count());
  if (wanted.memory_bytes() > 0) text += fmt::format(" with {}", core::format_bytes(wanted.memory_bytes()));
  return text;
}

std::string sentence(const TaskClass& wanted, Filter filter, const std::string& detail, const Tally& tally) {
  const auto is = form(tally.count, "is", "are");
  switch (filter) {
    case Filter::kPassed: return {};
    case Filter::kLost: return fmt::format("{} lost", is);
    case Filter::kNotReady: return fmt::format("{} not ready", is);
    case Filter::kLeaving: return fmt::format("{} being removed", is);
    case Filter::kDrained: return fmt::format("{} drained", is);
    case Filter::kPaused: return fmt::format("{} paused", is);
    case Filter::kVolume: return fmt::format("{} not where volume {} is", is, detail);
    case Filter::kConstraint: return fmt::format("{} not match {}", form(tally.count, "does", "do"), detail);
    case Filter::kPlatform: return fmt::format("{} {} (the image is {})", is, detail, wanted.architecture);
    case Filter::kExecutor: return fmt::format("{} {}", form(tally.count, "lacks", "lack"), detail);
    case Filter::kTaint: return fmt::format("{} the taint {}", form(tally.count, "has", "have"), detail);
    case Filter::kGpuModel: return fmt::format("{} {}", form(tally.count, "has", "have"), detail);
    case Filter::kAffinity: return fmt::format("{} not where its neighbours are to be", is);
    case Filter::kTasksPerNode:
      return fmt::format("{} {} of its tasks, as many as may be", form(tally.count, "has", "have"),
                         wanted.tasks_per_node_max);
    case Filter::kDisk:
      return fmt::format("{} disk ({})", form(tally.count, "lacks", "lack"),
                         core::format_need_bytes(wanted.disk_bytes, tally.free));
    case Filter::kGpus:
      return fmt::format("{} GPUs ({}, can give {})", form(tally.count, "lacks", "lack"), wanted_gpus(wanted.gpus),
                         std::max<std::int64_t>(tally.free, 0));
    case Filter::kPorts: return fmt::format("{} port {} taken", form(tally.count, "has", "have"), detail);
    case Filter::kCpus:
      return fmt::format("{} processors (need {}, free {})", form(tally.count, "lacks", "lack"),
                         core::format_cpus(wanted.nano_cpus), core::format_cpus(std::max<std::int64_t>(tally.free, 0)));
    case Filter::kMemory:
      return fmt::format("{} memory ({})", form(tally.count, "lacks", "lack"),
                         core::format_need_bytes(wanted.memory_bytes, tally.free));
  }
  return {};
}

}  // namespace

std::string explain(const TaskClass& wanted, const std::vector<Refusal>& refusals) {
  if (refusals.empty()) return "0 of 0 nodes: none has joined; start an agent";
  std::map<std::pair<Filter, std::string>, Tally> tallies;
  for (const auto& refusal : refusals) {
    auto& tally = tallies[{refusal.filter, refusal.detail}];
    ++tally.count;
    tally.free = std::max(tally.free, refusal.free);
  }
  std::vector<std::pair<std::pair<Filter, std::string>, Tally>> sorted(tallies.begin(), tallies.end());
  std::stable_sort(sorted.begin(), sorted.end(),
                   [](const auto& a, const auto& b) { return a.second.count > b.second.count; });
  std::string text = fmt::format("0 of {} {}: ", refusals.size(), refusals.size() == 1 ? "node" : "nodes");
  for (std::size_t i = 0; i < sorted.size(); ++i) {
    const auto& [kind, tally] = sorted[i];
    text += fmt::format("{}{} {}", i == 0 ? "" : ", ", tally.count, sentence(wanted, kind.first, kind.second, tally));
  }
  return text;
}

}  // namespace orchion::control::scheduler
