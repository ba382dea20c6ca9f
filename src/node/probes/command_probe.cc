#include <fmt/core.h>

#include "node/probes/ways.h"

namespace orchion::node::probes {

std::vector<std::string> check_command(const v1::HealthCheck& check) {
  const auto& words = check.test().values();
  if (words[0] == "CMD-SHELL") return {"/bin/sh", "-c", words[1]};
  return {words.begin() + 1, words.end()};
}

base::Co<Outcome> ask_command(Target target, std::vector<std::string> command) {
  runtimes::ExecConfig config;
  config.arguments = std::move(command);
  CO_ASSIGN_OR_RETURN(auto stream, co_await target.runtime->exec(target.id, std::move(config)));
  std::string output;
  while (true) {
    CO_ASSIGN_OR_RETURN(auto piece, co_await stream->receive());
    if (!piece) co_return Outcome{Outcome::Verdict::kUnknown, "the check ended without an exit code"};
    if (piece->exit_code && *piece->exit_code == 0) co_return Outcome{Outcome::Verdict::kGood, std::move(output)};
    if (piece->exit_code && output.empty())
      co_return Outcome{Outcome::Verdict::kBad, fmt::format("exit code {}", *piece->exit_code)};
    if (piece->exit_code)
      co_return Outcome{Outcome::Verdict::kBad, fmt::format("exit code {}: {}", *piece->exit_code, output)};
    for (const auto& text : {piece->out, piece->error})
      if (text && output.size() < kOutputBytesMax) output += text->substr(0, kOutputBytesMax - output.size());
  }
}

}  // namespace orchion::node::probes
