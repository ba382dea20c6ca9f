#include "control/controllers/network_planner.h"

#include <algorithm>

#include <fmt/core.h>

#include "core/lifecycle.h"
#include "core/subnet.h"

namespace orchion::control::controllers {

namespace {

constexpr core::Subnet kPool{0x0ac00000, 10};  // 10.192.0.0/10
constexpr int kPrefix = 20;

std::vector<std::pair<core::Subnet, const v1::Network*>> taken_subnets(const NetworkSnapshot& snapshot) {
  std::vector<std::pair<core::Subnet, const v1::Network*>> taken;
  for (const auto& network : snapshot.networks)
    if (network->meta().uid() != snapshot.network->meta().uid())
      if (const auto subnet = core::parse_subnet(network->status().subnet()))
        taken.emplace_back(*subnet, network.get());
  return taken;
}

base::Result<core::Subnet> choose_named(const NetworkSnapshot& snapshot) {
  ASSIGN_OR_RETURN(const core::Subnet subnet, core::parse_subnet(snapshot.network->spec().subnet()));
  for (const auto& [other, owner] : taken_subnets(snapshot))
    if (other.overlaps(subnet))
      return base::fail(base::Code::kAlreadyExists,
                        fmt::format("its subnet {} overlaps {} of network {}/{}; choose another", subnet.text(),
                                    other.text(), owner->meta().stack(), owner->meta().name()));
  return subnet;
}

// Each taken subnet is stepped over at most once for each that lies below it; there are few.
base::Result<core::Subnet> choose_free(const NetworkSnapshot& snapshot) {
  const auto taken = taken_subnets(snapshot);
  for (std::uint64_t base = kPool.base; base <= kPool.last(); base += std::uint64_t{1} << (32 - kPrefix)) {
    const core::Subnet candidate{static_cast<std::uint32_t>(base), kPrefix};
    bool free = true;
    for (const auto& [other, owner] : taken) free = free && !other.overlaps(candidate);
    if (free) return candidate;
  }
  return base::fail(base::Code::kResourceExhausted,
                    fmt::format("the pool {} has no free subnet left; remove networks or name a subnet", kPool.text()));
}

// At random, so that two clusters on one wire hardly meet; far from the small numbers that people choose.
constexpr std::uint32_t kFirstVni = 1u << 16;
constexpr std::uint32_t kVniCount = (1u << 24) - kFirstVni;

std::uint32_t choose_vni(const NetworkSnapshot& snapshot, base::Random& random) {
  while (true) {
    const auto vni = kFirstVni + static_cast<std::uint32_t>(random.below(kVniCount));
    const auto has_it = [&](const auto& network) { return network->status().vni() == vni; };
    if (std::ranges::none_of(snapshot.networks, has_it)) return vni;
  }
}

Write network_event(const v1::Network& network, v1::Event::Severity severity, const char* reason,
                    const std::string& message, Now now, base::Random& random) {
  return write_event({severity, "Network", network.meta().stack(), network.meta().name(), network.meta().uid(), reason,
                      fmt::format("network {}: {}", network.meta().name(), message), ""},
                     now, random);
}

// The first step replaces the network's own finalizer by one for each node; their agents take those away.
void plan_deletion(const NetworkSnapshot& snapshot, Plan& plan) {
  if (snapshot.in_use) return;
  v1::Network network = *snapshot.network;
  auto& meta = *network.mutable_meta();
  const bool first = core::has_finalizer(meta, core::kNetworkFinalizer);
  core::remove_finalizer(meta, core::kNetworkFinalizer);
  for (const auto& node : network.status().node_uids()) {
    const auto finalizer = core::agent_finalizer(node);
    if (!snapshot.nodes.contains(node)) {
      core::remove_finalizer(meta, finalizer);
    } else if (first) {
      core::add_finalizer(meta, finalizer);
    }
  }
  if (core::is_ready_to_go(meta)) {
    plan.units.push_back({{Verb::kRemove, std::move(network)}});
  } else if (meta.finalizers_size() != snapshot.network->meta().finalizers_size() || first) {
    plan.units.push_back({{Verb::kPutSpec, std::move(network)}});
  }
}

}  // namespace

NetworkPlan plan_network(const NetworkSnapshot& snapshot, Now now, base::Random& random) {
  NetworkPlan result;
  if (!snapshot.network) return result;
  if (core::is_deleted(snapshot.network->meta())) {
    plan_deletion(snapshot, result.plan);
    return result;
  }
  v1::Network network = *snapshot.network;
  if (!network.status().subnet().empty()) {
    // Made by a version that had no tunnels.
    if (network.status().vni() != 0) return result;
    network.mutable_status()->set_vni(choose_vni(snapshot, random));
    result.plan.units.push_back({{Verb::kPutStatus, std::move(network)}});
    return result;
  }
  const auto subnet = snapshot.network->spec().subnet().empty() ? choose_free(snapshot) : choose_named(snapshot);
  if (!subnet) {
    result.said = subnet.error().message;
    if (result.said != snapshot.said)
      result.plan.units.push_back(
          {network_event(*snapshot.network, v1::Event::ERROR, "NoSubnet", result.said, now, random)});
    return result;
  }
  network.mutable_status()->set_subnet(subnet->text());
  network.mutable_status()->set_vni(choose_vni(snapshot, random));
  network.mutable_status()->set_gateway(core::format_ipv4(subnet->gateway()));
  result.plan.units.push_back({{Verb::kPutStatus, std::move(network)}});
  return result;
}

}  // namespace orchion::control::controllers
