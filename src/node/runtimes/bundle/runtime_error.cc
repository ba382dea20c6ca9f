#include "node/runtimes/bundle/runtime_error.h"

#include <fmt/core.h>
#include <boost/json.hpp>

namespace orchion::node::runtimes::bundle {

namespace {

using base::Code;
using base::Error;

std::string log_message(std::string_view line) {
  boost::json::error_code failed;
  const auto parsed = boost::json::parse(boost::json::string_view(line.data(), line.size()), failed);
  if (failed || !parsed.is_object()) return std::string(line);
  const auto* message = parsed.as_object().if_contains("msg");
  return message != nullptr && message->is_string() ? std::string(message->as_string()) : std::string(line);
}

bool contains(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

// crun: "executable file `x` not found in $PATH: No such file or directory", "open executable: Permission denied",
// "exec container process `x`: …"; runc: "exec: \"x\": executable file not found in $PATH: unknown",
// "exec: \"/x\": stat /x: no such file or directory", "exec /x: permission denied".
bool is_about_command(std::string_view message) {
  return contains(message, "executable") || contains(message, "exec: \"") ||
         contains(message, "exec container process") || contains(message, "exec /") || contains(message, "exec ./") ||
         contains(message, "exec failed");
}

}  // namespace

Error classify_start_failure(std::string_view report, bool from_runtime) {
  while (report.ends_with('\n')) report.remove_suffix(1);
  if (!from_runtime) return {Code::kInternal, std::string(report), {}};
  const auto message = log_message(report);
  if (message.empty())
    return {
        Code::kInternal,
        "the runtime binary failed and said nothing, as crun does where one of the node's hooks fails: see these, and "
        "its version",
        {}};
  if (is_about_command(message)) {
    if (contains(message, "ermission denied"))
      return {Code::kPermissionDenied,
              fmt::format("the command is not executable in the image: set its mode, or name another ({})", message),
              {}};
    if (contains(message, "not found") || contains(message, "o such file or directory"))
      return {Code::kNotFound,
              fmt::format("the command does not exist in the image: name one that does ({})", message),
              {}};
  }
  return {Code::kInternal, fmt::format("the container did not start: {}", message), {}};
}

}  // namespace orchion::node::runtimes::bundle
