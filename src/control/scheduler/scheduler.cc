#include "control/scheduler/scheduler.h"

#include <algorithm>
#include <functional>
#include <optional>
#include <tuple>

#include <fmt/core.h>

#include "control/scheduler/explanation.h"
#include "core/constraints.h"
#include "core/lifecycle.h"

namespace orchion::control::scheduler {

namespace {

// Among what a runtime lacks: it can't give containers users of their own.
constexpr std::string_view kLacksUsers = "users";

Refusal check_condition(const v1::Node& node) {
  if (core::is_deleted(node.meta())) return {Filter::kLeaving, {}};
  switch (node.spec().availability()) {
    case v1::NodeSpec::DRAINED: return {Filter::kDrained, {}};
    case v1::NodeSpec::PAUSED: return {Filter::kPaused, {}};
    default: break;
  }
  if (node.status().state() == v1::NodeStatus::LOST) return {Filter::kLost, {}};
  if (node.status().state() != v1::NodeStatus::READY) return {Filter::kNotReady, {}};
  return {};
}

// What of the node would run it; an agent that names none has the default alone.
Refusal check_executor(const v1::Node& node, const TaskClass& wanted) {
  if (wanted.executor.empty() && wanted.oci_runtime.empty() && !wanted.own_users) return {};
  for (const auto& runtime : node.status().capabilities().runtimes()) {
    const bool meant = wanted.executor.empty() ? runtime.is_default() : runtime.executor() == wanted.executor;
    if (!meant) continue;
    const auto& lacks = runtime.lacks();
    if (wanted.own_users && std::find(lacks.begin(), lacks.end(), kLacksUsers) != lacks.end())
      return {Filter::kExecutor, fmt::format("users of its own in {}", runtime.executor())};
    const auto& names = runtime.oci_runtimes();
    if (wanted.oci_runtime.empty() || std::find(names.begin(), names.end(), wanted.oci_runtime) != names.end())
      return {};
    return {Filter::kExecutor, fmt::format("{} in {}", wanted.oci_runtime, runtime.executor())};
  }
  if (wanted.executor.empty() && wanted.oci_runtime.empty()) return {};
  return {Filter::kExecutor, wanted.executor.empty() ? wanted.oci_runtime : wanted.executor};
}

Refusal check_attributes(const v1::Node& node, const TaskClass& wanted) {
  for (const auto& text : wanted.constraints) {
    const auto constraint = core::parse_constraint(text);
    if (!constraint || !core::matches(*constraint, node)) return {Filter::kConstraint, text};
  }
  const auto& architecture = node.status().capabilities().architecture();
  if (!wanted.architecture.empty() && !architecture.empty() && architecture != wanted.architecture &&
      std::find(wanted.image_on.begin(), wanted.image_on.end(), node.meta().name()) == wanted.image_on.end())
    return {Filter::kPlatform, architecture};
  return check_executor(node, wanted);
}

// What is better has the smaller tuple.
struct Score {
  std::uint32_t avoided = 0;
  std::uint32_t siblings = 0;
  double share = 0;  // of the node
  std::uint32_t tasks = 0;
  std::size_t order = 0;

  auto key() const { return std::tie(avoided, siblings, share, tasks, order); }
};

// Nodes as columns of numbers; texts are looked at once per class and node, before the first placement.
class Placer {
 public:
  explicit Placer(const PlacementInput& input)
      : input_(input), volumes_(input.volumes), taken_ports_(input.nodes.size()), classes_(input.classes.size()) {
    for (const auto& view : input.nodes) {
      const auto& capabilities = view.node->status().capabilities();
      total_cpus_.push_back(capabilities.nano_cpus());
      total_memory_.push_back(capabilities.memory_bytes());
      free_cpus_.push_back(capabilities.nano_cpus() - view.reserved_nano_cpus);
      free_memory_.push_back(capabilities.memory_bytes() - view.reserved_memory_bytes);
      tasks_.push_back(view.tasks);
    }
  }

  Decision place(std::size_t index) {
    ClassState& state = prepared(index);
    if (!state.failure.empty()) return {Decision::kNone, state.failure};
    const TaskClass& wanted = input_.classes[index];
    std::optional<std::size_t> best;
    Score best_score;
    for (std::size_t n = 0; n < tasks_.size(); ++n) {
      if (!state.allowed[n] || !fits(wanted, n)) continue;
      const Score score = score_of(wanted, state, n);
      if (best && !(score.key() < best_score.key())) continue;
      best = n;
      best_score = score;
    }
    if (!best) {
      state.failure = explain(wanted, refusals(wanted));
      return {Decision::kNone, state.failure};
    }
    take(wanted, state, *best);
    return {static_cast<int>(*best), {}};
  }

 private:
  struct ClassState {
    bool prepared = false;
    std::vector<std::uint8_t> allowed;  // by what doesn't change while tasks are placed
    std::vector<std::uint32_t> siblings, avoided;
    std::size_t placed = 0;
    std::string failure;  // once a task didn't fit, none of its class will: nothing is freed here
  };

  ClassState& prepared(std::size_t index) {
    ClassState& state = classes_[index];
    if (state.prepared) return state;
    const TaskClass& wanted = input_.classes[index];
    state.prepared = true;
    for (const auto& view : input_.nodes)
      state.allowed.push_back(check_condition(*view.node).filter == Filter::kPassed &&
                              check_attributes(*view.node, wanted).filter == Filter::kPassed);
    state.siblings.resize(input_.nodes.size());
    for (const auto& [node, count] : wanted.siblings) state.siblings[node] += count;
    state.avoided.resize(input_.nodes.size());
    for (const auto& [node, rank] : wanted.avoided) state.avoided[node] = rank;
    return state;
  }

  // The name of the volume that is elsewhere.
  const std::string* missing_volume(const TaskClass& wanted, std::size_t n) const {
    for (const auto v : wanted.volumes)
      if (volumes_[v].node != VolumeView::kAnywhere && volumes_[v].node != static_cast<int>(n))
        return &volumes_[v].name;
    return nullptr;
  }

  const HostPort* collision(const TaskClass& wanted, std::size_t n) const {
    for (const auto& port : wanted.ports) {
      const auto collides = [&](const HostPort& other) { return port.collides(other); };
      if (std::any_of(input_.nodes[n].ports.begin(), input_.nodes[n].ports.end(), collides) ||
          std::any_of(taken_ports_[n].begin(), taken_ports_[n].end(), collides))
        return &port;
    }
    return nullptr;
  }

  // What isn't asked for is never lacking, also on a node that has promised more than it has.
  bool lacks_cpus(const TaskClass& wanted, std::size_t n) const {
    return wanted.nano_cpus > 0 && wanted.nano_cpus > free_cpus_[n];
  }
  bool lacks_memory(const TaskClass& wanted, std::size_t n) const {
    return wanted.memory_bytes > 0 && wanted.memory_bytes > free_memory_[n];
  }

  bool fits(const TaskClass& wanted, std::size_t n) const {
    return !lacks_cpus(wanted, n) && !lacks_memory(wanted, n) && missing_volume(wanted, n) == nullptr &&
           collision(wanted, n) == nullptr;
  }

  Score score_of(const TaskClass& wanted, const ClassState& state, std::size_t n) const {
    const std::size_t nodes = tasks_.size();
    const std::uint32_t avoided = state.avoided[n];
    const std::size_t shuffled = (n + input_.seed % nodes) % nodes;
    const double free_cpus = share(free_cpus_[n] - wanted.nano_cpus, total_cpus_[n]);
    const double free_memory = share(free_memory_[n] - wanted.memory_bytes, total_memory_[n]);
    switch (wanted.strategy) {
      case Strategy::kSpread: return {avoided, state.siblings[n], 0, tasks_[n], shuffled};
      // What counts is the resource that will be scarcest.
      case Strategy::kLeastLoaded: return {avoided, 0, -std::min(free_cpus, free_memory), tasks_[n], shuffled};
      case Strategy::kBinPack: return {avoided, 0, free_cpus + free_memory, ~tasks_[n], shuffled};
      case Strategy::kRoundRobin: return {avoided, 0, 0, 0, (n + nodes - (wanted.turn + state.placed) % nodes) % nodes};
      default: break;
    }
    // What the task doesn't reserve says nothing.
    const double left_over = (wanted.nano_cpus > 0 ? free_cpus : 0) + (wanted.memory_bytes > 0 ? free_memory : 0);
    return {avoided, state.siblings[n], left_over, tasks_[n], shuffled};
  }

  static double share(std::int64_t part, std::int64_t whole) {
    return whole > 0 ? static_cast<double>(part) / static_cast<double>(whole) : 0;
  }

  void take(const TaskClass& wanted, ClassState& state, std::size_t n) {
    free_cpus_[n] -= wanted.nano_cpus;
    free_memory_[n] -= wanted.memory_bytes;
    ++tasks_[n];
    ++state.siblings[n];
    ++state.placed;
    taken_ports_[n].insert(taken_ports_[n].end(), wanted.ports.begin(), wanted.ports.end());
    for (const auto v : wanted.volumes) volumes_[v].node = static_cast<int>(n);
  }

  Refusal refusal(const TaskClass& wanted, std::size_t n) const {
    const v1::Node& node = *input_.nodes[n].node;
    if (Refusal refused = check_condition(node); refused.filter != Filter::kPassed) return refused;
    if (const auto* volume = missing_volume(wanted, n)) return {Filter::kVolume, *volume};
    if (Refusal refused = check_attributes(node, wanted); refused.filter != Filter::kPassed) return refused;
    if (const auto* port = collision(wanted, n)) return {Filter::kPorts, port->text()};
    if (lacks_cpus(wanted, n)) return {Filter::kCpus, {}, free_cpus_[n]};
    return {Filter::kMemory, {}, free_memory_[n]};
  }

  std::vector<Refusal> refusals(const TaskClass& wanted) const {
    std::vector<Refusal> all;
    for (std::size_t n = 0; n < tasks_.size(); ++n) all.push_back(refusal(wanted, n));
    return all;
  }

  const PlacementInput& input_;
  std::vector<VolumeView> volumes_;
  std::vector<std::int64_t> total_cpus_, total_memory_, free_cpus_, free_memory_;
  std::vector<std::uint32_t> tasks_;
  std::vector<std::vector<HostPort>> taken_ports_;
  std::vector<ClassState> classes_;
};

}  // namespace

std::uint64_t HostPort::owner_of(const std::string& stack, const std::string& service) {
  return std::hash<std::string>{}(stack + "/" + service) | 1;
}

HostPort HostPort::of(const v1::PortMapping& mapping, std::uint64_t owner) {
  HostPort port;
  port.owner = owner;
  port.port_and_protocol = mapping.host_port() << 1 | (mapping.protocol() == "udp" ? 1 : 0);
  const auto& ip = mapping.host_ip();
  if (!ip.empty() && ip != "0.0.0.0" && ip != "::") port.address = std::hash<std::string>{}(ip) | 1;
  return port;
}

std::string HostPort::text() const {
  return fmt::format("{}/{}", port_and_protocol >> 1, (port_and_protocol & 1) != 0 ? "udp" : "tcp");
}

std::vector<Decision> place(const PlacementInput& input) {
  Placer placer(input);
  std::vector<Decision> decisions;
  decisions.reserve(input.tasks.size());
  for (const auto index : input.tasks) decisions.push_back(placer.place(index));
  return decisions;
}

}  // namespace orchion::control::scheduler
