#pragma once

#include <memory>

#include "control/services/context.h"
#include "control/services/node_streams.h"
#include "core/methods.h"
#include "v1/control.pb.h"

namespace orchion::control::services {

// What tasks use, asked of their nodes while somebody wants to know; nothing of it is kept. A node's word counts for
// the tasks that are its own.
class UsageService {
 public:
  UsageService(ServiceContext context, NodeStreams& streams) : context_(context), streams_(streams) {}

  // Of the tasks that run now. Every node is asked at once and has two seconds.
  base::Co<v1::TaskUsages> list(core::CallContext call, v1::ListUsageRequest request);

  // A stream to each node that has tasks of the request, opened anew when these change or the node was away. Ends only
  // by the caller.
  base::Co<> watch(core::CallContext call, core::TypedStream<v1::WatchUsageRequest, v1::TaskUsages> stream);

 private:
  ServiceContext context_;
  NodeStreams& streams_;
};

void add_usage_service(core::MethodTable& table, std::shared_ptr<UsageService> service);

}  // namespace orchion::control::services
