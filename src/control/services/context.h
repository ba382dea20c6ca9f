#pragma once

#include <functional>
#include <string>

#include "base/clock.h"
#include "base/random.h"
#include "control/store/object_store.h"

namespace orchion::control::services {

// What every handler stands on. All of it outlives the handlers and belongs to the control loop.
struct ServiceContext {
  base::Executor executor;
  store::ObjectStore& objects;
  base::Clock& clock;
  base::Random& random;
};

}  // namespace orchion::control::services
