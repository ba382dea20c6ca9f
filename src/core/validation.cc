#include "core/validation.h"

#include <algorithm>
#include <functional>
#include <map>
#include <set>

#include <fmt/core.h>

#include "core/constraints.h"
#include "core/health_check.h"
#include "core/jobs.h"
#include "core/naming.h"
#include "core/network_names.h"
#include "core/network_policy.h"
#include "core/network_validation.h"
#include "core/placement_validation.h"
#include "core/policy_labels.h"
#include "core/routes.h"
#include "core/shared_network.h"

namespace orchion::core {

namespace {

class StackCheck {
 public:
  StackCheck(std::string_view name, const v1::StackSpec& spec, Violations& violations)
      : name_(name), spec_(spec), violations_(violations) {}

  void run() {
    service_names_ = names_of(spec_.services(), "services", "service");
    network_names_ = names_of(spec_.networks(), "networks", "network");
    volume_names_ = names_of(spec_.volumes(), "volumes", "volume");
    for (int i = 0; i < spec_.services_size(); ++i) check_one_service(i);
    const auto job_names = names_of(spec_.jobs(), "jobs", "job");
    queue_names_ = names_of(spec_.queues(), "queues", "queue");
    for (int i = 0; i < spec_.queues_size(); ++i)
      if (spec_.queues(i).spec().slots() > kSlotsMax)
        add(fmt::format("/spec/queues/{}/spec/slots", i),
            fmt::format("{} is more than {}", spec_.queues(i).spec().slots(), kSlotsMax));
    for (int i = 0; i < spec_.jobs_size(); ++i) check_one_job(i);
    // The models arrive with what serves them; until then nothing is begun that would wait for them forever.
    for (int i = 0; i < spec_.models_size(); ++i)
      add(fmt::format("/spec/models/{}", i),
          fmt::format("the model {} can't be served yet: remove it, and run its engine as a service",
                      spec_.models(i).name()));
    check_networks(spec_, violations_);
    check_network_policies(job_names);
    check_host_ports();
    check_cycles();
  }

 private:
  void add(std::string pointer, std::string detail) { violations_.push_back({std::move(pointer), std::move(detail)}); }

  template <class List>
  std::set<std::string> names_of(const List& list, const char* field, const char* what) {
    std::set<std::string> names;
    for (int i = 0; i < list.size(); ++i) {
      const std::string pointer = fmt::format("/spec/{}/{}/name", field, i);
      check_name(list[i].name(), pointer, what, violations_);
      if (!names.insert(list[i].name()).second)
        add(pointer, fmt::format("there is another {} named {}", what, list[i].name()));
    }
    return names;
  }

  void check_one_service(int index) {
    const auto& service = spec_.services(index).spec();
    const std::string at = fmt::format("/spec/services/{}/spec", index);
    check_service(service, at, violations_);
    check_what_it_uses(service.container(), at);
    check_dependencies(index, at);
    check_neighbours(service.placement(), at + "/placement");
    if (!service.container().ports().empty() && is_beside_nodes(service.container()))
      add(at + "/container/ports",
          fmt::format("can't be published: {} is in macvlan networks only, where it is reached "
                      "by its own address; leave them out, or have it join another network",
                      spec_.services(index).name()));
    if (!shares_network(service.container()) || service.container().network_service().empty()) return;
    if (auto problem = shared_network_problem(spec_, spec_.services(index)); !problem.empty())
      add(at + "/container/networkService", std::move(problem));
  }

  void check_one_job(int index) {
    const auto& job = spec_.jobs(index);
    const std::string at = fmt::format("/spec/jobs/{}/spec", index);
    check_job(job.spec(), at, violations_);
    check_what_it_uses(job.spec().container(), at);
    check_neighbours(job.spec().placement_rules(), at + "/placementRules");
    if (!job.spec().queue().empty() && !queue_names_.contains(job.spec().queue()))
      add(at + "/queue", fmt::format("the stack has no queue \"{}\"", job.spec().queue()));
    // One name means one thing in `logs`, `ps` and the names of tasks.
    if (service_names_.contains(job.name()))
      add(fmt::format("/spec/jobs/{}/name", index), fmt::format("there is a service named {} too", job.name()));
  }

  void check_what_it_uses(const v1::ContainerSpec& container, const std::string& at) {
    for (int i = 0; i < container.networks_size(); ++i) {
      // Whether another stack has it is asked where other stacks are known.
      const auto network = network_of(name_, container.networks(i).network());
      if (network.stack == name_ && !network_names_.contains(network.name))
        add(fmt::format("{}/container/networks/{}/network", at, i),
            fmt::format("the stack has no network \"{}\"", network.name));
    }
    for (int i = 0; i < container.mounts_size(); ++i)
      if (container.mounts(i).type() == v1::Mount::VOLUME && !container.mounts(i).source().empty() &&
          !volume_names_.contains(container.mounts(i).source()))
        add(fmt::format("{}/container/mounts/{}/source", at, i),
            fmt::format("the stack has no volume \"{}\"", container.mounts(i).source()));
  }

  void check_dependencies(int index, const std::string& at) {
    const auto& named = spec_.services(index);
    std::set<std::string> seen;
    for (int i = 0; i < named.spec().depends_on_size(); ++i) {
      const auto& other = named.spec().depends_on(i).service();
      const std::string pointer = fmt::format("{}/dependsOn/{}/service", at, i);
      if (!service_names_.contains(other)) add(pointer, fmt::format("the stack has no service \"{}\"", other));
      if (!seen.insert(other).second) add(pointer, fmt::format("{} is named a second time", other));
    }
  }

  // Tasks of who isn't there can be near nothing.
  void check_neighbours(const v1::PlacementRules& rules, const std::string& at) {
    for (int i = 0; i < rules.affinities_size(); ++i)
      if (const auto& other = rules.affinities(i).service(); !other.empty() && !service_names_.contains(other))
        add(fmt::format("{}/affinities/{}/service", at, i), fmt::format("the stack has no service \"{}\"", other));
  }

  void check_network_policies(std::set<std::string> programs) {
    programs.insert(service_names_.begin(), service_names_.end());
    names_of(spec_.network_policies(), "networkPolicies", "network policy");
    for (int i = 0; i < spec_.network_policies_size(); ++i) {
      const auto& policy = spec_.network_policies(i).spec();
      const auto at = fmt::format("/spec/networkPolicies/{}/spec", i);
      check_network_policy(policy, programs, at, violations_);
      check_policy_holds(policy, at);
    }
  }

  // No node sees its packets: all of its networks are others' wires. Of another stack's network nothing is known here.
  bool is_beside_nodes(const v1::ContainerSpec& container) const {
    const auto is_macvlan = [&](const v1::NetworkAttachment& attachment) {
      const auto found = std::find_if(spec_.networks().begin(), spec_.networks().end(), [&](const auto& network) {
        return network_of(name_, attachment.network()) == NetworkName{std::string(name_), network.name()};
      });
      return found != spec_.networks().end() && found->spec().driver() == v1::MACVLAN;
    };
    return !container.networks().empty() &&
           std::all_of(container.networks().begin(), container.networks().end(), is_macvlan);
  }

  // One address is under one set of policies: its owner's. And a node holds only what passes it.
  void check_policy_holds(const v1::NetworkPolicySpec& policy, const std::string& at) {
    for (const auto& service : spec_.services()) {
      const auto& container = service.spec().container();
      const auto labels = policy_labels(service.spec());
      const PolicyTask task{std::string(name_), service.name(), {labels.begin(), labels.end()}};
      if (is_beside_nodes(container) && is_about(std::string(name_), policy, task))
        add(at,
            fmt::format("would not hold for {}, which is in macvlan networks only, past every node: choose others by "
                        "`service` or `labels`, or have it join another network instead",
                        service.name()));
      if (service.name() == policy.service() && shares_network(container))
        add(at + "/service", fmt::format("{} is in the network of {}, whose policies hold for both: name {}",
                                         service.name(), container.network_service(), container.network_service()));
    }
  }

  static bool is_every_address(const std::string& ip) { return ip.empty() || ip == "0.0.0.0" || ip == "::"; }

  // A host port belongs to one service: two could never run on one node, and nobody could say which answers.
  void check_host_ports() {
    std::map<std::pair<std::uint32_t, std::string>, std::vector<std::pair<std::string, std::string>>> taken;
    for (int s = 0; s < spec_.services_size(); ++s) {
      const auto& service = spec_.services(s);
      for (int p = 0; p < service.spec().container().ports_size(); ++p) {
        const auto& port = service.spec().container().ports(p);
        if (port.host_port() == 0) continue;
        auto& others = taken[{port.host_port(), port.protocol()}];
        for (const auto& [ip, owner] : others) {
          if (owner == service.name() && ip == port.host_ip()) continue;  // said once already, for the container
          if (ip != port.host_ip() && !is_every_address(ip) && !is_every_address(port.host_ip())) continue;
          add(fmt::format("/spec/services/{}/spec/container/ports/{}/hostPort", s, p),
              fmt::format("port {}/{} is published by service {} too", port.host_port(), port.protocol(), owner));
          break;
        }
        others.emplace_back(port.host_ip(), service.name());
      }
    }
  }

  // Depth first; each cycle is named once, at the service where the walk came upon it.
  void check_cycles() {
    std::map<std::string, int> index;
    for (int i = 0; i < spec_.services_size(); ++i) index.emplace(spec_.services(i).name(), i);
    enum class Mark { kNew, kOpen, kDone };
    std::vector<Mark> marks(static_cast<std::size_t>(spec_.services_size()), Mark::kNew);
    std::vector<std::string> path;
    const std::function<void(int)> visit = [&](int at) {
      marks[static_cast<std::size_t>(at)] = Mark::kOpen;
      path.push_back(spec_.services(at).name());
      for (const auto& dependency : spec_.services(at).spec().depends_on()) {
        const auto next = index.find(dependency.service());
        if (next == index.end()) continue;
        const Mark mark = marks[static_cast<std::size_t>(next->second)];
        if (mark == Mark::kOpen) add_cycle(at, dependency.service(), path);
        if (mark == Mark::kNew) visit(next->second);
      }
      path.pop_back();
      marks[static_cast<std::size_t>(at)] = Mark::kDone;
    };
    for (int i = 0; i < spec_.services_size(); ++i)
      if (marks[static_cast<std::size_t>(i)] == Mark::kNew) visit(i);
  }

  void add_cycle(int at, const std::string& first, const std::vector<std::string>& path) {
    std::string text;
    for (auto it = std::find(path.begin(), path.end(), first); it != path.end(); ++it) text += *it + " → ";
    add(fmt::format("/spec/services/{}/spec/dependsOn", at),
        fmt::format("services wait for each other: {}{}", text, first));
  }

  const std::string_view name_;
  const v1::StackSpec& spec_;
  Violations& violations_;
  std::set<std::string> service_names_, network_names_, volume_names_, queue_names_;
};

}  // namespace

void check_name(std::string_view name, const std::string& at, std::string_view what, Violations& violations) {
  if (is_dns_label(name)) return;
  violations.push_back(
      {at,
       fmt::format("\"{}\" can't name a {}: 1 to 63 of a-z, 0-9 and '-', neither first nor last a '-'", name, what)});
}

namespace {

void check_recovery(const v1::ServiceSpec& spec, const std::string& at, Violations& violations) {
  const auto& recovery = spec.recovery();
  const auto add = [&](const char* where, const char* detail) { violations.push_back({at + where, detail}); };
  const bool acts = recovery.action() != v1::Recovery::RESTART && recovery.action() != v1::Recovery::NOTHING;
  if (acts && spec.restart().condition() == v1::RestartPolicy::NO)
    add("/recovery/action", "nothing is recovered where the restart condition is NO: say ON_FAILURE, or leave it out");
  const bool runs_command = recovery.action() == v1::Recovery::RUN_COMMAND;
  if (!runs_command && !recovery.command().empty()) add("/recovery/command", "is run with the action RUN_COMMAND only");
  if (!runs_command) return;
  if (recovery.command().empty() || recovery.command(0).empty())
    add("/recovery/command", "must name a program of the container");
  if (!is_check(spec.container().health_check()) && !spec.container().has_startup())
    add("/recovery/action", "RUN_COMMAND needs a health check that says when: give the container a healthCheck");
}

}  // namespace

void check_service(const v1::ServiceSpec& spec, const std::string& at, Violations& violations) {
  check_container(spec.container(), at + "/container", violations);
  check_gpus(spec.container().gpus(), at + "/container/gpus", violations);
  if (spec.replicas() > kReplicasMax)
    violations.push_back({at + "/replicas", fmt::format("{} is more than {}", spec.replicas(), kReplicasMax)});
  check_recovery(spec, at, violations);
  check_routes(spec, at, violations);
  check_placement(spec.placement(), at + "/placement", violations);
  for (int i = 0; i < spec.constraints_size(); ++i)
    if (const auto constraint = parse_constraint(spec.constraints(i)); !constraint)
      violations.push_back({fmt::format("{}/constraints/{}", at, i), constraint.error().message});
  for (const auto& [key, value] : spec.labels())
    if (key.empty()) violations.push_back({at + "/labels", "has a label without a name"});
}

base::Result<> as_result(std::string_view what, Violations violations) {
  if (violations.empty()) return {};
  const auto& first = violations.front();
  std::string message = fmt::format("{} is not valid: {} {}", what, first.pointer, first.detail);
  if (violations.size() > 1) message += fmt::format(" (and {} more)", violations.size() - 1);
  return std::unexpected(base::Error{base::Code::kInvalidArgument, std::move(message), std::move(violations)});
}

base::Result<> validate_stack(std::string_view name, const v1::StackSpec& spec) {
  Violations violations;
  check_name(name, "/name", "stack", violations);
  StackCheck(name, spec, violations).run();
  return as_result(fmt::format("the stack {}", name), std::move(violations));
}

}  // namespace orchion::core
