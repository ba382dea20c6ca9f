#include "base/log.h"

#include <atomic>
#include <chrono>
#include <ctime>
#include <string>

#include <unistd.h>

namespace orchion::base::log {

namespace {

std::atomic<Level> minimum{Level::kWarn};

std::string_view level_name(Level level) {
  switch (level) {
    case Level::kDebug: return "debug";
    case Level::kInfo: return "info";
    case Level::kWarn: return "warn";
    case Level::kError: return "error";
    case Level::kOff: return "off";
  }
  return "?";
}

std::string escaped(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (unsigned char c : text) {
    if (c < 0x20 || c == 0x7f) {
      out += fmt::format("\\x{:02x}", c);
    } else {
      out += static_cast<char>(c);
    }
  }
  return out;
}

}  // namespace

void set_level(Level level) {
  minimum = level;
}

Level level() {
  return minimum;
}

void write(Level level, std::string_view message) {
  if (level < minimum) return;
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(now);
  const auto millis = std::chrono::duration_cast<std::chrono::milliseconds>(now - seconds).count();
  const std::time_t stamp = seconds.count();
  std::tm utc{};
  gmtime_r(&stamp, &utc);
  const auto line =
      fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z {:<5} {}\n", utc.tm_year + 1900, utc.tm_mon + 1,
                  utc.tm_mday, utc.tm_hour, utc.tm_min, utc.tm_sec, millis, level_name(level), escaped(message));
  // One write a line: lines of several threads don't mix. A log that can't be written has nobody to tell.
  [[maybe_unused]] auto written = ::write(STDERR_FILENO, line.data(), line.size());
}

}  // namespace orchion::base::log
