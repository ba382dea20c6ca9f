#pragma once

#include <cstdint>

namespace orchion::node::shim {

// A terminal's two ends, close-on-exec: who looks at it, and what runs in it.
struct Terminal {
  int near = -1;
  int far = -1;
};

// −1 and errno in both where there is none.
Terminal open_terminal();

void set_terminal_size(int near, std::uint16_t columns, std::uint16_t rows);

// Gives `near` to whoever listens at `socket`, as the runtime binaries do. 0, or an errno.
int send_terminal(int near, const char* socket);

}  // namespace orchion::node::shim
