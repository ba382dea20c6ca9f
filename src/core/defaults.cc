#include "core/defaults.h"

#include <algorithm>

#include <fmt/core.h>

#include "core/shared_network.h"
#include "core/timestamps.h"

namespace orchion::core {

namespace {

constexpr int kDefaultGraceSeconds = 10;
constexpr int kDefaultBackoffSeconds = 1;
constexpr int kDefaultStartingSeconds = 60;
constexpr int kDefaultKeepSeconds = 7 * 24 * 3600;

bool has_volume(const v1::ContainerSpec& container) {
  return std::any_of(container.mounts().begin(), container.mounts().end(),
                     [](const v1::Mount& mount) { return mount.type() == v1::Mount::VOLUME; });
}

bool uses_default_network(const v1::StackSpec& spec) {
  const auto uses = [](const auto& named) {
    const auto& networks = named.spec().container().networks();
    return std::any_of(networks.begin(), networks.end(),
                       [](const v1::NetworkAttachment& attachment) { return attachment.network() == kDefaultNetwork; });
  };
  return std::any_of(spec.services().begin(), spec.services().end(), uses) ||
         std::any_of(spec.jobs().begin(), spec.jobs().end(), uses);
}

void fill_container(v1::ContainerSpec& container) {
  if (!container.has_stop_grace_period()) container.mutable_stop_grace_period()->set_seconds(kDefaultGraceSeconds);
  for (auto& port : *container.mutable_ports())
    if (port.protocol().empty()) port.set_protocol("tcp");
  if (container.networks().empty() && container.network_mode() == v1::IN_NETWORKS)
    container.add_networks()->set_network(kDefaultNetwork);
}

void fill_routes(v1::ServiceSpec& spec) {
  for (int i = 0; i < spec.routes_size(); ++i) {
    auto& route = *spec.mutable_routes(i);
    if (route.name().empty()) route.set_name(i == 0 ? "main" : fmt::format("main-{}", i + 1));
    for (auto& host : *route.mutable_hosts())
      std::ranges::transform(host, host.begin(),
                             [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
  }
}

}  // namespace

void fill_defaults(v1::ServiceSpec& spec) {
  fill_container(*spec.mutable_container());
  fill_routes(spec);
  if (!spec.has_replicas()) spec.set_replicas(1);
  spec.mutable_restart();
  depend_on_shared_network(spec);
  for (auto& dependency : *spec.mutable_depends_on())
    if (dependency.condition() == v1::Dependency::CONDITION_UNSPECIFIED)
      dependency.set_condition(v1::Dependency::STARTED);
  if (spec.on_node_loss() == v1::ON_NODE_LOSS_UNSPECIFIED)
    spec.set_on_node_loss(has_volume(spec.container()) ? v1::WAIT : v1::REPLACE);
}

void fill_defaults(v1::JobSpec& spec) {
  fill_container(*spec.mutable_container());
  if (spec.completions() == 0) spec.set_completions(1);
  if (spec.parallelism() == 0) spec.set_parallelism(1);
  if (!spec.has_backoff()) spec.mutable_backoff()->set_seconds(kDefaultBackoffSeconds);
  if (!spec.has_keep()) spec.mutable_keep()->set_seconds(kDefaultKeepSeconds);
  if (spec.on_node_loss() == v1::ON_NODE_LOSS_UNSPECIFIED)
    spec.set_on_node_loss(has_volume(spec.container()) ? v1::WAIT : v1::REPLACE);
  if (!spec.has_schedule()) return;
  auto& schedule = *spec.mutable_schedule();
  if (schedule.time_zone().empty()) schedule.set_time_zone("UTC");
  if (!schedule.has_starting_deadline()) schedule.mutable_starting_deadline()->set_seconds(kDefaultStartingSeconds);
}

void fill_defaults(v1::StackSpec& spec) {
  for (auto& service : *spec.mutable_services()) fill_defaults(*service.mutable_spec());
  for (auto& job : *spec.mutable_jobs()) fill_defaults(*job.mutable_spec());
  for (auto& queue : *spec.mutable_queues()) queue.mutable_spec();
  for (auto& network : *spec.mutable_networks()) network.mutable_spec();
  for (auto& policy : *spec.mutable_network_policies()) policy.mutable_spec();
  for (auto& volume : *spec.mutable_volumes()) volume.mutable_spec();
  const bool described = std::any_of(spec.networks().begin(), spec.networks().end(),
                                     [](const v1::NamedNetwork& network) { return network.name() == kDefaultNetwork; });
  if (described || !uses_default_network(spec)) return;
  auto& network = *spec.add_networks();
  network.set_name(kDefaultNetwork);
  network.mutable_spec();
}

std::uint32_t tasks_wanted(const v1::ServiceSpec& spec) {
  return spec.stopped() ? 0 : spec.replicas();
}

base::Duration stop_grace_period(const v1::ContainerSpec& container) {
  if (!container.has_stop_grace_period()) return std::chrono::seconds(kDefaultGraceSeconds);
  return from_duration(container.stop_grace_period());
}

}  // namespace orchion::core
