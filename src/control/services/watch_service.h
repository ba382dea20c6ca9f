#pragma once

#include "control/services/watch_feed.h"
#include "v1/watch.pb.h"

namespace orchion::control::services {

// WatchService.Watch. `stream` takes events; those that others get too by core::send_shared().
base::Co<> watch(ServiceContext context, std::shared_ptr<WatchFeed> feed, v1::WatchRequest request,
                 std::shared_ptr<core::MessageStream> stream);

}  // namespace orchion::control::services
