#pragma once

// An engine's log file → our segments.

#include <array>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

#include "base/file.h"
#include "node/logs/segment_writer.h"
#include "node/runtimes/engine/log_lines.h"

namespace orchion::node::runtimes::engine {

struct LogCopierOptions {
  std::filesystem::path source;  // the engine may rotate it
  node::engine::Dialect dialect = node::engine::Dialect::kDocker;
  std::filesystem::path folder;  // of the segments
  std::int64_t bytes_max = 32 << 20;
};

// Copies each entry once, over the ends of the processes that do it: what the segments have already is known by its
// time, which is the engine's to the nanosecond. Blocks; one thread at a time; one per container.
class LogCopier {
 public:
  static base::Result<LogCopier> open(LogCopierOptions options);

  // As much as is there, but at most about a MiB, as output of this attempt. False: nothing more is there now.
  base::Result<bool> copy(std::uint16_t attempt);

 private:
  // How far the segments go in one stream: everything before `time`, and so many bytes that have it.
  struct Reached {
    base::WallTime time;
    std::size_t bytes = 0;
    bool passed = false;  // what comes is new
  };

  LogCopier(LogCopierOptions options, logs::SegmentWriter writer, std::array<Reached, 2> reached)
      : options_(std::move(options)), writer_(std::move(writer)), reached_(reached) {}

  static base::Result<std::array<Reached, 2>> find_reached(const std::filesystem::path& folder);
  std::filesystem::path rotated() const { return options_.source.string() + ".1"; }
  bool open_file(const std::filesystem::path& path);
  bool next_file();
  bool was_rotated() const;
  base::Result<std::size_t> read_more();
  base::Result<> take_lines(std::uint16_t attempt);
  base::Result<> take(LogEntry entry, std::uint16_t attempt);
  base::Result<> flush(std::uint16_t attempt);

  LogCopierOptions options_;
  logs::SegmentWriter writer_;
  std::array<Reached, 2> reached_;
  base::UniqueFd file_;
  std::int64_t offset_ = 0;
  std::string unread_;                // less than a line
  std::optional<LogEntry> gathered_;  // entries of one moment, which Podman has many of
};

}  // namespace orchion::node::runtimes::engine
