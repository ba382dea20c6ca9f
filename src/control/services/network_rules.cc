#include "control/services/network_rules.h"

#include <algorithm>

#include <fmt/core.h>
#include <fmt/ranges.h>

#include "core/lifecycle.h"
#include "core/subnet.h"
#include "core/subnet6.h"
#include "core/validation.h"

namespace orchion::control::services {

namespace {

using core::NetworkName;

// What a network takes, or will take, of the addresses there are; empty: nothing yet.
struct Taken {
  NetworkName name;
  std::string subnet;
  std::string subnet6;
};

template <class List>
bool has_name(const List& list, const std::string& name) {
  return std::ranges::any_of(list, [&](const auto& named) { return named.name() == name; });
}

Taken taken_by(const v1::Network& network) {
  const auto& status = network.status();
  return {{network.meta().stack(), network.meta().name()},
          status.subnet().empty() ? network.spec().subnet() : status.subnet(),
          status.subnet6().empty() ? network.spec().subnet6() : status.subnet6()};
}

// Of all networks, those too that no controller made yet.
std::vector<Taken> all_taken(const store::View& view) {
  std::vector<Taken> all;
  for (const auto& [name, network] : view.networks().all()) all.push_back(taken_by(*network));
  for (const auto& [name, stack] : view.stacks().all())
    for (const auto& network : stack->spec().networks())
      if (!view.networks().find(stack->meta().name(), network.name()))
        all.push_back({{stack->meta().name(), network.name()}, network.spec().subnet(), network.spec().subnet6()});
  return all;
}

std::size_t tasks_in(const store::View& view, const std::string& network_uid) {
  return static_cast<std::size_t>(std::ranges::count_if(view.tasks().all(), [&](const auto& entry) {
    return std::ranges::any_of(entry.second->spec().assignment().addresses(),
                               [&](const v1::NetworkAddress& address) { return address.network_uid() == network_uid; });
  }));
}

base::Result<> as_refusal(core::Violations violations) {
  if (violations.empty()) return {};
  auto message = violations.front().detail;
  if (violations.size() > 1) message += fmt::format(" (and {} more)", violations.size() - 1);
  return std::unexpected(base::Error{base::Code::kFailedPrecondition, std::move(message), std::move(violations)});
}

class NetworkRules {
 public:
  explicit NetworkRules(const store::View& view) : view_(view) {}

  // `replaced`: networks of this stack that aren't in it go, and give back what they have; nullptr: none goes.
  void check_network(const NetworkName& name, const v1::NetworkSpec& spec, const v1::StackSpec* replaced,
                     const std::string& at) {
    check_unchanged(name, spec, at);
    if (spec.subnet().empty() && spec.subnet6().empty()) return;
    for (const auto& other : all_taken(view_)) {
      if (other.name == name) continue;
      const bool goes =
          replaced != nullptr && other.name.stack == name.stack && !has_name(replaced->networks(), other.name.name);
      if (goes) continue;
      check_apart(name, other, core::parse_subnet(spec.subnet()), core::parse_subnet(other.subnet), at + "/subnet");
      check_apart(name, other, core::parse_subnet6(spec.subnet6()), core::parse_subnet6(other.subnet6),
                  at + "/subnet6");
    }
  }

  void check_joined(const std::string& stack, const v1::ContainerSpec& container, const std::string& at) {
    for (int i = 0; i < container.networks_size(); ++i) {
      const auto network = core::network_of(stack, container.networks(i).network());
      if (network.stack == stack || is_network(view_, network)) continue;
      add(fmt::format("{}/networks/{}/network", at, i),
          fmt::format("there is no network {0}: see `orchion network ls`, or make it with `orchion network create {0}`",
                      network.text()));
    }
  }

  // What other stacks are in isn't taken away from under them.
  void check_dropped(const std::string& stack, const v1::StackSpec& spec) {
    const auto present = view_.stacks().find(stack);
    if (!present) return;
    for (const auto& network : present->spec().networks()) {
      if (has_name(spec.networks(), network.name())) continue;
      auto users = users_of(view_, {stack, network.name()});
      std::erase_if(users, [&](const std::string& user) { return user.starts_with(stack + "/"); });
      if (!users.empty())
        add("/spec/networks",
            fmt::format("network {0}/{1} would go, and {2} uses it: keep it, or take {2} out of it with `orchion "
                        "network disconnect`",
                        stack, network.name(), fmt::join(users, ", ")));
    }
  }

  base::Result<> result() { return as_refusal(std::move(violations_)); }

 private:
  void add(std::string pointer, std::string detail) { violations_.push_back({std::move(pointer), std::move(detail)}); }

  template <class AnySubnet>
  void check_apart(const NetworkName& name, const Taken& other, const base::Result<AnySubnet>& wanted,
                   const base::Result<AnySubnet>& taken, const std::string& pointer) {
    if (!wanted || !taken || !wanted->overlaps(*taken)) return;
    add(pointer, fmt::format("the subnet {} of network {} overlaps {} of network {}: choose another", wanted->text(),
                             name.text(), taken->text(), other.name.text()));
  }

  // A network keeps its addresses to its end: those of tasks hang on them.
  void check_unchanged(const NetworkName& name, const v1::NetworkSpec& spec, const std::string& at) {
    const auto network = view_.networks().find(name.stack, name.name);
    if (!network || core::is_deleted(network->meta())) return;
    const auto& status = network->status();
    const auto hold = [&](const std::string& wanted, const std::string& has, const char* what) {
      if (wanted.empty() || has.empty() || wanted == has) return;
      const auto tasks = tasks_in(view_, network->meta().uid());
      const auto because = tasks == 0   ? std::string()
                           : tasks == 1 ? std::string(", and a task is in it")
                                        : fmt::format(", and {} tasks are in it", tasks);
      add(fmt::format("{}/{}", at, what),
          fmt::format("network {} keeps its {} {} as long as it is there{}: remove it first (`orchion down` its stack, "
                      "or `orchion network rm`), or give {} to a network of another name",
                      name.text(), what, has, because, wanted));
    };
    hold(spec.subnet(), status.subnet(), "subnet");
    hold(spec.gateway(), status.gateway(), "gateway");
    hold(spec.subnet6(), status.subnet6(), "subnet6");
    const auto driver_of = [](const v1::NetworkSpec& each) {
      return each.driver() == v1::MACVLAN ? std::string("macvlan") : std::string("bridge");
    };
    hold(driver_of(spec), driver_of(network->spec()), "driver");
    hold(spec.parent(), network->spec().parent(), "parent");
  }

  const store::View& view_;
  core::Violations violations_;
};

}  // namespace

base::Result<> check_network_rules(const store::View& view, const std::string& stack, const v1::StackSpec& spec) {
  NetworkRules rules(view);
  for (int i = 0; i < spec.networks_size(); ++i)
    rules.check_network({stack, spec.networks(i).name()}, spec.networks(i).spec(), &spec,
                        fmt::format("/spec/networks/{}/spec", i));
  for (int i = 0; i < spec.services_size(); ++i)
    rules.check_joined(stack, spec.services(i).spec().container(), fmt::format("/spec/services/{}/spec/container", i));
  for (int i = 0; i < spec.jobs_size(); ++i)
    rules.check_joined(stack, spec.jobs(i).spec().container(), fmt::format("/spec/jobs/{}/spec/container", i));
  rules.check_dropped(stack, spec);
  return rules.result();
}

base::Result<> check_new_network(const store::View& view, const NetworkName& name, const v1::NetworkSpec& spec) {
  NetworkRules rules(view);
  rules.check_network(name, spec, nullptr, "/spec");
  return rules.result();
}

base::Result<> check_joined_networks(const store::View& view, const std::string& stack,
                                     const v1::ContainerSpec& container, const std::string& at) {
  NetworkRules rules(view);
  rules.check_joined(stack, container, at);
  return rules.result();
}

bool is_network(const store::View& view, const NetworkName& network) {
  const auto stack = view.stacks().find(network.stack);
  if (stack && !core::is_deleted(stack->meta()) && has_name(stack->spec().networks(), network.name)) return true;
  const auto object = view.networks().find(network.stack, network.name);
  return object && !core::is_deleted(object->meta()) && (!stack || !core::is_deleted(stack->meta()));
}

std::vector<std::string> users_of(const store::View& view, const NetworkName& network) {
  std::vector<std::string> users;
  for (const auto& [name, stack] : view.stacks().all()) {
    if (core::is_deleted(stack->meta())) continue;
    const auto& owner = stack->meta().name();
    const auto take = [&](const auto& named) {
      if (core::is_attached(owner, named.spec().container(), network)) users.push_back(owner + "/" + named.name());
    };
    std::ranges::for_each(stack->spec().services(), take);
    std::ranges::for_each(stack->spec().jobs(), take);
  }
  std::ranges::sort(users);
  return users;
}

}  // namespace orchion::control::services
