#pragma once

#include "control/services/context.h"
#include "core/methods.h"
#include "v1/watch.pb.h"

namespace orchion::control::services {

// WatchService.Watch.
base::Co<> watch(ServiceContext context, v1::WatchRequest request,
                 core::TypedStream<v1::WatchRequest, v1::WatchEvent> stream);

}  // namespace orchion::control::services
