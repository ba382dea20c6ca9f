#pragma once

// The engines' log files, line by line. Pure.

#include <optional>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "node/engine/engine_objects.h"
#include "node/logs/segment.h"

namespace orchion::node::runtimes::engine {

struct LogEntry {
  base::WallTime time;
  logs::OutputStream stream = logs::OutputStream::kOut;
  std::string text;  // with its line end, unless it is a piece of a line
};

// Docker's json-file: {"log":"text\n","stream":"stdout","time":"2026-…"}; Podman's, which is Kubernetes' format:
// "2026-… stdout F text", P where the line goes on. `line` is without its own end; nullopt: it is damaged.
std::optional<LogEntry> parse_log_line(node::engine::Dialect dialect, std::string_view line);

}  // namespace orchion::node::runtimes::engine
