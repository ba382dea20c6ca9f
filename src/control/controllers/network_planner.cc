#include "control/controllers/network_planner.h"

#include <algorithm>

#include <fmt/core.h>

#include "core/fingerprint.h"
#include "core/lifecycle.h"
#include "core/node_addresses.h"
#include "core/subnet.h"

namespace orchion::control::controllers {

namespace {

constexpr int kPrefix = 20;

// What others have, by what `parse` makes of their text.
template <class Subnet>
using Owned = std::vector<std::pair<Subnet, const v1::Network*>>;

template <class Subnet>
Owned<Subnet> taken(const NetworkSnapshot& snapshot, base::Result<Subnet> (*parse)(std::string_view),
                    const std::string& (v1::NetworkStatus::*text)() const) {
  Owned<Subnet> taken;
  for (const auto& network : snapshot.networks)
    if (network->meta().uid() != snapshot.network->meta().uid())
      if (const auto subnet = parse((network->status().*text)())) taken.emplace_back(*subnet, network.get());
  return taken;
}

Owned<core::Subnet> taken_subnets(const NetworkSnapshot& snapshot) {
  return taken<core::Subnet>(snapshot, core::parse_subnet, &v1::NetworkStatus::subnet);
}

Owned<core::Subnet6> taken_subnets6(const NetworkSnapshot& snapshot) {
  return taken<core::Subnet6>(snapshot, core::parse_subnet6, &v1::NetworkStatus::subnet6);
}

template <class Subnet>
base::Result<> check_free(const Subnet& subnet, const Owned<Subnet>& taken) {
  for (const auto& [other, owner] : taken)
    if (other.overlaps(subnet))
      return base::fail(base::Code::kAlreadyExists,
                        fmt::format("its subnet {} overlaps {} of network {}/{}; choose another", subnet.text(),
                                    other.text(), owner->meta().stack(), owner->meta().name()));
  return {};
}

base::Result<core::Subnet> choose_named(const NetworkSnapshot& snapshot) {
  ASSIGN_OR_RETURN(const core::Subnet subnet, core::parse_subnet(snapshot.network->spec().subnet()));
  RETURN_IF_ERROR(check_free(subnet, taken_subnets(snapshot)));
  return subnet;
}

// Each taken subnet is stepped over at most once for each that lies below it; there are few.
base::Result<core::Subnet> choose_free(const NetworkSnapshot& snapshot) {
  const auto taken = taken_subnets(snapshot);
  for (auto base = core::kNetworkPool.base; base < core::kNodeAddresses.base; base += 1u << (32 - kPrefix)) {
    const core::Subnet candidate{base, kPrefix};
    if (check_free(candidate, taken)) return candidate;
  }
  return base::fail(
      base::Code::kResourceExhausted,
      fmt::format("the pool {} has no free subnet left; remove networks or name a subnet", core::kNetworkPool.text()));
}

// 0: it has none. That of a network that others made is theirs to choose.
base::Result<std::uint32_t> choose_gateway(const v1::NetworkSpec& spec, const core::Subnet& subnet) {
  if (spec.gateway().empty()) return spec.driver() == v1::MACVLAN ? 0 : subnet.gateway();
  const auto gateway = core::parse_ipv4(spec.gateway());
  if (gateway && *gateway > subnet.base && *gateway < subnet.last()) return *gateway;
  const auto advice = spec.subnet().empty()
                          ? std::string("name the subnet too")
                          : fmt::format("choose one between {} and {}", core::format_ipv4(subnet.base + 1),
                                        core::format_ipv4(subnet.last() - 1));
  return base::fail(base::Code::kInvalidArgument, fmt::format("its gateway {} is no address of its subnet {}; {}",
                                                              spec.gateway(), subnet.text(), advice));
}

base::Result<core::Subnet6> choose_named6(const NetworkSnapshot& snapshot) {
  ASSIGN_OR_RETURN(const core::Subnet6 subnet, core::parse_subnet6(snapshot.network->spec().subnet6()));
  if (subnet.prefix > core::Subnet6::kPrefixMax)
    return base::fail(base::Code::kInvalidArgument,
                      fmt::format("its subnet {} is too narrow for addresses that end like those of IPv4; make it /{} "
                                  "or wider",
                                  subnet.text(), core::Subnet6::kPrefixMax));
  for (const char* special : {"fe80::/10", "ff00::/8"})
    if (core::parse_subnet6(special)->overlaps(subnet))
      return base::fail(base::Code::kInvalidArgument,
                        fmt::format("its subnet {} overlaps {}, where no task can have an address; choose one of "
                                    "fd00::/8",
                                    subnet.text(), special));
  RETURN_IF_ERROR(check_free(subnet, taken_subnets6(snapshot)));
  return subnet;
}

base::Result<core::Subnet6> choose_free6(const NetworkSnapshot& snapshot) {
  const auto taken = taken_subnets6(snapshot);
  core::Subnet6 candidate{cluster_prefix(snapshot.cluster_id).base, 64};
  for (std::uint32_t number = 0; number <= 0xffff; ++number) {
    candidate.base[6] = static_cast<std::uint8_t>(number >> 8);
    candidate.base[7] = static_cast<std::uint8_t>(number);
    if (check_free(candidate, taken)) return candidate;
  }
  return base::fail(base::Code::kResourceExhausted,
                    fmt::format("the cluster's prefix {} has no free subnet left; remove networks or name an IPv6 "
                                "subnet",
                                cluster_prefix(snapshot.cluster_id).text()));
}

// Gives what is missing. Where that fails, what it was given so far isn't to be used.
base::Result<> complete(const NetworkSnapshot& snapshot, v1::NetworkStatus& status) {
  const auto& spec = snapshot.network->spec();
  if (status.subnet().empty()) {
    ASSIGN_OR_RETURN(const auto subnet, spec.subnet().empty() ? choose_free(snapshot) : choose_named(snapshot));
    ASSIGN_OR_RETURN(const auto gateway, choose_gateway(spec, subnet));
    status.set_subnet(subnet.text());
    status.set_gateway(gateway == 0 ? "" : core::format_ipv4(gateway));
  }
  if (!spec.enable_ipv6() || !status.subnet6().empty()) return {};
  ASSIGN_OR_RETURN(const auto subnet6, spec.subnet6().empty() ? choose_free6(snapshot) : choose_named6(snapshot));
  status.set_subnet6(subnet6.text());
  if (const auto gateway = core::parse_ipv4(status.gateway()))
    status.set_gateway6(core::format_ipv6(subnet6.gateway6(*gateway)));
  return {};
}

Write network_event(const v1::Network& network, v1::Event::Severity severity, const char* reason,
                    const std::string& message, Now now, base::Random& random) {
  return write_event({severity, "Network", network.meta().stack(), network.meta().name(), network.meta().uid(), reason,
                      fmt::format("network {}: {}", network.meta().name(), message), ""},
                     now, random);
}

std::string who_uses_it(const std::set<std::string>& users) {
  if (users.empty()) return {};
  std::string names;
  for (const auto& user : users) names += (names.empty() ? "" : ", ") + user;
  return fmt::format("is still used by {}: remove what uses it, or take that out of the network", names);
}

// The first step replaces the network's own finalizer by one for each node; their agents take those away.
void take_finalizers_away(const NetworkSnapshot& snapshot, v1::Meta& meta) {
  const bool first = core::has_finalizer(meta, core::kNetworkFinalizer);
  core::remove_finalizer(meta, core::kNetworkFinalizer);
  for (const auto& node : snapshot.network->status().node_uids()) {
    const auto finalizer = core::agent_finalizer(node);
    if (!snapshot.nodes.contains(node)) {
      core::remove_finalizer(meta, finalizer);
    } else if (first) {
      core::add_finalizer(meta, finalizer);
    }
  }
}

void plan_deletion(const NetworkSnapshot& snapshot, Plan& plan) {
  v1::Network network = *snapshot.network;
  network.mutable_status()->set_message(who_uses_it(snapshot.users));
  Unit unit;
  if (network.status().message() != snapshot.network->status().message()) unit.push_back({Verb::kPutStatus, network});
  if (!snapshot.in_use && snapshot.users.empty()) {
    take_finalizers_away(snapshot, *network.mutable_meta());
    if (core::is_ready_to_go(network.meta())) {
      unit = {{Verb::kRemove, std::move(network)}};
    } else if (!is_same(network.meta(), snapshot.network->meta())) {
      unit.push_back({Verb::kPutSpec, std::move(network)});
    }
  }
  if (!unit.empty()) plan.units.push_back(std::move(unit));
}

}  // namespace

core::Subnet6 cluster_prefix(const std::string& cluster_id) {
  core::Subnet6 prefix{{0xfd}, 48};
  const auto hash = core::fnv1a_128(cluster_id);
  for (std::size_t i = 0; i < 5; ++i)
    prefix.base[1 + i] = static_cast<std::uint8_t>(std::stoul(hash.substr(2 * i, 2), nullptr, 16));
  return prefix;
}

Plan plan_network(const NetworkSnapshot& snapshot, Now now, base::Random& random) {
  Plan plan;
  if (!snapshot.network) return plan;
  if (core::is_deleted(snapshot.network->meta())) {
    plan_deletion(snapshot, plan);
    return plan;
  }
  const auto& before = snapshot.network->status();
  v1::Network network = *snapshot.network;
  auto& status = *network.mutable_status();
  status.clear_message();
  if (const auto done = complete(snapshot, status); !done) {
    status = before;
    status.set_message(done.error().message);
  }
  Unit unit;
  if (!status.message().empty() && status.message() != before.message())
    unit.push_back(network_event(*snapshot.network, v1::Event::ERROR, "NoSubnet", status.message(), now, random));
  if (!is_same(status, before)) unit.push_back({Verb::kPutStatus, std::move(network)});
  if (!unit.empty()) plan.units.push_back(std::move(unit));
  return plan;
}

}  // namespace orchion::control::controllers
