#include "node/agent/adopter.h"

#include <algorithm>
#include <iterator>

#include <fmt/core.h>

#include "base/log.h"

namespace orchion::node::agent {

namespace {

constexpr auto kLookAgain = std::chrono::seconds(5);

const std::string& uid_of(const v1::TaskCheckpoint& checkpoint) {
  return checkpoint.assignment().task().meta().uid();
}

}  // namespace

base::Co<> Adopter::begin(CheckpointFolder::Content content) {
  parts_.network_table.restore(content.networks, content.tasks);
  std::vector<std::string> kept;
  std::vector<Takeover> taken;
  for (auto& checkpoint : content.tasks) {
    if (!checkpoint.removed()) kept.push_back(uid_of(checkpoint));
    // Of an unknown executor, and not begun there: nothing can be left of it. An older agent didn't say where it began.
    const bool is_known = parts_.executors.find(executor_of(checkpoint)) != nullptr;
    if (checkpoint.removed() || (!is_known && checkpoint.status().executor().empty())) {
      taken.push_back({std::move(checkpoint), std::nullopt});
    } else {
      waiting_.push_back(std::move(checkpoint));
    }
  }
  for (const auto& executor : parts_.executors.all()) {
    CO_ASSIGN_OR_RETURN(auto more, co_await take_over(&executor));
    std::move(more.begin(), more.end(), std::back_inserter(taken));
  }
  CO_RETURN_IF_ERROR(co_await parts_.networks.sweep(parts_.network_table.uids(), std::move(kept)));
  restore(std::move(taken));
  for (const auto& checkpoint : waiting_) {
    const auto silent = silent_.find(parts_.executors.find(executor_of(checkpoint)));
    parts_.tasks.leave_alone(checkpoint, silent == silent_.end()
                                             ? fmt::format("{} isn't there: start it", checkpoint.status().executor())
                                             : silent->second);
  }
  co_return base::Result<>{};
}

base::Co<> Adopter::keep_looking() {
  while (parts_.look_for_executors || seen_.size() < parts_.executors.all().size()) {
    CO_RETURN_IF_ERROR(co_await parts_.clock.sleep(kLookAgain));
    auto looked = co_await look();
    if (!looked) base::log::warn("cannot look for engines: {}", looked.error().message);
  }
  co_return base::Result<>{};
}

base::Co<> Adopter::look() {
  if (parts_.look_for_executors) CO_RETURN_IF_ERROR(co_await parts_.look_for_executors());
  for (const auto& executor : parts_.executors.all()) {
    if (seen_.contains(&executor)) continue;
    CO_ASSIGN_OR_RETURN(auto taken, co_await take_over(&executor));
    if (seen_.contains(&executor)) base::log::info("{} is there: its tasks are looked after", executor.name);
    restore(std::move(taken));
  }
  co_return base::Result<>{};
}

// Its tasks with their containers, and those of no task removed; nothing where it doesn't answer.
base::Co<std::vector<Adopter::Takeover>> Adopter::take_over(const Executor* executor) {
  std::vector<Takeover> taken;
  auto listed = co_await executor->runtime.list();
  if (!listed) {
    if (silent_.emplace(executor, listed.error().message).second)
      base::log::warn("cannot see what runs in {}: {}", executor->name, listed.error().message);
    co_return taken;
  }
  silent_.erase(executor);
  seen_.insert(executor);
  std::map<std::string, runtimes::ContainerInfo> containers;
  for (auto& container : *listed) containers.emplace(container.id, std::move(container));
  const auto mine = std::stable_partition(waiting_.begin(), waiting_.end(), [&](const v1::TaskCheckpoint& checkpoint) {
    return parts_.executors.find(executor_of(checkpoint)) != executor;
  });
  for (auto it = mine; it != waiting_.end(); ++it) {
    auto found = containers.extract(uid_of(*it));
    taken.push_back({std::move(*it), found ? std::optional(std::move(found.mapped())) : std::nullopt});
  }
  waiting_.erase(mine, waiting_.end());
  // Begun before its checkpoint was written, or after its end was: nobody waits for it.
  for (const auto& [id, container] : containers) {
    if (parts_.tasks.find(id) != nullptr) continue;  // of a task that was assigned meanwhile
    auto removed = co_await executor->runtime.remove(id, false);
    if (!removed) base::log::warn("cannot remove the container {} of no task: {}", id, removed.error().message);
  }
  co_return taken;
}

void Adopter::restore(std::vector<Takeover> taken) {
  for (auto& task : taken) parts_.tasks.restore(std::move(task.checkpoint), std::move(task.container));
}

}  // namespace orchion::node::agent
