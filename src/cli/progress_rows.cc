// What StackProgress looks like to somebody who waits.

#include <algorithm>
#include <cctype>

#include <fmt/core.h>

#include "cli/progress.h"
#include "core/defaults.h"

namespace orchion::cli {

namespace {

using Mark = ProgressRow::Mark;

}  // namespace

std::string StackProgress::phase_of(const v1::NamedService& service, const v1::Task& task) const {
  const auto& status = task.status();
  if (task.spec().assignment().node().empty() && !task.spec().placement_message().empty())
    return "not placed: " + task.spec().placement_message();
  if (status.state() == v1::PREPARING) {
    const auto pull = pulls_.text(service.spec().container().image(), task.spec().assignment().node());
    if (!pull.empty()) return pull;
  }
  std::string phase = v1::TaskState_Name(status.state());
  for (char& c : phase) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  if (status.state() == v1::RUNNING) phase = "waiting for its check";
  return status.message().empty() ? phase : phase + ": " + status.message();
}

const v1::Task* StackProgress::straggler(const std::string& service) const {
  const auto found = std::ranges::find_if(
      tasks_, [&](const auto& entry) { return entry.second.spec().service() == service && !is_fine(entry.second); });
  return found == tasks_.end() ? nullptr : &found->second;
}

ProgressRow StackProgress::row(const v1::NamedService& service, base::Duration elapsed) const {
  const auto wanted = core::tasks_wanted(service.spec());
  const bool done = is_service_done(service);
  if (goal_ == Goal::kStopped && done) return {Mark::kDone, service.name(), "stopped"};
  const auto seconds = elapsed_text(std::chrono::duration_cast<std::chrono::seconds>(elapsed).count());
  if (goal_ == Goal::kStopped) return {Mark::kWorking, service.name(), "stopping  " + seconds};
  const auto it = services_.find(service.name());
  const auto* state = it == services_.end() ? nullptr : &it->second.status();
  const auto fine = std::ranges::count_if(tasks_, [&](const auto& entry) {
    const auto& spec = entry.second.spec();
    return spec.service() == service.name() && is_fine(entry.second) &&
           (state == nullptr || spec.revision() == state->revision());
  });
  const auto count = fmt::format("{}/{}", std::min<std::int64_t>(fine, wanted), wanted);
  if (done) return {Mark::kDone, service.name(), count};
  const auto* late = straggler(service.name());
  if (late == nullptr) {
    const auto why = state == nullptr || state->message().empty() ? "waiting" : state->message();
    return {Mark::kWaiting, service.name(), fmt::format("{}  {}  {}", count, why, seconds)};
  }
  const auto mark = late->status().state() == v1::FAILED ? Mark::kFailed : Mark::kWorking;
  return {mark, service.name(), fmt::format("{}  {}  {}", count, phase_of(service, *late), seconds)};
}

std::vector<ProgressRow> StackProgress::rows(base::Duration elapsed) const {
  std::vector<ProgressRow> out;
  for (const auto& service : wanted_.spec().services()) out.push_back(row(service, elapsed));
  return out;
}

}  // namespace orchion::cli
