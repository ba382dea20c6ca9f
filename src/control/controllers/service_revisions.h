#pragma once

// Which revision a service's new tasks get, and which of the old ones are kept. Part of the service planner.

#include <map>
#include <string>

#include "control/controllers/service_planner.h"

namespace orchion::control::controllers {

class ServiceRevisions {
 public:
  // Finds the newest revision that makes the tasks which the spec asks for (a way back is an old one used again), or
  // makes one. `snapshot` outlives it.
  ServiceRevisions(const ServiceSnapshot& snapshot, Now now, base::Random& random);

  // What new tasks get.
  const RevisionPtr& current() const { return current_; }

  // It isn't stored yet.
  bool is_new() const { return is_new_; }

  // The task was made from a revision that makes other tasks.
  bool is_outdated(const v1::Task& task) const;

  // Settles what the image's name stands for, by the first task that took it.
  void pin(Plan& plan) const;

  // Removes the oldest of those that no task was made from; some are kept for the way back.
  void prune(Plan& plan) const;

 private:
  RevisionPtr make(const std::string& fingerprint, std::uint64_t generation, Now now, base::Random& random) const;
  const std::string& service_name() const { return snapshot_.service->meta().name(); }

  const ServiceSnapshot& snapshot_;
  RevisionPtr current_;
  bool is_new_ = false;
  std::map<std::string, std::string> fingerprints_;  // by revision
};

}  // namespace orchion::control::controllers
