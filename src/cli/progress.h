#pragma once

// Following a stack until it stands, or can't.

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "cli/progress_row.h"
#include "cli/pull_rows.h"
#include "v1/control.pb.h"

namespace orchion::cli {

enum class Goal {
  kRunning,    // as many tasks of its newest revision as it should have, or it has completed
  kHealthy,    // that, and every check succeeds
  kCompleted,  // every task ended with exit code 0
  kStopped,    // none runs, or is on its way to or from that; also where the service is gone
};

// What a watch has said about one stack. Pure.
class StackProgress {
 public:
  // `stack` as it was read, or as the apply returned it: what is reached must be of this generation or a later one. Its
  // services are those that count.
  explicit StackProgress(v1::Stack stack, Goal goal = Goal::kRunning) : wanted_(std::move(stack)), goal_(goal) {}

  void put(const v1::Service& service) { services_[service.meta().name()] = service; }
  void put(const v1::Stack& stack) { observed_generation_ = stack.status().observed_generation(); }
  void put(const v1::Task& task);
  void put(const v1::PullProgress& pull, base::Time now) { pulls_.put(pull, now); }
  void remove_task(const std::string& uid) {
    tasks_.erase(uid);
    leaving_.erase(uid);
  }
  void remove_service(const std::string& name) { services_.erase(name); }

  // Every service of the manifest has reached the goal.
  bool is_done() const;

  // Why it doesn't stand, one sentence a cause; empty while nothing speaks against it.
  std::vector<std::string> obstacles() const;

  // A row for each service that counts: how far it is, and what it is at.
  std::vector<ProgressRow> rows(base::Duration elapsed) const;

  // "web 1/2, db 1/1"
  std::string summary() const;

  // Addresses of published ports on this machine: "http://localhost:8080".
  std::vector<std::string> urls() const;

  std::uint32_t running(const std::string& service) const;

  // TCP ports that this machine's loopback leads to the stack, each with how many tasks are behind it.
  std::map<std::uint16_t, int> local_ports() const;

 private:
  bool is_service_done(const v1::NamedService& service) const;
  // What a task that isn't there yet is at.
  std::string phase_of(const v1::NamedService& service, const v1::Task& task) const;
  ProgressRow row(const v1::NamedService& service, base::Duration elapsed) const;
  // The first task of it that isn't where it should be; null: none.
  const v1::Task* straggler(const std::string& service) const;
  bool is_fine(const v1::Task& task) const;
  bool has_stopped(const std::string& service) const;
  // Whether it is one of those that count, or what one of them waits for.
  bool concerns(const std::string& service) const;
  // Whether a service that it depends on is still on its way, which may take long: an image is pulled, a migration
  // runs. What is wrong with that one speaks for itself.
  bool waits_for_others(const v1::Service& service) const;

  v1::Stack wanted_;
  Goal goal_;
  std::uint64_t observed_generation_ = 0;
  std::map<std::string, v1::Service> services_;
  std::map<std::string, v1::Task> tasks_;  // by uid; those that should run
  PullRows pulls_;
  std::map<std::string, std::string> leaving_;  // uid → service; those that were told to stop and haven't yet
};

}  // namespace orchion::cli
