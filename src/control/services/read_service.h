#pragma once

#include "control/services/context.h"
#include "core/methods.h"

namespace orchion::control::services {

// What is only read here, one by one and in lists: networks, volumes, revisions, events, images.
void add_read_services(core::MethodTable& table, ServiceContext context);

}  // namespace orchion::control::services
