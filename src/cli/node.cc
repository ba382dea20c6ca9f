#include <fmt/core.h>
#include <google/protobuf/empty.pb.h>

#include "cli/commands.h"
#include "cli/list.h"
#include "cli/node.h"
#include "core/quantities.h"
#include "v1/control.pb.h"

namespace orchion::cli {

namespace {

std::string state_text(const v1::Node& node) {
  std::string text = node.status().state() == v1::NodeStatus::READY  ? "ready"
                     : node.status().state() == v1::NodeStatus::LOST ? "lost"
                                                                     : "unknown";
  if (node.spec().availability() == v1::NodeSpec::DRAINED) text += ", drained";
  if (node.spec().availability() == v1::NodeSpec::PAUSED) text += ", paused";
  return text;
}

Row node_row(const v1::Node& node, base::WallTime now) {
  const auto& has = node.status().capabilities();
  std::string runtimes;
  for (const auto& runtime : has.runtimes())
    if (runtime.executor() != "process")
      runtimes += (runtimes.empty() ? "" : ", ") + runtime.name() + " " + runtime.version();
  return {
      node.meta().name(),
      {node.meta().name(), state_text(node), core::format_cpus(has.nano_cpus()), core::format_bytes(has.memory_bytes()),
       has.architecture(), runtimes, age_of(node.meta().created_at(), now), node.status().message()},
      {has.operating_system(), has.kernel(), core::format_bytes(has.disk_free_bytes()), taints_text(node),
       reserved_text(node), node.meta().uid()}};
}

}  // namespace

int run_node_ls(Context& context) {
  return list_command<v1::ListNodesResponse>(context, "orchion.v1.NodeService.ListNodes", v1::ListNodesRequest(),
                                             {"NODE", "STATE", "CPUS", "MEMORY", "ARCH", "RUNTIMES", "AGE", "NOTE"},
                                             {"OS", "KERNEL", "DISK FREE", "TAINTS", "RESERVED", "UID"},
                                             [&](const v1::ListNodesResponse& response) {
                                               std::vector<Row> rows;
                                               for (const auto& node : response.nodes())
                                                 rows.push_back(node_row(node, context.clock().wall()));
                                               return rows;
                                             });
}

int run_node_inspect(Context& context, const std::string& name) {
  v1::GetNodeRequest request;
  request.set_name(name);
  return object_command(context, "orchion.v1.NodeService.GetNode", request);
}

int run_node_containers(Context& context, const std::string& name) {
  auto request = std::make_shared<v1::ListContainersRequest>();
  request->set_name(name);
  auto api = context.api();
  if (!api) return context.fail(api.error());
  const auto json = context.run((*api)->call_json("orchion.v1.NodeService.ListContainers", std::move(request)));
  if (!json) return context.fail(json.error());
  if (wants_object(context)) return print_list(context, *json, list_key<v1::ListContainersResponse>());
  v1::ListContainersResponse listed;
  if (auto parsed = client::parse_json(*json, listed); !parsed) return context.fail(parsed.error());
  std::vector<Row> rows;
  for (const auto& container : listed.containers()) {
    const auto& inside = container.namespace_();
    rows.push_back({container.id(),
                    {container.executor() + (inside.empty() ? "" : "/" + inside), container.name(), container.image(),
                     container.state(), age_of(container.created_at(), context.clock().wall())},
                    {container.id()}});
  }
  print_rows(context, {"ENGINE", "NAME", "IMAGE", "STATE", "AGE"}, {"ID"}, rows);
  for (const auto& why : listed.unanswered()) context.say(why);
  return kExitOk;
}

int run_node_availability(Context& context, const std::string& name, const std::string& availability) {
  v1::SetNodeAvailabilityRequest request;
  request.set_name(name);
  v1::NodeSpec::Availability value = v1::NodeSpec::ACTIVE;
  v1::NodeSpec::Availability_Parse(availability, &value);
  request.set_availability(value);
  auto api = context.api();
  if (!api) return context.fail(api.error());
  auto changed = context.run((*api)->call<v1::Node>("orchion.v1.NodeService.SetNodeAvailability", request));
  if (!changed) return context.fail(changed.error());
  context.say(
      fmt::format("{} is {}", name, value == v1::NodeSpec::DRAINED ? "drained: its tasks move away" : "active"));
  return kExitOk;
}

int run_node_invite(Context& context) {
  constexpr const char* kMethod = "orchion.v1.NodeService.InviteNode";
  if (wants_object(context)) return object_command(context, kMethod, v1::InviteNodeRequest());
  auto api = context.api();
  if (!api) return context.fail(api.error());
  auto made = context.run((*api)->call<v1::InviteNodeResponse>(kMethod, v1::InviteNodeRequest()));
  if (!made) return context.fail(made.error());
  fmt::print("orchion node join {} {}\n", made->address(), made->token());
  context.say("type this on the other machine, as root; it is good once, for 15 minutes");
  return kExitOk;
}

int run_node_rm(Context& context, const std::string& name, bool force) {
  v1::RemoveNodeRequest request;
  request.set_name(name);
  request.set_force(force);
  auto api = context.api();
  if (!api) return context.fail(api.error());
  auto removed = context.run((*api)->call<google::protobuf::Empty>("orchion.v1.NodeService.RemoveNode", request));
  if (!removed) return context.fail(removed.error());
  context.say(name + " was removed");
  return kExitOk;
}

}  // namespace orchion::cli
