#pragma once

#include "core/methods.h"

namespace orchion::control::serving {

// gRPC's reflection service (v1alpha), so that grpcurl and its like know the contract. Describes what is in `table`
// when it is asked; `table` must outlive its own handlers.
void add_reflection(core::MethodTable& table);

}  // namespace orchion::control::serving
