#include "core/shared_network.h"

#include <algorithm>

#include <fmt/core.h>

#include "core/validation.h"

namespace orchion::core {

namespace {

std::uint32_t replicas_of(const v1::ServiceSpec& spec) {
  return spec.has_replicas() ? spec.replicas() : 1;
}

std::string lacks_network(const std::string& name, const v1::ContainerSpec& container) {
  if (container.executor() == kProcessExecutor)
    return fmt::format("service {} is a program of its node, which has no network of its own", name);
  switch (container.network_mode()) {
    case v1::HOST_NETWORK: return fmt::format("service {} is in its node's network: write `network_mode: host`", name);
    case v1::NO_NETWORK: return fmt::format("service {} is in no network: give it one", name);
    case v1::OF_SERVICE:
      return fmt::format("service {0} shares the network of {1}: name {1}", name, container.network_service());
    default: return {};
  }
}

// Each start of a container brings it a network of its own there.
bool is_docker(const v1::ContainerSpec& container) {
  return container.executor() == "docker";
}

}  // namespace

bool shares_network(const v1::ContainerSpec& container) {
  return container.network_mode() == v1::OF_SERVICE;
}

bool shares_network(const v1::Task& task) {
  return !task.spec().assignment().network_of().empty();
}

std::string shared_network_problem(const v1::StackSpec& spec, const v1::NamedService& service) {
  const auto& name = service.spec().container().network_service();
  const auto other = std::find_if(spec.services().begin(), spec.services().end(),
                                  [&](const v1::NamedService& each) { return each.name() == name; });
  if (other == spec.services().end()) return fmt::format("the stack has no service \"{}\"", name);
  const auto& container = other->spec().container();
  if (auto lack = lacks_network(name, container); !lack.empty()) return lack;
  if (is_docker(service.spec().container()) || is_docker(container))
    return fmt::format("Docker can't have {} in the network of {}: use the executor oci, podman or containerd for both",
                       service.name(), name);
  const auto wanted = replicas_of(service.spec()), present = replicas_of(other->spec());
  if (wanted <= present) return {};
  return fmt::format("{} has {} replicas and {} only {}: each needs one to share the network of, so give {} as many",
                     service.name(), wanted, name, present, name);
}

void depend_on_shared_network(v1::ServiceSpec& spec) {
  if (!shares_network(spec.container()) || spec.container().network_service().empty()) return;
  const auto& name = spec.container().network_service();
  const auto names_it = [&](const v1::Dependency& dependency) { return dependency.service() == name; };
  if (std::any_of(spec.depends_on().begin(), spec.depends_on().end(), names_it)) return;
  auto& dependency = *spec.add_depends_on();
  dependency.set_service(name);
  dependency.set_condition(v1::Dependency::STARTED);
}

}  // namespace orchion::core
