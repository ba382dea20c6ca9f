#pragma once

#include "control/services/context.h"
#include "core/methods.h"

namespace orchion::control::services {

// Network policies come and go with their stacks' manifests: here they are read, and asked about.
void add_network_policy_service(core::MethodTable& table, ServiceContext context);

}  // namespace orchion::control::services
