#include "node/probes/probe.h"

#include <cctype>

#include "base/timeout.h"
#include "node/logs/line.h"
#include "node/probes/ways.h"

namespace orchion::node::probes {

namespace {

constexpr std::size_t kLineBytesMax = 300;

base::Co<Outcome> ask(base::Clock& clock, Target target, v1::HealthCheck check) {
  if (check.has_http()) return ask_http(clock, std::move(target), check.http());
  if (check.has_grpc()) return ask_grpc(std::move(target), check.grpc());
  if (check.has_tcp()) return ask_tcp(std::move(target), check.tcp());
  return ask_command(std::move(target), check_command(check));
}

// Some errors are about the way to the task, and say nothing about it.
Outcome::Verdict verdict_of(base::Code code, bool is_command) {
  switch (code) {
    case base::Code::kDeadlineExceeded:
    case base::Code::kDataLoss: return Outcome::Verdict::kBad;
    // The command isn't there, or may not be run.
    case base::Code::kNotFound:
    case base::Code::kPermissionDenied: return is_command ? Outcome::Verdict::kBad : Outcome::Verdict::kUnknown;
    // Of a command it is the engine that doesn't answer.
    case base::Code::kUnavailable: return is_command ? Outcome::Verdict::kUnknown : Outcome::Verdict::kBad;
    default: return Outcome::Verdict::kUnknown;
  }
}

// At most `bytes_max`, not cut within a character.
std::string shortened(std::string text, std::size_t bytes_max) {
  if (text.size() <= bytes_max) return text;
  while (bytes_max > 0 && (static_cast<unsigned char>(text[bytes_max]) & 0xc0) == 0x80) --bytes_max;
  text.resize(bytes_max);
  return text;
}

}  // namespace

base::Co<Outcome> probe(base::Clock& clock, Target target, v1::HealthCheck check, base::Duration timeout) {
  const bool is_command = !check.has_http() && !check.has_grpc() && !check.has_tcp();
  auto asked = ask(clock, std::move(target), std::move(check));
  const std::string what = is_command ? "the command" : "the check";
  auto result = co_await base::with_timeout(clock, timeout, what, std::move(asked));
  if (!result && result.error().code == base::Code::kCancelled) co_return std::unexpected(result.error());
  auto outcome = result ? std::move(*result)
                        : Outcome{verdict_of(result.error().code, is_command), std::move(result).error().message};
  outcome.output = shortened(logs::to_utf8(outcome.output), kOutputBytesMax);
  co_return outcome;
}

std::string one_line(const std::string& output) {
  std::string text = output;
  for (char& c : text)
    if (std::iscntrl(static_cast<unsigned char>(c)) != 0) c = ' ';
  const auto begin = text.find_first_not_of(' ');
  if (begin == std::string::npos) return "";
  return shortened(text.substr(begin, text.find_last_not_of(' ') - begin + 1), kLineBytesMax);
}

}  // namespace orchion::node::probes
