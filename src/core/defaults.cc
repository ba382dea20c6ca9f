#include "core/defaults.h"

#include <algorithm>

#include "core/timestamps.h"

namespace orchion::core {

namespace {

constexpr int kDefaultGraceSeconds = 10;

bool has_volume(const v1::ContainerSpec& container) {
  return std::any_of(container.mounts().begin(), container.mounts().end(),
                     [](const v1::Mount& mount) { return mount.type() == v1::Mount::VOLUME; });
}

bool uses_default_network(const v1::StackSpec& spec) {
  for (const auto& service : spec.services())
    for (const auto& attachment : service.spec().container().networks())
      if (attachment.network() == kDefaultNetwork) return true;
  return false;
}

void fill_container(v1::ContainerSpec& container) {
  if (!container.has_stop_grace_period()) container.mutable_stop_grace_period()->set_seconds(kDefaultGraceSeconds);
  for (auto& port : *container.mutable_ports())
    if (port.protocol().empty()) port.set_protocol("tcp");
  if (container.networks().empty() && container.network_mode() == v1::IN_NETWORKS)
    container.add_networks()->set_network(kDefaultNetwork);
}

}  // namespace

void fill_defaults(v1::ServiceSpec& spec) {
  fill_container(*spec.mutable_container());
  if (!spec.has_replicas()) spec.set_replicas(1);
  spec.mutable_restart();
  for (auto& dependency : *spec.mutable_depends_on())
    if (dependency.condition() == v1::Dependency::CONDITION_UNSPECIFIED)
      dependency.set_condition(v1::Dependency::STARTED);
  if (spec.on_node_loss() == v1::ON_NODE_LOSS_UNSPECIFIED)
    spec.set_on_node_loss(has_volume(spec.container()) ? v1::WAIT : v1::REPLACE);
}

void fill_defaults(v1::StackSpec& spec) {
  for (auto& service : *spec.mutable_services()) fill_defaults(*service.mutable_spec());
  for (auto& network : *spec.mutable_networks()) network.mutable_spec();
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
