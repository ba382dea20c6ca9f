#pragma once

#include "control/services/context.h"
#include "control/services/node_streams.h"
#include "core/methods.h"
#include "v1/control.pb.h"

namespace orchion::control::services {

// TaskService.Logs: the kept output of the tasks that `request` names, from all their nodes. What is past comes in the
// order of time; a follower then gets what is new in the order in which it arrives. What a node can't give is said by
// a notice, not left out.
base::Co<> send_logs(ServiceContext context, NodeStreams& streams, v1::LogsRequest request,
                     core::TypedStream<v1::LogsRequest, v1::LogLine> stream);

}  // namespace orchion::control::services
