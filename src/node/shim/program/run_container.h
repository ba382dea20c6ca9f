#pragma once

#include <cstdint>

namespace orchion::node::shim {

// Stays with one attempt of the container in the working folder, from before its start until nothing of it is left
// in the kernel: starts it, reports, drains its output, records its exit. Returns the shim's own exit code.
int run_container(std::uint16_t attempt);

}  // namespace orchion::node::shim
