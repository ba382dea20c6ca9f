#include "control/controllers/placement_planner.h"

#include <algorithm>
#include <tuple>
#include <unordered_map>

#include <fmt/core.h>

#include "control/controllers/attachments.h"
#include "control/controllers/decisions.h"
#include "control/controllers/preemption.h"
#include "control/controllers/service_slots.h"
#include "core/image_reference.h"
#include "core/jobs.h"
#include "core/lifecycle.h"
#include "core/naming.h"
#include "core/shared_network.h"

namespace orchion::control::controllers {

namespace {

// Where a service asks for any port of the host: above what is registered, below what Linux gives to clients.
constexpr std::uint32_t kHostPortFirst = 30000;
constexpr std::uint32_t kHostPortLast = 32767;

class Placer {
 public:
  Placer(const ClusterSnapshot& cluster, std::uint64_t seed, const AddressSets& given)
      : cluster_(cluster), given_(given) {
    input_.seed = seed;
    for (const auto& node : cluster.nodes) {
      const auto assumed = cluster.usage_if.find(node->meta().uid());
      const auto& usage =
          assumed != cluster.usage_if.end() ? assumed->second : cluster.allocations->of_node(node->meta().uid());
      indexes_.emplace(node->meta().uid(), input_.nodes.size());
      input_.nodes.push_back(
          {node, usage.nano_cpus, usage.memory_bytes, usage.tasks, usage.ports, usage.disk_bytes, usage.gpus});
    }
  }

  std::vector<Placement> place(const std::vector<TaskToPlace>& tasks) {
    std::vector<Placement> placements(tasks.size());
    std::vector<std::size_t> asked;
    for (std::size_t i = 0; i < tasks.size(); ++i) {
      const TaskClass& known = class_of(tasks[i]);
      placements[i].message = known.obstacle;
      if (!known.obstacle.empty()) continue;
      asked.push_back(i);
      input_.tasks.push_back(known.index);
    }
    const auto decisions = scheduler::place(input_);
    for (std::size_t k = 0; k < asked.size(); ++k)
      placements[asked[k]] = finish(class_of(tasks[asked[k]]), decisions[k]);
    return placements;
  }

  scheduler::Rebalancing rebalance(const std::vector<TaskOnNode>& tasks, std::size_t moves_max) {
    std::vector<scheduler::PlacedTask> placed;
    std::vector<std::size_t> asked;
    for (std::size_t i = 0; i < tasks.size(); ++i) {
      const auto node = indexes_.find(tasks[i].node_uid);
      const TaskClass& known = class_of(tasks[i].task);
      if (node == indexes_.end() || !known.obstacle.empty()) continue;
      asked.push_back(i);
      placed.push_back({known.index, node->second});
    }
    auto result = scheduler::rebalance(input_, placed, moves_max);
    for (auto& move : result.moves) move.task = asked[move.task];
    return result;
  }

 private:
  struct Joined {
    std::string name;  // as the container has it
    std::shared_ptr<const v1::Network> network;
    AddressRange range;
  };

  // What the tasks of one revision that avoid the same nodes have in common.
  struct TaskClass {
    std::size_t index = 0;
    std::string obstacle;  // why no node is asked at all
    RevisionPtr revision;
    std::uint64_t port_owner = 0;
    std::vector<Joined> networks;
    std::vector<std::shared_ptr<const v1::Volume>> volumes;
    TaskPtr network_owner;  // whose network they share; null: they have their own
  };

  TaskClass& class_of(const TaskToPlace& task) {
    const auto& container = task.revision->spec().template_().container();
    const bool shares = core::shares_network(container);
    const auto [it, added] =
        classes_.try_emplace(std::tuple(task.revision.get(), task.avoided, shares ? task.slot : 0, task.only_on));
    if (!added) return it->second;
    TaskClass& made = it->second;
    made.revision = task.revision;
    made.index = input_.classes.size();
    const auto& spec = task.revision->spec().template_();
    scheduler::TaskClass wanted;
    const Cost cost = Cost::of(spec.container());
    wanted.nano_cpus = cost.nano_cpus;
    wanted.memory_bytes = cost.memory_bytes;
    wanted.disk_bytes = cost.disk_bytes;
    wanted.gpus = spec.container().gpus();
    wanted.constraints.assign(spec.constraints().begin(), spec.constraints().end());
    wanted.executor = spec.container().executor();
    wanted.oci_runtime = spec.container().oci_runtime();
    wanted.own_users = spec.container().user_namespace() == v1::USERS_AUTO;
    wanted.strategy = task.strategy;
    wanted.turn = task.turn;
    made.port_owner = scheduler::HostPort::owner_of(task.owner.stack, task.owner.name);
    for (const auto& port : spec.container().ports())
      if (port.host_port() != 0) wanted.ports.push_back(scheduler::HostPort::of(port, made.port_owner));
    wanted.group = group_of(task.owner);
    if (task.rules) follow(*task.rules, task.owner, wanted);
    for (std::uint32_t rank = 1; const auto& node : task.avoided)
      if (const auto found = indexes_.find(node); found != indexes_.end())
        wanted.avoided.emplace_back(found->second, rank++);
    find_image(spec.container(), wanted);
    find_networks(task.owner.stack, spec.container(), made);
    find_volumes(task.owner.stack, spec.container(), made, wanted);
    if (shares) find_shared_network(task, made, wanted);
    if (!task.only_on.empty()) wanted.constraints.push_back("node.id==" + task.only_on);
    input_.classes.push_back(std::move(wanted));
    return made;
  }

  std::size_t group_of(const store::ObjectName& owner) {
    const auto [it, added] = groups_.try_emplace(owner, input_.groups.size());
    if (!added) return it->second;
    scheduler::TaskGroup group{owner.name, {}};
    for (const auto& [node, count] : cluster_.allocations->nodes_of_owner(owner))
      if (const auto found = indexes_.find(node); found != indexes_.end())
        group.placed.emplace_back(found->second, count);
    input_.groups.push_back(std::move(group));
    return it->second;
  }

  void follow(const v1::PlacementRules& rules, const store::ObjectName& owner, scheduler::TaskClass& wanted) {
    wanted.spread_over.assign(rules.spread_over().begin(), rules.spread_over().end());
    wanted.tolerations = rules.tolerations();
    for (const auto& affinity : rules.affinities())
      wanted.affinities.push_back(
          {group_of({owner.stack, affinity.service()}), affinity.domain(), affinity.away(), affinity.preferred()});
    wanted.tasks_per_node_max = rules.tasks_per_node_max();
    wanted.together = rules.together();
  }

  void find_image(const v1::ContainerSpec& container, scheduler::TaskClass& wanted) const {
    const auto name = core::normalise_image(container.image());
    const auto found = name ? cluster_.images.find(*name) : cluster_.images.end();
    if (found == cluster_.images.end()) return;
    wanted.architecture = found->second->status().architecture();
    wanted.image_on.assign(found->second->status().nodes().begin(), found->second->status().nodes().end());
  }

  void find_networks(const std::string& stack, const v1::ContainerSpec& container, TaskClass& made) const {
    for (const auto& attachment : container.networks()) {
      const auto network = find_network(cluster_, stack, attachment);
      const auto obstacle = network_obstacle(network.get(), stack, attachment);
      if (obstacle.empty()) {
        if (const auto range = AddressRange::of(*network))
          made.networks.push_back({attachment.network(), network, *range});
      } else if (made.obstacle.empty()) {
        made.obstacle = fmt::format("network {} {}", attachment.network(), obstacle);
      }
    }
  }

  // A namespace is on one node, and so are all that are in it.
  void find_shared_network(const TaskToPlace& task, TaskClass& made, scheduler::TaskClass& wanted) const {
    const auto& service = task.revision->spec().template_().container().network_service();
    made.network_owner = network_owner_of(cluster_, {task.owner.stack, service}, task.slot);
    if (made.network_owner) {
      wanted.constraints.push_back("node.id==" + made.network_owner->spec().assignment().node_uid());
    } else if (made.obstacle.empty()) {
      made.obstacle =
          fmt::format("waits for {}, whose network it shares, to have a place", core::slot_name(service, task.slot));
    }
  }

  void find_volumes(const std::string& stack, const v1::ContainerSpec& container, TaskClass& made,
                    scheduler::TaskClass& wanted) {
    for (const auto& mount : container.mounts()) {
      if (mount.type() != v1::Mount::VOLUME) continue;
      const auto found = cluster_.volumes.find({stack, mount.source()});
      if (found == cluster_.volumes.end() || core::is_deleted(found->second->meta())) {
        if (made.obstacle.empty()) made.obstacle = fmt::format("volume {} does not exist yet", mount.source());
        continue;
      }
      made.volumes.push_back(found->second);
      wanted.volumes.push_back(volume_index(*found->second));
    }
  }

  std::size_t volume_index(const v1::Volume& volume) {
    const auto [it, added] = volume_indexes_.try_emplace(volume.meta().uid(), input_.volumes.size());
    if (!added) return it->second;
    scheduler::VolumeView view{volume.meta().name()};
    std::string node = volume.status().node_uid();
    if (node.empty()) node = cluster_.allocations->volume_claim(volume.meta().uid());
    if (!node.empty()) {
      const auto found = indexes_.find(node);
      view.node = found == indexes_.end() ? scheduler::VolumeView::kGone : static_cast<int>(found->second);
    }
    input_.volumes.push_back(std::move(view));
    return it->second;
  }

  static std::string why_not(const TaskClass& known, const std::string& reason) {
    if (!known.network_owner) return reason;
    return fmt::format("has to be on node {}, with {}, whose network it shares: {}",
                       known.network_owner->spec().assignment().node(), short_name(*known.network_owner), reason);
  }

  Placement finish(const TaskClass& known, const scheduler::Decision& decision) {
    if (decision.node == scheduler::Decision::kNone) return {std::nullopt, why_not(known, decision.reason), {}};
    const auto n = static_cast<std::size_t>(decision.node);
    const v1::Node& node = *input_.nodes[n].node;
    v1::Assignment assignment;
    assignment.set_node(node.meta().name());
    assignment.set_node_uid(node.meta().uid());
    for (const auto& joined : known.networks) {
      const std::uint32_t address = picker_of(joined).next();
      if (address == 0)
        return {std::nullopt,
                fmt::format("network {} has no free address in {}: take something out of it, or make it anew with a "
                            "wider subnet",
                            joined.name, range_text(joined)),
                {}};
      auto& entry = *assignment.add_addresses();
      entry.set_network(joined.name);
      entry.set_network_uid(joined.network->meta().uid());
      entry.set_address(core::format_ipv4(address));
      entry.set_address6(address6_of(*joined.network, address));
    }
    if (known.network_owner) {
      assignment.set_network_of(known.network_owner->meta().uid());
      *assignment.mutable_addresses() = known.network_owner->spec().assignment().addresses();
    }
    if (!add_ports(known, n, assignment))
      return {std::nullopt,
              fmt::format("node {} has no free host port between {} and {}", node.meta().name(), kHostPortFirst,
                          kHostPortLast),
              {}};
    for (const auto& gpu : decision.gpus) {
      auto& share = *assignment.add_gpus();
      share.set_id(gpu.id);
      share.set_share_milli(gpu.share_milli);
      share.set_memory_bytes(gpu.memory_bytes);
    }
    Placement placement{std::move(assignment), {}, {}};
    for (const auto& volume : known.volumes)
      if (volume->status().node_uid().empty()) placement.pins.push_back(volume);
    return placement;
  }

  static std::string range_text(const Joined& joined) {
    const auto& range = joined.network->spec().address_range();
    return range.empty() ? joined.range.subnet.text() : range;
  }

  AddressPicker& picker_of(const Joined& joined) {
    static const std::set<std::uint32_t> kNone;
    const auto& uid = joined.network->meta().uid();
    const auto given = given_.find(uid);
    return pickers_
        .try_emplace(uid, cluster_.allocations->taken_addresses(uid), given == given_.end() ? kNone : given->second,
                     joined.range)
        .first->second;
  }

  bool add_ports(const TaskClass& known, std::size_t n, v1::Assignment& assignment) {
    for (const auto& wanted : known.revision->spec().template_().container().ports()) {
      auto& port = *assignment.add_ports();
      port = wanted;
      if (port.host_port() == 0) {
        std::uint32_t candidate = kHostPortFirst;
        const auto is_taken = [&] {
          port.set_host_port(candidate);
          // Without an owner: ports that nobody named are never shared.
          const auto mine = scheduler::HostPort::of(port);
          const auto collides = [&](const scheduler::HostPort& other) { return mine.collides(other); };
          return std::any_of(input_.nodes[n].ports.begin(), input_.nodes[n].ports.end(), collides);
        };
        while (candidate <= kHostPortLast && is_taken()) ++candidate;
        if (candidate > kHostPortLast) return false;
      }
      input_.nodes[n].ports.push_back(scheduler::HostPort::of(port, known.port_owner));
    }
    return true;
  }

  const ClusterSnapshot& cluster_;
  const AddressSets& given_;
  scheduler::PlacementInput input_;
  std::unordered_map<std::string, std::size_t> indexes_;         // of nodes, by uid
  std::unordered_map<std::string, std::size_t> volume_indexes_;  // by uid
  std::map<store::ObjectName, std::size_t> groups_;
  std::map<std::tuple<const v1::Revision*, std::vector<std::string>, std::uint32_t, std::string>, TaskClass> classes_;
  std::unordered_map<std::string, AddressPicker> pickers_;
};

}  // namespace

TaskPtr network_owner_of(const ClusterSnapshot& cluster, const store::ObjectName& service, std::uint32_t slot) {
  const auto tasks = cluster.network_owners.find(service);
  if (tasks == cluster.network_owners.end()) return nullptr;
  const auto slots = slots_of(tasks->second);
  const auto found = slots.find(slot);
  if (found == slots.end() || !found->second.current) return nullptr;
  const v1::Task& task = *found->second.current;
  return task.spec().has_assignment() && !is_ended(task) ? found->second.current : nullptr;
}

scheduler::Strategy strategy_of(v1::JobSpec::Placement placement) {
  switch (placement) {
    case v1::JobSpec::BIN_PACK: return scheduler::Strategy::kBinPack;
    case v1::JobSpec::ROUND_ROBIN: return scheduler::Strategy::kRoundRobin;
    case v1::JobSpec::SPREAD_OUT: return scheduler::Strategy::kSpread;
    case v1::JobSpec::LEAST_FRAGMENTATION: return scheduler::Strategy::kFragmentation;
    default: return scheduler::Strategy::kLeastLoaded;
  }
}

scheduler::Strategy strategy_of(const PlacementRulesPtr& rules) {
  return rules && rules->has_strategy() ? strategy_of(rules->strategy()) : scheduler::Strategy::kService;
}

std::vector<Placement> place_tasks(const ClusterSnapshot& cluster, const std::vector<TaskToPlace>& tasks,
                                   std::uint64_t seed, const AddressSets& given) {
  return Placer(cluster, seed, given).place(tasks);
}

scheduler::Rebalancing rebalance_tasks(const ClusterSnapshot& cluster, const std::vector<TaskOnNode>& tasks,
                                       std::size_t moves_max) {
  return Placer(cluster, 0, {}).rebalance(tasks, moves_max);
}

void apply_placement(const Placement& placement, const Cost& cost, std::string_view controller, Now now, v1::Task& task,
                     Unit& unit, Plan& plan) {
  task.mutable_spec()->set_placement_message(placement.message);
  if (!placement.assignment) return;
  *task.mutable_spec()->mutable_assignment() = *placement.assignment;
  core::note_decision(task, {"Placed", "", core::controller_actor(controller)}, now.wall);
  core::add_finalizer(*task.mutable_meta(), core::kAgentFinalizer);
  plan.claims.tasks.emplace_back(task, cost);
  for (const auto& volume : placement.pins) {
    const auto& uid = volume->meta().uid();
    const auto pinned = [&](const auto& claim) { return claim.first == uid; };
    if (std::any_of(plan.claims.volumes.begin(), plan.claims.volumes.end(), pinned)) continue;
    plan.claims.volumes.emplace_back(uid, placement.assignment->node_uid());
    v1::Volume changed = *volume;
    changed.mutable_status()->set_node_uid(placement.assignment->node_uid());
    unit.push_back({Verb::kPutStatus, std::move(changed)});
  }
}

namespace {

// Tasks that may preempt in one pass: each looks at all nodes with everything on them. The next pass is for the next.
constexpr int kPreemptionsMax = 16;

// Runs take turns too, so that jobs of one task go round.
TaskToPlace to_place(const WaitingTask& waiting) {
  const std::size_t turn = waiting.run ? waiting.run->spec().number() + waiting.task->spec().index() : 0;
  const auto& avoided = waiting.task->spec().avoided_nodes();
  return {owner_of(*waiting.task),
          waiting.revision,
          waiting.run ? strategy_of(waiting.placement) : strategy_of(waiting.rules),
          turn,
          {avoided.begin(), avoided.end()},
          waiting.task->spec().slot(),
          waiting.rules,
          {}};
}

std::int32_t priority_of(const WaitingTask& waiting) {
  if (waiting.run) return waiting.run->spec().template_().priority();
  return waiting.rules ? waiting.rules->priority() : 0;
}

bool preempts(const WaitingTask& waiting) {
  if (waiting.run) return waiting.run->spec().template_().preempts();
  return waiting.rules && waiting.rules->preempts();
}

Unit make_room(const WaitingTask& waiting, const std::vector<TaskPtr>& victims, Now now, base::Random& random) {
  Unit unit;
  for (const auto& victim : victims) {
    for (auto& write : stop_task(
             *victim, v1::DESIRED_STOPPED,
             {"Preempted", fmt::format("it makes room for {}, whose priority is higher", short_name(*waiting.task)),
              core::controller_actor(kPlacement)},
             now))
      unit.push_back(std::move(write));
    unit.push_back(write_event({v1::Event::WARNING, "Task", victim->meta().stack(), victim->meta().name(),
                                victim->meta().uid(), "TaskPreempted",
                                fmt::format("{} makes room for {}, whose priority is higher, and is begun anew later",
                                            short_name(*victim), short_name(*waiting.task)),
                                victim->spec().assignment().node()},
                               now, random));
  }
  return unit;
}

}  // namespace

void sort_for_placement(std::vector<WaitingTask>& tasks, const Allocations& allocations) {
  const auto by_age = [](const WaitingTask& a, const WaitingTask& b) {
    const auto key = [](const WaitingTask& waiting) {
      const auto& meta = waiting.task->meta();
      return std::tuple(-static_cast<std::int64_t>(priority_of(waiting)), meta.created_at().seconds(),
                        meta.created_at().nanos(), waiting.task->spec().index(), std::string_view(meta.name()));
    };
    return key(a) < key(b);
  };
  std::sort(tasks.begin(), tasks.end(), by_age);
  std::map<std::pair<std::int32_t, std::string>, std::uint32_t> ranks;  // by priority and stack
  std::vector<std::pair<std::uint32_t, WaitingTask>> ranked;
  for (auto& waiting : tasks) {
    const auto& stack = waiting.task->meta().stack();
    const auto rank = waiting.run ? allocations.run_tasks_of_stack(stack) + ranks[{priority_of(waiting), stack}]++ : 0;
    ranked.emplace_back(rank, std::move(waiting));
  }
  std::stable_sort(ranked.begin(), ranked.end(), [](const auto& a, const auto& b) {
    return std::tuple(-static_cast<std::int64_t>(priority_of(a.second)), a.first) <
           std::tuple(-static_cast<std::int64_t>(priority_of(b.second)), b.first);
  });
  std::transform(ranked.begin(), ranked.end(), tasks.begin(), [](auto& entry) { return std::move(entry.second); });
}

Plan plan_placement(const PlacementSnapshot& snapshot, Now now, base::Random& random) {
  auto waiting = snapshot.tasks;
  sort_for_placement(waiting, *snapshot.cluster.allocations);
  std::vector<TaskToPlace> wanted;
  for (const auto& task : waiting) wanted.push_back(to_place(task));
  auto placements = place_tasks(snapshot.cluster, wanted, random.next());
  Plan plan;
  Preemption preemption(snapshot);
  int looked_at = 0;
  for (std::size_t i = 0; i < placements.size(); ++i) {
    const auto& task = waiting[i].task;
    Unit unit;
    if (!placements[i].assignment && preempts(waiting[i]) && looked_at++ < kPreemptionsMax)
      unit = make_room(waiting[i], preemption.victims_for(wanted[i], priority_of(waiting[i])), now, random);
    // All that come after a task that preempts have its priority or a lower one.
    if (placements[i].assignment && preemption.is_promised(placements[i].assignment->node_uid()))
      placements[i] = {std::nullopt,
                       fmt::format("node {} makes room for a job of higher priority", placements[i].assignment->node()),
                       {}};
    const bool is_news = placements[i].assignment || placements[i].message != task->spec().placement_message();
    if (is_news) {
      v1::Task changed = *task;
      apply_placement(placements[i], Cost::of(waiting[i].revision->spec().template_().container()), kPlacement, now,
                      changed, unit, plan);
      if (placements[i].assignment)
        unit.push_back(write_event(
            {v1::Event::INFO, "Task", task->meta().stack(), task->meta().name(), task->meta().uid(), "TaskPlaced",
             fmt::format("{} has a place on node {}", short_name(*task), placements[i].assignment->node()),
             placements[i].assignment->node()},
            now, random));
      unit.push_back({Verb::kPutSpec, std::move(changed)});
    }
    if (!unit.empty()) plan.units.push_back(std::move(unit));
  }
  return plan;
}

std::string short_name(const v1::Task& task) {
  return core::short_name(task.spec());
}

}  // namespace orchion::control::controllers
