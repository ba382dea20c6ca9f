#include "daemon/limits.h"

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <string>

#include <fmt/core.h>

namespace orchion::daemon {

namespace {

constexpr int kDaysMax = 36500;

base::Result<int> read_number(const char* name, int otherwise, int most) {
  const char* value = std::getenv(name);
  if (value == nullptr || *value == '\0') return otherwise;
  const std::string_view text(value);
  int number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size() || number < 0 || number > most)
    return base::fail(base::Code::kInvalidArgument,
                      fmt::format("{} is {}: give it a whole number from 0 to {}", name, text, most));
  return number;
}

}  // namespace

base::Result<node::images::CollectionLimits> read_image_limits() {
  node::images::CollectionLimits limits;
  ASSIGN_OR_RETURN(const auto days, read_number("ORCHION_IMAGES_UNUSED_DAYS", 30, kDaysMax));
  ASSIGN_OR_RETURN(limits.disk_high_percent, read_number("ORCHION_IMAGES_DISK_HIGH", limits.disk_high_percent, 100));
  // A watermark that was lowered takes the other along.
  const int low = std::min(limits.disk_low_percent, std::max(0, limits.disk_high_percent - 10));
  ASSIGN_OR_RETURN(limits.disk_low_percent, read_number("ORCHION_IMAGES_DISK_LOW", low, 100));
  limits.unused_max = std::chrono::hours(24) * days;
  if (limits.disk_high_percent > 0 && limits.disk_low_percent > limits.disk_high_percent)
    return base::fail(base::Code::kInvalidArgument,
                      fmt::format("ORCHION_IMAGES_DISK_LOW is {} and ORCHION_IMAGES_DISK_HIGH {}: make the first the "
                                  "smaller one",
                                  limits.disk_low_percent, limits.disk_high_percent));
  return limits;
}

base::Result<std::chrono::seconds> read_mesh_key_lifetime() {
  constexpr int kWeek = 7 * 24 * 3600;
  ASSIGN_OR_RETURN(const auto seconds, read_number("ORCHION_MESH_KEY_SECONDS", kWeek, 1 << 30));
  if (seconds > 0) return std::chrono::seconds(seconds);
  return base::fail(base::Code::kInvalidArgument, "ORCHION_MESH_KEY_SECONDS is 0: give the key a second at least");
}

base::Result<node::logs::LogKeeperOptions> read_log_limits() {
  constexpr int kMebibytesMax = 1 << 30;
  node::logs::LogKeeperOptions options;
  ASSIGN_OR_RETURN(const auto days, read_number("ORCHION_KEEP_LOGS_DAYS", 7, kDaysMax));
  ASSIGN_OR_RETURN(const auto mebibytes, read_number("ORCHION_KEEP_LOGS_MIB", 1024, kMebibytesMax));
  options.keep_for = std::chrono::hours(24) * days;
  options.bytes_max = std::int64_t{mebibytes} << 20;
  return options;
}

}  // namespace orchion::daemon
