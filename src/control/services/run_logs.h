#pragma once

#include "base/channel.h"
#include "control/services/context.h"
#include "control/services/node_streams.h"
#include "v1/control.pb.h"

namespace orchion::control::services {

// Follows the output of a run whose tasks begin one after the other: each from its own beginning, at the time at which
// it runs. Returns when the run is over and all of it was sent to `lines`.
base::Co<> follow_run(ServiceContext context, NodeStreams* streams, v1::LogsRequest request,
                      std::shared_ptr<base::Channel<v1::LogLine>> lines);

}  // namespace orchion::control::services
