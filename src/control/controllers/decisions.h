#pragma once

// Why tasks come and go, and who wanted it, as their histories tell it. See core/task_changes.h.

#include <string>
#include <string_view>

#include "control/controllers/service_planner.h"
#include "core/task_changes.h"

namespace orchion::control::controllers {

// Controllers as histories name them: "controller services".
inline constexpr char kServices[] = "services";
inline constexpr char kRuns[] = "runs";
inline constexpr char kPlacement[] = "placement";
inline constexpr char kGarbage[] = "garbage";

// Who is behind what a controller does with `meta`'s object: who asked for it to be as it is, else the controller.
std::string asked_by(const v1::Meta& meta, std::string_view controller);

// Of a task whose node doesn't answer, or was removed.
core::Decision lost_with_node(const v1::Task& task, std::string_view controller);

// A service's, as it stands in the snapshot. Outlived by it.
class ServiceDecisions {
 public:
  explicit ServiceDecisions(const ServiceSnapshot& snapshot) : snapshot_(snapshot), service_(*snapshot.service) {}

  core::Decision removed() const;   // the service goes
  core::Decision too_many() const;  // a slot that is wanted no more
  core::Decision surplus() const;   // two in one slot
  core::Decision outdated(const v1::Task& task) const;
  core::Decision ended(const v1::Task& task) const;
  core::Decision moved(const v1::Task& task) const;                // it can't live on its node
  static core::Decision rebalanced(const v1::Task& task);          // it goes on where its move leads
  core::Decision without_network(const std::string& owner) const;  // "web.2", whose network it shares, goes
  core::Decision lost(const v1::Task& task) const { return lost_with_node(task, kServices); }

  // Of a new task; with the uid of the one it comes after, if there was one.
  struct Beginning {
    core::Decision why;
    std::string predecessor;
  };
  // `former` goes for `why`.
  static Beginning after(const v1::Task& former, const core::Decision& why);
  // In a slot that is empty; `former` was told to go, null: it is gone, or there was none.
  Beginning in_empty_slot(std::uint32_t slot, const TaskPtr& former) const;

 private:
  std::string user() const { return asked_by(service_.meta(), kServices); }

  const ServiceSnapshot& snapshot_;
  const v1::Service& service_;
};

}  // namespace orchion::control::controllers
