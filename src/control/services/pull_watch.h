#pragma once

#include "control/services/context.h"
#include "control/services/node_streams.h"
#include "core/methods.h"
#include "v1/control.pb.h"

namespace orchion::control::services {

// Passes on what nodes say about their pulls, of the image `reference` alone where it isn't empty: a stream to each
// node that is ready, opened anew when it was away. Returns only where the caller can't be sent anything any more.
base::Co<> watch_pulls(ServiceContext context, NodeStreams& streams, std::string reference,
                       core::TypedStream<v1::WatchPullsRequest, v1::PullProgress> to);

}  // namespace orchion::control::services
