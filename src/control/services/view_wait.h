#pragma once

#include <functional>
#include <string>

#include "control/services/context.h"

namespace orchion::control::services {

// Returns once `holds` is true of the objects; looks after every commit. After `limit` kDeadlineExceeded, where `what`
// begins the sentence.
base::Co<> wait_for_view(ServiceContext context, std::function<bool()> holds, base::Duration limit, std::string what);

}  // namespace orchion::control::services
