#include "core/health_check.h"

#include <algorithm>

#include "core/timestamps.h"

namespace orchion::core {

namespace {
constexpr std::int64_t kRetriesMax = 1'000'000;
constexpr std::string_view kKnownImage = "known image ";
constexpr char kOfImage[] = "image";

// Something to run or to ask.
bool says_how(const v1::HealthCheck& check) {
  return check.test().values_size() > 1 || check.has_http() || check.has_tcp() || check.has_grpc();
}

}  // namespace

bool is_of_known_image(const v1::HealthCheck& check) {
  return check.origin().starts_with(kKnownImage);
}

std::string known_image_origin(std::string_view name) {
  return std::string(kKnownImage) += name;
}

v1::HealthCheck to_message(const ImageHealthCheck& check) {
  v1::HealthCheck message;
  for (const auto& word : check.test) message.mutable_test()->add_values(word);
  const auto put = [&](std::int64_t nanoseconds, google::protobuf::Duration* (v1::HealthCheck::*field)()) {
    if (nanoseconds > 0) *(message.*field)() = to_duration(std::chrono::nanoseconds(nanoseconds));
  };
  put(check.interval, &v1::HealthCheck::mutable_interval);
  put(check.timeout, &v1::HealthCheck::mutable_timeout);
  put(check.start_period, &v1::HealthCheck::mutable_start_period);
  put(check.start_interval, &v1::HealthCheck::mutable_start_interval);
  message.set_retries(static_cast<std::uint32_t>(std::clamp<std::int64_t>(check.retries, 0, kRetriesMax)));
  return message;
}

bool is_check(const v1::HealthCheck& check) {
  return !check.disabled() && says_how(check);
}

std::optional<v1::HealthCheck> effective_check(const v1::ContainerSpec& container,
                                               const std::optional<ImageHealthCheck>& of_image) {
  const auto& asked = container.health_check();
  if (asked.disabled()) return std::nullopt;
  // What is set in `asked` replaces, what isn't stays; the test's words are replaced, not added to.
  v1::HealthCheck check = to_message(of_image.value_or(ImageHealthCheck()));
  if (says_how(asked)) check.clear_test();
  if (asked.has_interval()) check.clear_interval();
  if (asked.has_timeout()) check.clear_timeout();
  if (asked.has_start_period()) check.clear_start_period();
  if (asked.has_start_interval()) check.clear_start_interval();
  check.MergeFrom(asked);
  check.clear_origin();
  if (!says_how(asked)) check.set_origin(kOfImage);
  return is_check(check) ? std::optional(std::move(check)) : std::nullopt;
}

}  // namespace orchion::core
