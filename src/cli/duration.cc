#include "cli/duration.h"

#include <charconv>
#include <optional>
#include <string>

#include <fmt/core.h>
#include <google/protobuf/util/time_util.h>

#include "core/timestamps.h"

namespace orchion::cli {

namespace {

std::unexpected<base::Error> no_duration(std::string_view text) {
  return base::fail(base::Code::kInvalidArgument,
                    fmt::format("{} is no duration: write it like 90s, 5m or 1h30m", text));
}

std::optional<base::Duration> unit_of(std::string_view unit) {
  if (unit == "ms") return std::chrono::milliseconds(1);
  if (unit == "s" || unit.empty()) return std::chrono::seconds(1);
  if (unit == "m") return std::chrono::minutes(1);
  if (unit == "h") return std::chrono::hours(1);
  if (unit == "d") return std::chrono::hours(24);
  return std::nullopt;
}

}  // namespace

base::Result<base::Duration> parse_duration(std::string_view text) {
  constexpr std::int64_t kAmountMax = 1'000'000;
  base::Duration total{0};
  std::string_view rest = text;
  if (rest.empty()) return no_duration(text);
  while (!rest.empty()) {
    std::int64_t amount = 0;
    const auto [end, error] = std::from_chars(rest.data(), rest.data() + rest.size(), amount);
    if (error != std::errc() || amount < 0 || amount > kAmountMax) return no_duration(text);
    rest.remove_prefix(static_cast<std::size_t>(end - rest.data()));
    const auto digits = rest.find_first_of("0123456789");
    const auto unit = unit_of(rest.substr(0, digits));
    if (!unit) return no_duration(text);
    total += *unit * amount;
    rest.remove_prefix(digits == std::string_view::npos ? rest.size() : digits);
  }
  return total;
}

base::Result<base::WallTime> parse_moment(std::string_view text, base::WallTime now) {
  if (auto ago = parse_duration(text)) return now - *ago;
  google::protobuf::Timestamp time;
  if (!google::protobuf::util::TimeUtil::FromString(std::string(text), &time))
    return base::fail(base::Code::kInvalidArgument,
                      fmt::format("{} is no time: write how long ago (10m) or a time like 2026-01-31T12:00:00Z", text));
  return core::from_timestamp(time);
}

}  // namespace orchion::cli
