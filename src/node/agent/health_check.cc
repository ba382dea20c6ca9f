#include "node/agent/health_check.h"

#include <algorithm>
#include <cctype>

#include <fmt/core.h>

#include "base/timeout.h"
#include "core/timestamps.h"

namespace orchion::node::agent {

namespace {

// As Docker has them: https://docs.docker.com/reference/dockerfile/#healthcheck
constexpr base::Duration kInterval = std::chrono::seconds(30);
constexpr base::Duration kTimeout = std::chrono::seconds(30);
constexpr base::Duration kStartInterval = std::chrono::seconds(5);
constexpr std::uint32_t kRetries = 3;

constexpr base::Duration kFirstPause = std::chrono::milliseconds(500);
constexpr std::size_t kMessageBytesMax = 300;

base::Duration duration_or(bool there, const google::protobuf::Duration& duration, base::Duration otherwise) {
  if (!there) return otherwise;
  return std::max<base::Duration>(core::from_duration(duration), std::chrono::milliseconds(1));
}

// What was said last, as one line.
std::string one_line(std::string text) {
  for (char& c : text)
    if (std::iscntrl(static_cast<unsigned char>(c)) != 0) c = ' ';
  const auto begin = text.find_first_not_of(' ');
  if (begin == std::string::npos) return "";
  return text.substr(begin, text.find_last_not_of(' ') - begin + 1);
}

CheckResult result_of(int exit_code, std::string output) {
  if (exit_code == 0) return {CheckResult::Verdict::kGood, ""};
  const auto said = one_line(std::move(output));
  return {CheckResult::Verdict::kBad,
          said.empty() ? fmt::format("exit code {}", exit_code) : fmt::format("exit code {}: {}", exit_code, said)};
}

base::Co<CheckResult> run_to_the_end(runtimes::Runtime& runtime, std::string id, std::vector<std::string> command) {
  runtimes::ExecConfig config;
  config.arguments = std::move(command);
  CO_ASSIGN_OR_RETURN(auto stream, co_await runtime.exec(std::move(id), std::move(config)));
  std::string output;
  while (true) {
    CO_ASSIGN_OR_RETURN(auto piece, co_await stream->receive());
    if (!piece) co_return CheckResult{CheckResult::Verdict::kUnknown, "the check ended without an exit code"};
    if (piece->exit_code) co_return result_of(*piece->exit_code, std::move(output));
    for (const auto& text : {piece->out, piece->error})
      if (text && output.size() < kMessageBytesMax) output += text->substr(0, kMessageBytesMax - output.size());
  }
}

}  // namespace

HealthTally::HealthTally(const v1::HealthCheck& check, v1::Health known)
    : interval_(duration_or(check.has_interval(), check.interval(), kInterval)),
      timeout_(duration_or(check.has_timeout(), check.timeout(), kTimeout)),
      start_period_(duration_or(check.has_start_period(), check.start_period(), base::Duration::zero())),
      start_interval_(duration_or(check.has_start_interval(), check.start_interval(), kStartInterval)),
      retries_(check.retries() != 0 ? check.retries() : kRetries),
      health_(known == v1::NOT_CHECKED ? v1::HEALTH_STARTING : known),
      was_good_(known == v1::HEALTH_GOOD) {}

base::Duration HealthTally::pause(base::Duration up) const {
  if (was_good_ || up >= std::max(start_period_, interval_)) return interval_;
  const auto longest = up < start_period_ ? std::min(start_interval_, interval_) : interval_;
  return std::min(longest, std::max(kFirstPause, up));
}

void HealthTally::record(bool good, base::Duration up) {
  if (good) {
    failures_ = 0;
    was_good_ = true;
    health_ = v1::HEALTH_GOOD;
    return;
  }
  if (!was_good_ && up < std::max(start_period_, interval_)) return;
  if (++failures_ >= retries_) health_ = v1::HEALTH_BAD;
}

std::vector<std::string> check_command(const v1::HealthCheck& check) {
  const auto& words = check.test().values();
  if (words[0] == "CMD-SHELL") return {"/bin/sh", "-c", words[1]};
  return {words.begin() + 1, words.end()};
}

base::Co<CheckResult> run_check(runtimes::Runtime& runtime, base::Clock& clock, std::string id,
                                std::vector<std::string> command, base::Duration timeout) {
  auto ended = run_to_the_end(runtime, std::move(id), std::move(command));
  auto result = co_await base::with_timeout(clock, timeout, "the check", std::move(ended));
  if (result) co_return std::move(*result);
  const auto code = result.error().code;
  const bool its_fault =
      code == base::Code::kDeadlineExceeded || code == base::Code::kNotFound || code == base::Code::kPermissionDenied;
  co_return CheckResult{its_fault ? CheckResult::Verdict::kBad : CheckResult::Verdict::kUnknown,
                        result.error().message};
}

}  // namespace orchion::node::agent
