#include "control/controllers/virtual_addresses_planner.h"

#include <algorithm>

#include <fmt/core.h>

#include "control/controllers/attachments.h"
#include "core/subnet.h"
#include "core/task_state.h"

namespace orchion::control::controllers {

namespace {

template <class List>
const v1::NetworkAddress* find(const List& addresses, const std::string& network_uid) {
  const auto found = std::find_if(addresses.begin(), addresses.end(),
                                  [&](const auto& address) { return address.network_uid() == network_uid; });
  return found == addresses.end() ? nullptr : &*found;
}

bool has_task_in(const std::vector<TaskPtr>& tasks, const std::string& network_uid) {
  return std::any_of(tasks.begin(), tasks.end(), [&](const TaskPtr& task) {
    return !core::is_terminal(task->status().state()) &&
           find(task->spec().assignment().addresses(), network_uid) != nullptr;
  });
}

class Giver {
 public:
  Giver(const v1::Service& service, const ClusterSnapshot& cluster) : service_(service), cluster_(cluster) {}

  // Of each network once, by whatever name.
  void join(const v1::NetworkAttachment& attachment) {
    const auto network = find_network(cluster_, service_.meta().stack(), attachment);
    // On a wire of others' nobody answers for an address that stands for several.
    if (network && network->spec().driver() == v1::MACVLAN) return;
    if (!network || find(given_.list, network->meta().uid()) != nullptr) return;
    const auto* known = find(service_.status().virtual_addresses(), network->meta().uid());
    const auto address =
        known != nullptr ? core::parse_ipv4(known->address()).value_or(0) : choose(*network, attachment);
    if (address == 0) return;
    auto& entry = *given_.list.Add();
    entry.set_network(attachment.network());
    entry.set_network_uid(network->meta().uid());
    entry.set_address(core::format_ipv4(address));
    entry.set_address6(address6_of(*network, address));
  }

  void keep(const v1::NetworkAddress& known) {
    if (find(given_.list, known.network_uid()) == nullptr) *given_.list.Add() = known;
  }

  VirtualAddresses take() { return std::move(given_); }

 private:
  std::uint32_t choose(const v1::Network& network, const v1::NetworkAttachment& attachment) {
    const auto range = AddressRange::of(network);
    if (!range || !network_obstacle(&network, service_.meta().stack(), attachment).empty()) return 0;
    const auto address = highest_free_address(cluster_.allocations->taken_addresses(network.meta().uid()), *range);
    if (address == 0 && given_.message.empty())
      given_.message = fmt::format(
          "has no address of its own in network {}, since none of {} is free; until one is, its name leads "
          "to its tasks' addresses: take something out of the network, or make it anew with a wider subnet",
          attachment.network(), range->subnet.text());
    return address;
  }

  const v1::Service& service_;
  const ClusterSnapshot& cluster_;
  VirtualAddresses given_;
};

}  // namespace

VirtualAddresses plan_virtual_addresses(const v1::Service& service, const std::vector<TaskPtr>& tasks,
                                        const ClusterSnapshot& cluster) {
  if (service.spec().endpoint_mode() != v1::VIRTUAL_ADDRESS) return {};
  Giver giver(service, cluster);
  for (const auto& attachment : service.spec().container().networks()) giver.join(attachment);
  for (const auto& known : service.status().virtual_addresses())
    if (has_task_in(tasks, known.network_uid())) giver.keep(known);
  return giver.take();
}

AddressSets taken_by(const VirtualAddresses& addresses) {
  AddressSets taken;
  for (const auto& entry : addresses.list)
    if (const auto address = core::parse_ipv4(entry.address())) taken[entry.network_uid()].insert(*address);
  return taken;
}

bool frees_address(const v1::Service* before, const v1::Service* after) {
  if (before == nullptr) return false;
  const auto& had = before->status().virtual_addresses();
  return std::any_of(had.begin(), had.end(), [&](const v1::NetworkAddress& address) {
    return after == nullptr || find(after->status().virtual_addresses(), address.network_uid()) == nullptr;
  });
}

bool lacks_virtual_address(const v1::Service& service) {
  if (service.spec().endpoint_mode() != v1::VIRTUAL_ADDRESS) return false;
  const auto& has = service.status().virtual_addresses();
  const auto& joined = service.spec().container().networks();
  return std::any_of(joined.begin(), joined.end(), [&](const v1::NetworkAttachment& attachment) {
    return std::none_of(has.begin(), has.end(),
                        [&](const v1::NetworkAddress& address) { return address.network() == attachment.network(); });
  });
}

}  // namespace orchion::control::controllers
