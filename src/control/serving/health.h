#pragma once

#include <string>

#include "base/notifier.h"
#include "core/methods.h"

namespace orchion::control::serving {

// gRPC's health service: SERVING for the server ("") and for every service of the table until stop(), NOT_SERVING
// afterwards. All but the constructor on the control executor; outlives the handlers.
class Health {
 public:
  explicit Health(base::Executor control) : changed_(control) {}

  void add_to(core::MethodTable& table);

  // Tells the watchers; before the server shuts down.
  void stop();

 private:
  friend struct HealthService;
  const core::MethodTable* table_ = nullptr;
  bool serving_ = true;
  base::Notifier changed_;
};

}  // namespace orchion::control::serving
