#include "control/controllers/service_revisions.h"

#include <algorithm>
#include <set>

#include "core/fingerprint.h"
#include "core/naming.h"
#include "core/timestamps.h"

namespace orchion::control::controllers {

ServiceRevisions::ServiceRevisions(const ServiceSnapshot& snapshot, Now now, base::Random& random)
    : snapshot_(snapshot) {
  const std::string wanted = core::fingerprint(snapshot.service->spec());
  std::uint64_t newest = 0, generation_newest = 0;
  for (const auto& revision : snapshot.revisions) {
    const auto generation = core::revision_generation(service_name(), revision->meta().name()).value_or(0);
    generation_newest = std::max(generation_newest, generation);
    fingerprints_[revision->meta().name()] = revision->spec().fingerprint();
    if (revision->spec().fingerprint() != wanted || generation < newest) continue;
    newest = generation;
    current_ = revision;
  }
  if (current_) return;
  is_new_ = true;
  current_ = make(wanted, std::max(snapshot.service->meta().generation(), generation_newest + 1), now, random);
  fingerprints_[current_->meta().name()] = wanted;
}

RevisionPtr ServiceRevisions::make(const std::string& fingerprint, std::uint64_t generation, Now now,
                                   base::Random& random) const {
  auto made = std::make_shared<v1::Revision>();
  auto& meta = *made->mutable_meta();
  meta.set_name(core::revision_name(service_name(), generation));
  meta.set_stack(snapshot_.service->meta().stack());
  meta.set_uid(base::new_uid(random));
  meta.set_generation(1);
  *meta.mutable_created_at() = core::to_timestamp(now.wall);
  made->mutable_spec()->set_service(service_name());
  *made->mutable_spec()->mutable_template_() = snapshot_.service->spec();
  made->mutable_spec()->set_fingerprint(fingerprint);
  return made;
}

bool ServiceRevisions::is_outdated(const v1::Task& task) const {
  const auto found = fingerprints_.find(task.spec().revision());
  return found == fingerprints_.end() || found->second != current_->spec().fingerprint();
}

void ServiceRevisions::pin(Plan& plan) const {
  for (const auto& revision : snapshot_.revisions) {
    const auto& container = revision->spec().template_().container();
    const bool settled = !revision->status().image_digest().empty() || !container.image_digest().empty();
    // The user wants what the name stands for at the time, or on the node.
    if (settled || container.pull_policy() != v1::PULL_MISSING) continue;
    for (const auto& task : snapshot_.tasks) {
      if (task->spec().revision() != revision->meta().name() || task->status().image_pin().empty()) continue;
      v1::Revision pinned = *revision;
      pinned.mutable_status()->set_image_digest(task->status().image_pin());
      plan.units.push_back({{Verb::kPutStatus, std::move(pinned)}});
      break;
    }
  }
}

void ServiceRevisions::prune(Plan& plan) const {
  std::set<std::string> used{current_->meta().name()};
  for (const auto& task : snapshot_.tasks) used.insert(task->spec().revision());
  std::map<std::uint64_t, RevisionPtr> unused;
  for (const auto& revision : snapshot_.revisions)
    if (!used.contains(revision->meta().name()))
      unused.emplace(core::revision_generation(service_name(), revision->meta().name()).value_or(0), revision);
  for (auto it = unused.begin(); it != unused.end() && unused.size() > kRevisionsKept; it = unused.erase(it))
    plan.units.push_back({{Verb::kRemove, *it->second}});
}

}  // namespace orchion::control::controllers
