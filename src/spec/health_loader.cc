// `healthcheck` and `logging` of a service.

#include <algorithm>

#include <fmt/core.h>

#include "core/timestamps.h"
#include "spec/keys.h"
#include "spec/service_loader.h"
#include "spec/values.h"

namespace orchion::spec {

namespace {

constexpr std::int64_t kRetriesMax = 1'000;
constexpr std::int64_t kLogFilesMax = 1'000;
constexpr std::int64_t kLogBytesLeast = std::int64_t{1} << 16;

// Docker's `local` keeps five files of this size where nothing is said.
constexpr std::int64_t kLocalFileBytes = std::int64_t{20} << 20;
constexpr std::int64_t kLocalFiles = 5;

void load_test(const Node& node, v1::HealthCheck& check, Problems& problems) {
  auto& test = *check.mutable_test();
  if (node.is_scalar()) {
    test.add_values("CMD-SHELL");
    test.add_values(node.text);
    return;
  }
  const auto words = read_list(node, "test", Single::kRefused, problems);
  const std::string kind = words.empty() ? "" : words.front();
  if (kind == "NONE" && words.size() == 1) {
    check.clear_test();
    check.set_disabled(true);
  } else if ((kind == "CMD" && words.size() > 1) || (kind == "CMD-SHELL" && words.size() == 2)) {
    for (const auto& word : words) test.add_values(word);
  } else {
    problems.add(node.at, "`test` isn't a check: write [CMD, program, arguments…], [CMD-SHELL, one line], or [NONE]");
  }
}

void load_period(const Node& node, std::string_view key, google::protobuf::Duration* (v1::HealthCheck::*field)(),
                 v1::HealthCheck& check, Problems& problems) {
  const auto* value = find_value(node, key);
  const auto duration = value ? read_duration(*value, key, problems) : std::nullopt;
  if (duration && *duration > base::Duration::zero()) *(check.*field)() = core::to_duration(*duration);
}

// The bytes that `max-size` and `max-file` come to; 0 where neither is said.
std::int64_t log_bytes(const Node& options, bool local, Problems& problems) {
  std::int64_t bytes = local ? kLocalFileBytes : 0;
  std::int64_t files = local ? kLocalFiles : 1;
  if (const auto* size = find_value(options, "max-size")) bytes = read_bytes(*size, "max-size", problems).value_or(0);
  if (const auto* count = find_value(options, "max-file"))
    files = read_integer(*count, "max-file", 1, kLogFilesMax, problems).value_or(1);
  constexpr std::int64_t kMost = std::int64_t{1} << 40;
  if (bytes <= 0) return 0;
  return std::clamp(std::min(bytes, kMost) * files, kLogBytesLeast, kMost);
}

}  // namespace

void load_check_figures(const Node& node, v1::HealthCheck& check, Problems& problems) {
  load_period(node, "interval", &v1::HealthCheck::mutable_interval, check, problems);
  load_period(node, "timeout", &v1::HealthCheck::mutable_timeout, check, problems);
  load_period(node, "start_period", &v1::HealthCheck::mutable_start_period, check, problems);
  load_period(node, "start_interval", &v1::HealthCheck::mutable_start_interval, check, problems);
  if (const auto* retries = find_value(node, "retries"))
    check.set_retries(
        static_cast<std::uint32_t>(read_integer(*retries, "retries", 0, kRetriesMax, problems).value_or(0)));
}

void load_health_check(const Node& node, v1::ContainerSpec& container, LoadContext& context) {
  Problems& problems = context.problems;
  if (!expect_map(node, "healthcheck", problems)) return;
  check_keys(node, kHealthCheckKeys, problems);
  auto& check = *container.mutable_health_check();
  if (const auto* disable = find_value(node, "disable"))
    check.set_disabled(read_bool(*disable, "disable", problems).value_or(false));
  if (const auto* test = find_value(node, "test")) load_test(*test, check, problems);
  load_check_figures(node, check, problems);
  if (check.disabled()) {
    check.Clear();
    check.set_disabled(true);
  }
}

void load_logging(const Node& node, v1::ContainerSpec& container, LoadContext& context) {
  Problems& problems = context.problems;
  if (!expect_map(node, "logging", problems)) return;
  check_keys(node, kLoggingKeys, problems);
  std::string driver = "json-file";
  if (const auto* value = find_value(node, "driver")) {
    driver = read_text(*value, "driver", problems).value_or(driver);
    if (driver != "json-file" && driver != "local")
      return problems.add(value->at, fmt::format("the logging driver `{}` isn't supported: use json-file or local; "
                                                 "output is always kept, under a cap, for `orchion logs`",
                                                 driver));
  }
  static const Node kNoOptions{Node::Kind::kMap};
  const auto* options = find_value(node, "options");
  if (options && !expect_map(*options, "options", problems)) return;
  if (options) check_keys(*options, kLoggingOptionKeys, problems);
  container.set_log_bytes_max(log_bytes(options ? *options : kNoOptions, driver == "local", problems));
}

}  // namespace orchion::spec
