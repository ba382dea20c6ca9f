#include "control/controllers/stack_planner.h"

#include <algorithm>
#include <map>
#include <set>

#include <fmt/core.h>

#include "core/carry_over.h"
#include "core/defaults.h"
#include "core/lifecycle.h"

namespace orchion::control::controllers {

namespace {

constexpr const char* kind_of(const v1::Service&) {
  return "Service";
}
constexpr const char* kind_of(const v1::Job&) {
  return "Job";
}
constexpr const char* kind_of(const v1::Network&) {
  return "Network";
}
constexpr const char* kind_of(const v1::Volume&) {
  return "Volume";
}

constexpr const char* kind_of(const v1::NetworkPolicy&) {
  return "NetworkPolicy";
}

constexpr const char* finalizer_of(const v1::Service&) {
  return core::kServiceFinalizer;
}
constexpr const char* finalizer_of(const v1::Job&) {
  return core::kJobFinalizer;
}
constexpr const char* finalizer_of(const v1::Network&) {
  return core::kNetworkFinalizer;
}
constexpr const char* finalizer_of(const v1::Volume&) {
  return core::kVolumeFinalizer;
}

constexpr const char* finalizer_of(const v1::NetworkPolicy&) {
  return "";  // it goes at once
}

// What holds to a network's last day: from the first, or since it has the addresses that were asked for.
void keep_what_is_fixed(const v1::Network& present, v1::NetworkSpec& wanted) {
  wanted.set_internal(present.spec().internal());
  wanted.set_driver(present.spec().driver());
  wanted.set_parent(present.spec().parent());
  if (!present.status().subnet().empty()) {
    wanted.set_subnet(present.spec().subnet());
    wanted.set_gateway(present.spec().gateway());
  }
  if (!present.status().subnet6().empty()) {
    wanted.set_enable_ipv6(present.spec().enable_ipv6());
    wanted.set_subnet6(present.spec().subnet6());
  }
}
void keep_what_is_fixed(const v1::Service&, v1::ServiceSpec&) {}
void keep_what_is_fixed(const v1::Job&, v1::JobSpec&) {}
void keep_what_is_fixed(const v1::Volume&, v1::VolumeSpec&) {}
void keep_what_is_fixed(const v1::NetworkPolicy&, v1::NetworkPolicySpec&) {}

class StackPlanner {
 public:
  StackPlanner(const StackSnapshot& snapshot, Now now, base::Random& random)
      : snapshot_(snapshot), stack_(*snapshot.stack), now_(now), random_(random) {}

  Plan run() {
    if (take_out_spent()) return std::move(plan_);
    // What services stand on comes first, and what they may not do without.
    expand(stack_.spec().network_policies(), snapshot_.policies);
    expand(stack_.spec().networks(), snapshot_.networks);
    expand(stack_.spec().volumes(), snapshot_.volumes);
    expand(stack_.spec().services(), snapshot_.services);
    expand(stack_.spec().jobs(), snapshot_.jobs);
    prune(stack_.spec().services(), snapshot_.services);
    prune(stack_.spec().jobs(), snapshot_.jobs);
    prune(stack_.spec().networks(), snapshot_.networks);
    prune_policies();
    write_status(status());
    return std::move(plan_);
  }

  Plan run_removal() {
    ask_all_to_go(snapshot_.services);
    ask_all_to_go(snapshot_.jobs);
    if (!snapshot_.services.empty()) return finish_removal(waiting_for(snapshot_.services, "services"));
    if (!snapshot_.jobs.empty()) return finish_removal(waiting_for(snapshot_.jobs, "jobs"));
    ask_all_to_go(snapshot_.networks);
    for (const auto& policy : snapshot_.policies) remove_policy(*policy);
    const bool volumes_too = core::label(stack_.meta(), core::kDeleteVolumesLabel) == "true";
    if (volumes_too) ask_all_to_go(snapshot_.volumes);
    if (!snapshot_.networks.empty()) return finish_removal(waiting_for(snapshot_.networks, "networks"));
    if (volumes_too && !snapshot_.volumes.empty()) return finish_removal("waits until its volumes are gone");
    plan_.units.push_back({{Verb::kRemove, stack_}, event(v1::Event::INFO, "StackRemoved", "the stack is gone")});
    return std::move(plan_);
  }

 private:
  // --- what the manifest no longer has to name ---

  // A job that was made for the moment and has nothing left that it stands for; what came with it goes likewise.
  bool take_out_spent() {
    v1::Stack changed = stack_;
    auto& jobs = *changed.mutable_spec()->mutable_jobs();
    for (const auto& job : snapshot_.jobs) {
      if (!job->status().spent() || core::is_deleted(job->meta())) continue;
      const auto is_it = [&](const v1::NamedJob& named) {
        return named.standalone() && named.name() == job->meta().name() && is_same(named.spec(), job->spec());
      };
      jobs.erase(std::remove_if(jobs.begin(), jobs.end(), is_it), jobs.end());
    }
    if (jobs.size() == stack_.spec().jobs_size()) return false;
    changed.mutable_meta()->set_generation(stack_.meta().generation() + 1);
    if (core::is_empty(changed.spec())) core::mark_deleted(*changed.mutable_meta(), now_.wall);
    plan_.units.push_back({{Verb::kPutSpec, std::move(changed)}});
    return true;
  }

  // --- what the manifest names ---

  template <class List, class T>
  void expand(const List& wanted, const std::vector<std::shared_ptr<const T>>& present) {
    for (const auto& named : wanted) {
      const auto found = std::find_if(present.begin(), present.end(),
                                      [&](const auto& object) { return object->meta().name() == named.name(); });
      if (found == present.end()) {
        make<T>(named.name(), named.spec());
      } else if (core::is_deleted((*found)->meta())) {
        behind_ = true;
        if (message_.empty())
          message_ = fmt::format("waits until the former {} {} is gone", lower_kind<T>(), named.name());
      } else {
        update(**found, named.spec());
      }
    }
  }

  template <class T>
  static std::string lower_kind() {
    if constexpr (std::is_same_v<T, v1::NetworkPolicy>) return "network policy";
    std::string kind = kind_of(T());
    kind[0] = static_cast<char>(kind[0] - 'A' + 'a');
    return kind;
  }

  template <class T, class Spec>
  void make(const std::string& name, const Spec& spec) {
    T object;
    const auto uid = base::new_uid(random_);
    *object.mutable_meta() = core::owned_meta(stack_.meta().name(), name, uid, now_.wall, finalizer_of(object));
    *object.mutable_spec() = spec;
    object.mutable_meta()->set_changed_by(stack_.meta().changed_by());
    plan_.units.push_back({{Verb::kCreate, std::move(object)},
                           about<T>(name, uid, "Made", "stands in the stack's manifest and is made")});
    behind_ = true;
  }

  template <class T, class Spec>
  void update(const T& present, Spec wanted) {
    keep_what_is_fixed(present, wanted);
    const bool owned = core::label(present.meta(), core::kOwnerLabel) == core::kStackOwner;
    if (owned && is_same(present.spec(), wanted)) return;
    T changed = present;
    *changed.mutable_spec() = wanted;
    changed.mutable_meta()->set_generation(present.meta().generation() + 1);
    changed.mutable_meta()->set_changed_by(stack_.meta().changed_by());
    (*changed.mutable_meta()->mutable_labels())[core::kOwnerLabel] = core::kStackOwner;
    if (*finalizer_of(changed) != 0) core::add_finalizer(*changed.mutable_meta(), finalizer_of(changed));
    plan_.units.push_back(
        {{Verb::kPutSpec, std::move(changed)},
         about<T>(present.meta().name(), present.meta().uid(), "Changed", "is changed as the manifest says")});
    behind_ = true;
  }

  // --- what it no longer names ---

  template <class List, class T>
  void prune(const List& wanted, const std::vector<std::shared_ptr<const T>>& present) {
    std::set<std::string> names;
    for (const auto& named : wanted) names.insert(named.name());
    for (const auto& object : present) {
      if (names.contains(object->meta().name())) continue;
      if (core::label(object->meta(), core::kOwnerLabel) != core::kStackOwner) continue;
      behind_ = true;
      ask_to_go(*object);
    }
  }

  template <class T>
  void ask_to_go(const T& object) {
    if (core::is_deleted(object.meta())) return;
    T changed = object;
    core::mark_deleted(*changed.mutable_meta(), now_.wall);
    changed.mutable_meta()->set_generation(object.meta().generation() + 1);
    changed.mutable_meta()->set_changed_by(stack_.meta().changed_by());
    core::add_finalizer(*changed.mutable_meta(), finalizer_of(changed));
    plan_.units.push_back(
        {{Verb::kPutSpec, std::move(changed)},
         about<T>(object.meta().name(), object.meta().uid(), "Leaves", "is no longer wanted and is removed")});
  }

  void prune_policies() {
    std::set<std::string> names;
    for (const auto& named : stack_.spec().network_policies()) names.insert(named.name());
    for (const auto& policy : snapshot_.policies)
      if (!names.contains(policy->meta().name())) remove_policy(*policy);
  }

  void remove_policy(const v1::NetworkPolicy& policy) {
    behind_ = true;
    plan_.units.push_back({{Verb::kRemove, policy},
                           about<v1::NetworkPolicy>(policy.meta().name(), policy.meta().uid(), "Removed",
                                                    "is no longer wanted and holds no more")});
  }

  template <class T>
  void ask_all_to_go(const std::vector<std::shared_ptr<const T>>& objects) {
    for (const auto& object : objects) ask_to_go(*object);
  }

  // --- what is said ---

  v1::StackStatus status() const {
    v1::StackStatus status = stack_.status();
    status.set_services(static_cast<std::uint32_t>(stack_.spec().services_size()));
    std::map<std::string, const v1::Service*> present;
    for (const auto& service : snapshot_.services)
      if (!core::is_deleted(service->meta())) present[service->meta().name()] = service.get();
    std::uint32_t running = 0, desired = 0;
    bool behind = behind_;
    std::string message = message_;
    for (const auto& named : stack_.spec().services()) {
      const auto found = present.find(named.name());
      const bool seen =
          found != present.end() && found->second->status().observed_generation() == found->second->meta().generation();
      behind = behind || !seen;
      desired += seen ? found->second->status().tasks_desired() : core::tasks_wanted(named.spec());
      if (found == present.end()) continue;
      running += found->second->status().tasks_running();
      if (message.empty() && !found->second->status().message().empty())
        message = fmt::format("{}: {}", named.name(), found->second->status().message());
    }
    status.set_tasks_running(running);
    status.set_tasks_desired(desired);
    status.set_message(message);
    if (!behind) status.set_observed_generation(stack_.meta().generation());
    return status;
  }

  template <class T>
  static std::string waiting_for(const std::vector<std::shared_ptr<const T>>& objects, const char* what) {
    for (const auto& object : objects)
      if (!object->status().message().empty() && core::is_deleted(object->meta()))
        return fmt::format("{}: {}", object->meta().name(), object->status().message());
    return fmt::format("waits until its {} are gone", what);
  }

  Plan finish_removal(const std::string& message) {
    v1::StackStatus status = stack_.status();
    status.set_tasks_running(0);
    status.set_tasks_desired(0);
    status.set_message(message);
    write_status(status);
    return std::move(plan_);
  }

  void write_status(const v1::StackStatus& status) {
    if (is_same(status, stack_.status())) return;
    v1::Stack changed = stack_;
    *changed.mutable_status() = status;
    plan_.units.push_back({{Verb::kPutStatus, std::move(changed)}});
  }

  Write event(v1::Event::Severity severity, const char* reason, const std::string& message) {
    return write_event(
        {severity, "Stack", stack_.meta().name(), stack_.meta().name(), stack_.meta().uid(), reason, message, ""}, now_,
        random_);
  }

  template <class T>
  Write about(const std::string& name, const std::string& uid, const char* what, const char* text) {
    return write_event(
        {v1::Event::INFO, kind_of(T()), stack_.meta().name(), name, uid, fmt::format("{}{}", kind_of(T()), what),
         fmt::format("{} {} {}", lower_kind<T>(), name, text), ""},
        now_, random_);
  }

  const StackSnapshot& snapshot_;
  const v1::Stack& stack_;
  Now now_;
  base::Random& random_;
  Plan plan_;
  bool behind_ = false;  // something of the manifest doesn't stand yet
  std::string message_;
};

}  // namespace

Plan plan_stack(const StackSnapshot& snapshot, Now now, base::Random& random) {
  if (!snapshot.stack) return {};
  StackPlanner planner(snapshot, now, random);
  return core::is_deleted(snapshot.stack->meta()) ? planner.run_removal() : planner.run();
}

}  // namespace orchion::control::controllers
