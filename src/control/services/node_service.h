#pragma once

#include <functional>
#include <memory>

#include "control/services/context.h"
#include "control/services/node_streams.h"
#include "core/methods.h"
#include "v1/control.pb.h"

namespace orchion::control::services {

class NodeService {
 public:
  // `disconnect` ends the session of a node that was removed.
  NodeService(ServiceContext context, NodeStreams& streams,
              std::function<void(const std::string& node_uid, base::Error)> disconnect)
      : context_(context), streams_(streams), disconnect_(std::move(disconnect)) {}

  base::Co<v1::ListNodesResponse> list(core::CallContext call, v1::ListNodesRequest request);
  base::Co<v1::Node> get(core::CallContext call, v1::GetNodeRequest request);
  base::Co<v1::ListContainersResponse> list_containers(core::CallContext call, v1::ListContainersRequest request);
  // All heed If-Match; with dry_run they check, answer with what would be, and change nothing.
  base::Co<v1::Node> set_availability(core::CallContext call, v1::SetNodeAvailabilityRequest request);
  base::Co<v1::Node> set_placement(core::CallContext call, v1::SetNodePlacementRequest request);
  base::Co<google::protobuf::Empty> remove(core::CallContext call, v1::RemoveNodeRequest request);

 private:
  ServiceContext context_;
  NodeStreams& streams_;
  std::function<void(const std::string&, base::Error)> disconnect_;
};

void add_node_service(core::MethodTable& table, std::shared_ptr<NodeService> service);

// Plans moves, and asks for them durably where it isn't a dry run, on the server that leads. `actor` wants them.
using Rebalance = std::function<base::Co<v1::RebalanceResponse>(v1::RebalanceRequest request, std::string actor)>;
void add_rebalancing(core::MethodTable& table, Rebalance rebalance);

}  // namespace orchion::control::services
