#pragma once

// What an engine can't remember for us about a container.

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

#include "node/runtimes/runtime.h"

namespace orchion::node::runtimes::engine {

struct ContainerRecord {
  std::string engine_id;
  std::string program;             // its first argument, for messages
  std::uint32_t attempt = 0;       // the newest that began; 0: none
  std::uint32_t starting = 0;      // the one a start is about; 0: none
  base::WallTime starting_since;   // by this machine's clock, as the engine's
  base::WallTime started_at;       // of `attempt`
  std::optional<ExitStatus> exit;  // of `attempt`, its output captured
  std::int64_t log_bytes_max = 0;
  bool tty = false;
  bool stdin_open = false;

  // Its input is a fifo of ours, which can be ended for good and outlives whoever is attached; a terminal's is the
  // engine's.
  bool takes_fifo() const { return stdin_open && !tty; }
};

// Pure.
std::string print_record(const ContainerRecord& record);
ContainerRecord parse_record(std::string_view text);

}  // namespace orchion::node::runtimes::engine
