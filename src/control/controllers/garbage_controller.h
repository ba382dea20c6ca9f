#pragma once

#include <set>
#include <string>
#include <utility>

#include "control/controllers/controller.h"

namespace orchion::control::controllers {

// Removes what is left over: tasks, revisions, volumes, old events and records; see garbage_planner.h and
// record_retention.h.
class GarbageController final : public Controller {
 public:
  GarbageController(const Context& context, base::Random random);

 private:
  Plan plan(const Key& key) override;
  void on_change(const store::ObjectChange& change) override;
  void enqueue_all() override;

  Plan plan_task(const store::ObjectName& name);
  Plan plan_events();
  Plan plan_records();
  Plan volume_plan(const store::ObjectName& name) const;
  bool is_volume_used(const store::ObjectName& volume) const;
  bool is_revision_used(const v1::Revision& revision) const;
  void on_task(const store::ObjectChange& change);
  void on_record(const store::ObjectChange& change);
  void on_event(const store::ObjectChange& change);
  void on_node_gone(const std::string& node_uid);
  void on_service(const store::ObjectName& service);
  std::size_t events_slack() const { return context_.options.events_kept / 100; }

  std::set<std::pair<std::string, std::string>> events_;  // name, then stack: the oldest first
  RecordRetention records_;
};

}  // namespace orchion::control::controllers
