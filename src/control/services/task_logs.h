#pragma once

#include <memory>

#include "base/channel.h"
#include "control/services/context.h"
#include "control/services/node_streams.h"
#include "v1/control.pb.h"
#include "v1/dispatcher.pb.h"

namespace orchion::control::services {

using LogBatches = base::Channel<v1::LogBatch>;

// The request as its nodes are asked: a job's name stands for its newest run. kNotFound: there is nothing of that name,
// and nothing gone is asked for.
base::Result<v1::LogsRequest> resolve_logs(const store::View& view, v1::LogsRequest request);

// The kept output of the tasks that `request`, which was resolved, names, from all their nodes, to `batches`, which is
// closed at the end. What is past comes in the order of time; a follower then gets what is new in the order in which it
// arrives, of tasks that begin later too, until there can be no more. What a node can't give is said by a notice, not
// left out. Both outlive the call.
base::Co<> read_logs(ServiceContext context, NodeStreams* streams, v1::LogsRequest request,
                     std::shared_ptr<LogBatches> batches);

}  // namespace orchion::control::services
