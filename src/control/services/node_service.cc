#include "control/services/node_service.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "control/services/bind.h"
#include "control/services/paging.h"
#include "control/store/keys.h"
#include "core/events.h"
#include "core/node_placement.h"
#include "core/task_changes.h"

namespace orchion::control::services {

namespace {

base::Error no_node(const std::string& name) {
  return {base::Code::kNotFound, fmt::format("there is no node {}: see `orchion node ls`", name), {}};
}

// Whether the node is as the caller saw it.
base::Result<> check_match(const core::CallContext& call, const v1::Node& node) {
  if (!call.if_match || *call.if_match == node.meta().revision()) return {};
  return base::fail(base::Code::kAborted, fmt::format("node {} was changed meanwhile: look again", node.meta().name()));
}

}  // namespace

base::Co<v1::ListNodesResponse> NodeService::list(core::CallContext, v1::ListNodesRequest request) {
  CO_ASSIGN_OR_RETURN(const auto page, parse_page(request.page_size(), request.page_token()));
  v1::ListNodesResponse response;
  response.set_revision(context_.objects.bookmark().text());
  auto all = [](const v1::Node&) { return true; };
  for (const auto& node : page_of(context_.objects.view().nodes(), page, all, *response.mutable_next_page_token()))
    *response.add_nodes() = *node;
  co_return response;
}

base::Co<v1::Node> NodeService::get(core::CallContext, v1::GetNodeRequest request) {
  const auto node = context_.objects.view().nodes().find(request.name());
  if (!node) co_return std::unexpected(no_node(request.name()));
  co_return *node;
}

base::Co<v1::ListContainersResponse> NodeService::list_containers(core::CallContext,
                                                                  v1::ListContainersRequest request) {
  const auto node = context_.objects.view().nodes().find(request.name());
  if (!node) co_return std::unexpected(no_node(request.name()));
  v1::StreamRequest want;
  want.mutable_containers();
  CO_ASSIGN_OR_RETURN(const auto stream, co_await streams_.open(node->meta().uid(), std::move(want)));
  CO_ASSIGN_OR_RETURN(auto answer, co_await stream->receive());
  if (!answer) co_return base::fail(base::Code::kUnavailable, "the node went away: try again");
  co_return std::move(*answer->mutable_containers());
}

base::Co<v1::Node> NodeService::set_availability(core::CallContext call, v1::SetNodeAvailabilityRequest request) {
  const auto present = context_.objects.view().nodes().find(request.name());
  if (!present) co_return std::unexpected(no_node(request.name()));
  v1::Node node = *present;
  CO_RETURN_IF_ERROR(check_match(call, node));
  if (node.spec().availability() == request.availability()) co_return node;
  node.mutable_spec()->set_availability(request.availability());
  node.mutable_meta()->set_changed_by(core::user_actor(call.identity));
  if (request.dry_run()) co_return node;
  node.mutable_meta()->set_generation(node.meta().generation() + 1);
  store::Transaction transaction;
  store::put_spec(transaction, node);
  CO_ASSIGN_OR_RETURN(const auto revision, co_await context_.objects.commit(std::move(transaction)));
  node.mutable_meta()->set_revision(revision);
  co_return node;
}

base::Co<v1::Node> NodeService::set_placement(core::CallContext call, v1::SetNodePlacementRequest request) {
  const auto present = context_.objects.view().nodes().find(request.name());
  if (!present) co_return std::unexpected(no_node(request.name()));
  v1::Node node = *present;
  CO_RETURN_IF_ERROR(check_match(call, node));
  CO_ASSIGN_OR_RETURN(auto placement, core::place_on_node(node, request));
  if (placement.changes.empty()) co_return node;
  *node.mutable_spec() = std::move(placement.spec);
  node.mutable_meta()->set_changed_by(core::user_actor(call.identity));
  if (request.dry_run()) co_return node;
  node.mutable_meta()->set_generation(node.meta().generation() + 1);
  store::Transaction transaction;
  store::put_spec(transaction, node);
  store::create(
      transaction,
      core::make_event({v1::Event::INFO, "Node", "", node.meta().name(), node.meta().uid(), "NodeChanged",
                        fmt::format("node {} has now: {}", node.meta().name(), fmt::join(placement.changes, ", ")),
                        node.meta().name()},
                       context_.clock.wall(), context_.random));
  CO_ASSIGN_OR_RETURN(const auto revision, co_await context_.objects.commit(std::move(transaction)));
  node.mutable_meta()->set_revision(revision);
  co_return node;
}

base::Co<google::protobuf::Empty> NodeService::remove(core::CallContext call, v1::RemoveNodeRequest request) {
  const auto node = context_.objects.view().nodes().find(request.name());
  if (!node) co_return std::unexpected(no_node(request.name()));
  CO_RETURN_IF_ERROR(check_match(call, *node));
  const auto tasks = context_.objects.view().tasks_of_node(node->meta().uid()).size();
  if (tasks > 0 && !request.force())
    co_return base::fail(base::Code::kFailedPrecondition,
                         fmt::format("node {0} still has {1} task{2}: drain it first (`orchion node drain {0}`), or "
                                     "remove it with --force",
                                     request.name(), tasks, tasks == 1 ? "" : "s"));
  if (request.dry_run()) co_return google::protobuf::Empty();
  store::Transaction transaction;
  transaction.expect(store::spec_key("Node", "", node->meta().name()), node->meta().revision());
  store::remove(transaction, *node);
  // By this its agent is told that it was removed, whenever it comes: see NodeAuthenticator.
  store::create(transaction,
                core::make_event({v1::Event::INFO, "Node", "", request.name(), node->meta().uid(), "NodeRemoved",
                                  fmt::format("node {} was removed from the cluster", request.name()), request.name()},
                                 context_.clock.wall(), context_.random));
  CO_RETURN_IF_ERROR(co_await context_.objects.commit(std::move(transaction)));
  disconnect_(node->meta().uid(), {base::Code::kNotFound, "this node was removed from the cluster", {}});
  co_return google::protobuf::Empty();
}

void add_node_service(core::MethodTable& table, std::shared_ptr<NodeService> service) {
  const auto bind = binder(service);
  table.unary<v1::ListNodesRequest, v1::ListNodesResponse>("orchion.v1.NodeService.ListNodes",
                                                           bind(&NodeService::list));
  table.unary<v1::GetNodeRequest, v1::Node>("orchion.v1.NodeService.GetNode", bind(&NodeService::get));
  table.unary<v1::ListContainersRequest, v1::ListContainersResponse>("orchion.v1.NodeService.ListContainers",
                                                                     bind(&NodeService::list_containers));
  table.unary<v1::SetNodeAvailabilityRequest, v1::Node>("orchion.v1.NodeService.SetNodeAvailability",
                                                        bind(&NodeService::set_availability));
  table.unary<v1::SetNodePlacementRequest, v1::Node>("orchion.v1.NodeService.SetNodePlacement",
                                                     bind(&NodeService::set_placement));
  table.unary<v1::RemoveNodeRequest, google::protobuf::Empty>("orchion.v1.NodeService.RemoveNode",
                                                              bind(&NodeService::remove));
}

void add_rebalancing(core::MethodTable& table, Rebalance rebalance) {
  table.unary<v1::RebalanceRequest, v1::RebalanceResponse>(
      "orchion.v1.NodeService.Rebalance",
      [rebalance = std::move(rebalance)](core::CallContext call, v1::RebalanceRequest request) {
        return rebalance(std::move(request), core::user_actor(call.identity));
      });
}

}  // namespace orchion::control::services
