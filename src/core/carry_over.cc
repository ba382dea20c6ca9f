#include "core/carry_over.h"

#include <algorithm>

namespace orchion::core {

namespace {

template <class List>
auto find_named(List& list, const std::string& name) {
  return std::find_if(list.begin(), list.end(), [&](const auto& named) { return named.name() == name; });
}

// Keeps `name` in `after` where it is in `before` only.
template <class Named>
void keep(const google::protobuf::RepeatedPtrField<Named>& before, google::protobuf::RepeatedPtrField<Named>& after,
          const std::string& name) {
  if (find_named(after, name) != after.end()) return;
  if (const auto found = find_named(before, name); found != before.end()) *after.Add() = *found;
}

}  // namespace

void carry_over(const v1::StackSpec& before, v1::StackSpec& after) {
  const auto keep_what_it_uses = [&](const v1::ContainerSpec& container) {
    for (const auto& attachment : container.networks())
      keep(before.networks(), *after.mutable_networks(), attachment.network());
    for (const auto& mount : container.mounts())
      if (mount.type() == v1::Mount::VOLUME) keep(before.volumes(), *after.mutable_volumes(), mount.source());
  };
  for (const auto& service : before.services()) {
    auto& services = *after.mutable_services();
    if (const auto same = find_named(services, service.name()); same != services.end()) {
      same->mutable_spec()->set_restarts(service.spec().restarts());
      continue;
    }
    if (!service.standalone()) continue;
    *services.Add() = service;
    keep_what_it_uses(service.spec().container());
  }
  for (const auto& job : before.jobs()) {
    auto& jobs = *after.mutable_jobs();
    if (!job.standalone() || find_named(jobs, job.name()) != jobs.end()) continue;
    *jobs.Add() = job;
    if (!job.spec().queue().empty()) keep(before.queues(), *after.mutable_queues(), job.spec().queue());
    keep_what_it_uses(job.spec().container());
  }
  for (const auto& network : before.networks())
    if (network.standalone()) keep(before.networks(), *after.mutable_networks(), network.name());
}

bool is_empty(const v1::StackSpec& spec) {
  const bool has_network = std::any_of(spec.networks().begin(), spec.networks().end(),
                                       [](const v1::NamedNetwork& network) { return network.standalone(); });
  return !has_network && spec.services().empty() && spec.jobs().empty() && spec.volumes().empty() &&
         spec.queues().empty() && spec.network_policies().empty();
}

}  // namespace orchion::core
