#include <utility>

#include "control/store/table_keeper.h"

namespace orchion::control::store {
namespace {

using RunPointer = RunTableKeeper::Pointer;

ObjectName name_of(const v1::Run& run) {
  return {run.meta().stack(), run.meta().name()};
}

ObjectName job_of(const v1::Run& run) {
  return {run.meta().stack(), run.spec().job()};
}

// A run's tasks are never started again by their agent: a retry is another task.
std::shared_ptr<const v1::Revision> make_template(const v1::Run& run) {
  auto made = std::make_shared<v1::Revision>();
  made->mutable_meta()->set_stack(run.meta().stack());
  made->mutable_meta()->set_uid(run.meta().uid());
  const auto& job = run.spec().template_();
  auto& spec = *made->mutable_spec()->mutable_template_();
  *spec.mutable_container() = job.container();
  spec.mutable_restart()->set_condition(v1::RestartPolicy::NO);
  spec.set_on_node_loss(job.on_node_loss());
  *spec.mutable_constraints() = job.constraints();
  *spec.mutable_labels() = job.labels();
  made->mutable_status()->set_image_digest(run.status().image_pin());
  return made;
}

bool is_made_from(const v1::Revision& made, const v1::Run& run) {
  return made.meta().uid() == run.meta().uid() && made.status().image_digest() == run.status().image_pin();
}

}  // namespace

std::vector<RunPointer> RunTableKeeper::of_job(const std::string& stack, const std::string& job) const {
  std::vector<RunPointer> result;
  const auto group = by_job_.find(ObjectName{stack, job});
  if (group == by_job_.end()) return result;
  result.reserve(group->second.size());
  for (const auto& [number, run] : group->second) result.push_back(run);
  return result;
}

std::shared_ptr<const v1::Revision> RunTableKeeper::template_of(const std::string& stack,
                                                                const std::string& run) const {
  const auto found = templates_.find(ObjectName{stack, run});
  return found == templates_.end() ? nullptr : found->second;
}

void RunTableKeeper::changed(const Pointer& before, const Pointer& after) {
  if (!after) {
    templates_.erase(name_of(*before));
    const auto group = by_job_.find(job_of(*before));
    if (group == by_job_.end()) return;
    group->second.erase(before->spec().number());
    if (group->second.empty()) by_job_.erase(group);
    return;
  }
  by_job_[job_of(*after)][after->spec().number()] = after;
  auto& known = templates_[name_of(*after)];
  if (!known || !is_made_from(*known, *after)) known = make_template(*after);
}

}  // namespace orchion::control::store
