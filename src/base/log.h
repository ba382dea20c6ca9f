#pragma once

// The program's log: one line an event, to standard error or a file. Never give it a secret.

#include <string_view>
#include <utility>

#include <fmt/core.h>

namespace orchion::base::log {

enum class Level { kDebug, kInfo, kWarn, kError, kOff };

// Thread-safe. Before the first call warnings and errors go to standard error.
void set_level(Level level);
Level level();

// Thread-safe. Control bytes in `message` are escaped, so that no input can forge a line.
void write(Level level, std::string_view message);

template <class... Args>
void debug(fmt::format_string<Args...> format, Args&&... args) {
  if (level() <= Level::kDebug) write(Level::kDebug, fmt::format(format, std::forward<Args>(args)...));
}
template <class... Args>
void info(fmt::format_string<Args...> format, Args&&... args) {
  if (level() <= Level::kInfo) write(Level::kInfo, fmt::format(format, std::forward<Args>(args)...));
}
template <class... Args>
void warn(fmt::format_string<Args...> format, Args&&... args) {
  if (level() <= Level::kWarn) write(Level::kWarn, fmt::format(format, std::forward<Args>(args)...));
}
template <class... Args>
void error(fmt::format_string<Args...> format, Args&&... args) {
  if (level() <= Level::kError) write(Level::kError, fmt::format(format, std::forward<Args>(args)...));
}

}  // namespace orchion::base::log
