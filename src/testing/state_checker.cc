#include "testing/state_checker.h"

#include <algorithm>
#include <map>
#include <set>
#include <tuple>

#include <fmt/core.h>

#include "core/defaults.h"
#include "core/lifecycle.h"
#include "core/shared_network.h"
#include "core/task_state.h"

namespace orchion::testing {

namespace {

using control::store::View;
using node::runtimes::ContainerPhase;
using Sentences = std::vector<std::string>;

const Machine* machine_of(const Machines& machines, const std::string& node) {
  for (const auto& machine : machines)
    if (machine->hostname() == node) return machine.get();
  return nullptr;
}

// Container by machine and id.
std::map<std::string, std::set<std::string>> running_on(const Machines& machines) {
  std::map<std::string, std::set<std::string>> running;
  for (const auto& machine : machines)
    for (const auto& container : machine->containers())
      if (container.phase == ContainerPhase::kRunning) running[machine->hostname()].insert(container.id);
  return running;
}

// It was begun beside a task that moves, or still goes because that one stays after all.
bool is_of_move(const View& view, const v1::Task& task) {
  const auto former = view.tasks().find_uid(task.spec().predecessor());
  const auto& changes = task.spec().changes();
  return former && (former->spec().move().has_begun_at() ||
                    std::any_of(changes.begin(), changes.end(),
                                [](const v1::TaskChange& change) { return change.reason() == "NotMoved"; }));
}

void check_containers(const View& view, const HistoryChecker& history, const Machines& machines, Sentences& wrong) {
  std::map<std::string, std::string> machine_by_task;
  std::map<std::tuple<std::string, std::string, std::uint32_t>, std::string> task_by_slot;
  for (const auto& [hostname, ids] : running_on(machines)) {
    for (const auto& id : ids) {
      if (const auto [other, is_first] = machine_by_task.emplace(id, hostname); !is_first)
        wrong.push_back(fmt::format("task {} runs on {} and on {}", id, other->second, hostname));
      const auto task = view.tasks().find_uid(id);
      if (!task) {
        if (!history.is_given_up(id)) wrong.push_back(fmt::format("{} runs {}, which never was", hostname, id));
        continue;
      }
      if (task->spec().assignment().node() != hostname)
        wrong.push_back(fmt::format("{} runs {} of node {}", hostname, id, task->spec().assignment().node()));
      if (history.is_given_up(id) || is_of_move(view, *task)) continue;
      const auto& spec = task->spec();
      const bool of_run = !spec.run().empty();
      const std::tuple slot(task->meta().stack(), of_run ? spec.run() : spec.service(),
                            of_run ? spec.index() : spec.slot());
      if (const auto [other, is_first] = task_by_slot.emplace(slot, task->meta().name()); !is_first)
        wrong.push_back(fmt::format("{} and {} run in one slot", other->second, task->meta().name()));
    }
  }
}

void check_machine_networks(const Machines& machines, Sentences& wrong) {
  std::map<std::pair<std::string, std::string>, std::string> holders;
  for (const auto& machine : machines) {
    std::map<std::pair<std::uint16_t, bool>, std::string> ports;
    for (const auto& [uid, task] : machine->networks.tasks) {
      for (const auto& attachment : task.attachments) {
        const auto [other, is_first] = holders.emplace(std::pair(attachment.network_uid, attachment.address), uid);
        if (!is_first) wrong.push_back(fmt::format("{} and {} have {}", other->second, uid, attachment.address));
      }
      for (const auto& port : task.ports) {
        const auto [other, is_first] = ports.emplace(std::pair(port.host_port, port.udp), task.owner);
        if (!is_first && other->second != task.owner)
          wrong.push_back(fmt::format("{}: {} and {} have port {}", machine->hostname(), other->second, task.owner,
                                      port.host_port));
      }
    }
  }
}

// Of gateways, services and tasks: neither twice, nor one of IPv6 that says another of IPv4.
void check_addresses(const View& view, Sentences& wrong) {
  std::map<std::pair<std::string, std::string>, std::string> holders;
  const auto hold = [&](const std::string& network, const std::string& address, const std::string& holder) {
    const auto [other, is_first] = holders.emplace(std::pair(network, address), holder);
    if (!is_first) wrong.push_back(fmt::format("{} and {} were given {}", other->second, holder, address));
  };
  for (const auto& [name, network] : view.networks().all()) {
    hold(network->meta().uid(), network->status().gateway(), "the gateway of " + name.name);
    if (!network->status().gateway6().empty())
      hold(network->meta().uid(), network->status().gateway6(), "the gateway of " + name.name);
  }
  const auto hold_all = [&](const auto& addresses, const std::string& holder) {
    for (const auto& address : addresses) {
      hold(address.network_uid(), address.address(), holder);
      if (!address.address6().empty()) hold(address.network_uid(), address.address6(), holder);
    }
  };
  for (const auto& [name, service] : view.services().all())
    hold_all(service->status().virtual_addresses(), "service " + name.name);
  for (const auto& [name, task] : view.tasks().all())
    if (!core::shares_network(*task)) hold_all(task->spec().assignment().addresses(), name.name);
}

void check_assignments(const View& view, Sentences& wrong) {
  std::map<std::tuple<std::string, std::uint32_t, std::string>, std::string> ports;
  for (const auto& [name, task] : view.tasks().all()) {
    const auto& assignment = task->spec().assignment();
    if (core::is_terminal(task->status().state())) continue;
    const auto owner =
        task->meta().stack() + "/" + (task->spec().run().empty() ? task->spec().service() : task->spec().run());
    for (const auto& port : assignment.ports()) {
      if (port.host_port() == 0) continue;
      const auto [other, is_first] =
          ports.emplace(std::tuple(assignment.node_uid(), port.host_port(), port.protocol()), owner);
      if (!is_first && other->second != owner)
        wrong.push_back(fmt::format("{} and {} were given port {} of {}", other->second, owner, port.host_port(),
                                    assignment.node()));
    }
  }
}

void check_service(const View& view, const v1::Service& service, const Machines& machines,
                   std::set<std::string>& expected, Sentences& wrong) {
  const auto& name = service.meta().name();
  std::uint32_t running = 0, completed = 0;
  std::set<std::uint32_t> slots;
  for (const auto& task : view.tasks_of_service(service.meta().stack(), name)) {
    if (core::is_deleted(task->meta())) {
      wrong.push_back(
          fmt::format("{} is still there, {}", task->meta().name(), core::state_name(task->status().state())));
      continue;
    }
    slots.insert(task->spec().slot());
    completed += task->status().state() == v1::SUCCEEDED ? 1 : 0;
    if (task->status().state() != v1::RUNNING) continue;
    ++running;
    expected.insert(task->meta().uid());
    if (task->spec().revision() != service.status().revision())
      wrong.push_back(fmt::format("{} is of {}, not of {}", task->meta().name(), task->spec().revision(),
                                  service.status().revision()));
    if (machine_of(machines, task->spec().assignment().node()) == nullptr)
      wrong.push_back(fmt::format("{} is on a node that is none", task->meta().name()));
  }
  const auto replicas = core::tasks_wanted(service.spec());
  if (slots.size() != replicas || running + completed != replicas || (!slots.empty() && *slots.rbegin() != replicas))
    wrong.push_back(fmt::format("{} has {} slots, {} running and {} completed, of {}: {}", name, slots.size(), running,
                                completed, replicas, service.status().message()));
  const auto& status = service.status();
  if (status.tasks_running() != running || status.tasks_desired() != replicas - completed || status.updating() ||
      !status.message().empty())
    wrong.push_back(fmt::format("{} says {} of {} run{} ({}), but {} do", name, status.tasks_running(),
                                status.tasks_desired(), status.updating() ? ", updating" : "", status.message(),
                                running));
}

void check_stack(const View& view, const v1::Stack& stack, Sentences& wrong) {
  std::uint32_t running = 0, desired = 0;
  for (const auto& service : view.services().of_stack(stack.meta().name())) {
    running += service->status().tasks_running();
    desired += service->status().tasks_desired();
  }
  const auto& status = stack.status();
  if (status.tasks_running() != running || status.tasks_desired() != desired || !status.message().empty() ||
      status.observed_generation() != stack.meta().generation())
    wrong.push_back(fmt::format("stack {} says {} of {} run ({}), but {} of {} do", stack.meta().name(),
                                status.tasks_running(), status.tasks_desired(), status.message(), running, desired));
}

}  // namespace

Sentences check_moment(const View& view, const HistoryChecker& history, const Machines& machines) {
  Sentences wrong;
  check_containers(view, history, machines, wrong);
  check_machine_networks(machines, wrong);
  check_addresses(view, wrong);
  check_assignments(view, wrong);
  return wrong;
}

Sentences check_quiet(const View& view, const Machines& machines) {
  Sentences wrong;
  std::set<std::string> expected;
  for (const auto& [name, service] : view.services().all()) check_service(view, *service, machines, expected, wrong);
  for (const auto& [name, stack] : view.stacks().all()) check_stack(view, *stack, wrong);
  std::set<std::string> running;
  for (const auto& [hostname, ids] : running_on(machines)) running.insert(ids.begin(), ids.end());
  for (const auto& uid : expected)
    if (!running.contains(uid)) wrong.push_back(fmt::format("{} is said to run and doesn't", uid));
  for (const auto& uid : running)
    if (!expected.contains(uid)) wrong.push_back(fmt::format("{} runs and shouldn't", uid));
  for (const auto& [name, node] : view.nodes().all())
    if (node->status().state() != v1::NodeStatus::READY) wrong.push_back(fmt::format("node {} isn't ready", name.name));
  return wrong;
}

}  // namespace orchion::testing
