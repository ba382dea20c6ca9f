#pragma once

#include "control/services/context.h"
#include "core/methods.h"

namespace orchion::control::services {

// The plain lists: networks, volumes, revisions, events, images.
void add_list_services(core::MethodTable& table, ServiceContext context);

}  // namespace orchion::control::services
