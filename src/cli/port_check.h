#pragma once

#include <cstdint>

#include "base/clock.h"

namespace orchion::cli {

// Whether 127.0.0.1:`port` takes `times` connections in a row before `limit` has passed: a container runs before the
// program in it listens, and the tasks behind one port take turns. Blocks.
bool takes_connections(std::uint16_t port, int times, base::Duration limit);

}  // namespace orchion::cli
