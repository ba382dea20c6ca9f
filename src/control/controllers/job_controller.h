#pragma once

#include "control/controllers/controller.h"
#include "control/controllers/job_planner.h"

namespace orchion::control::controllers {

// Jobs to runs; see plan_job. One job at a time, because jobs share concurrency groups and queues: two that looked at
// once could both find theirs free.
class JobController final : public Controller {
 public:
  JobController(const Context& context, base::Random random);

 private:
  Plan plan(const Key& key) override;
  void on_change(const store::ObjectChange& change) override;
  void enqueue_all() override;

  void on_run(const v1::Run* before, const v1::Run* after);
  void enqueue_stack(const std::string& stack);
};

}  // namespace orchion::control::controllers
