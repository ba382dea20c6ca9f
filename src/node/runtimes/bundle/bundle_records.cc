#include "node/runtimes/bundle/bundle_records.h"

#include <fmt/core.h>

#include "base/file.h"
#include "node/shim/bundle.h"
#include "node/shim/process_identity.h"
#include "node/shim/record.h"

namespace orchion::node::runtimes::bundle {

namespace {

using base::Code;
using base::Result;

base::WallTime to_wall(std::int64_t ns) {
  return base::WallTime(base::Duration(ns));
}

// Empty where the file is missing.
Result<std::string> read_record(const std::filesystem::path& path) {
  auto text = base::read_file(path, 1u << 16);
  if (!text && text.error().code == Code::kNotFound) return std::string();
  return text;
}

std::optional<StartRecord> parse_start(std::string_view text) {
  namespace status = shim::status;
  StartRecord record;
  record.attempt = static_cast<std::uint32_t>(shim::find_number(text, status::kAttempt, 0));
  if (record.attempt == 0) return std::nullopt;
  record.process = {shim::find_number(text, status::kPid, 0), shim::find_number(text, status::kPidStart, 0)};
  record.shim = {shim::find_number(text, status::kShimPid, 0), shim::find_number(text, status::kShimPidStart, 0)};
  record.boot_id = shim::find_text(text, status::kBootId);
  record.started_at = to_wall(shim::find_number(text, status::kStartedNs, 0));
  record.terminal = static_cast<int>(shim::find_number(text, status::kTerminal, -1));
  return record;
}

std::optional<ExitRecord> parse_exit(std::string_view text) {
  namespace exited = shim::exited;
  ExitRecord record;
  record.attempt = static_cast<std::uint32_t>(shim::find_number(text, exited::kAttempt, 0));
  if (record.attempt == 0) return std::nullopt;
  record.status.code = static_cast<int>(shim::find_number(text, exited::kCode, 0));
  record.status.signal = static_cast<int>(shim::find_number(text, exited::kSignal, 0));
  record.status.oom_killed = shim::find_number(text, exited::kOomKilled, 0) != 0;
  record.status.finished_at = to_wall(shim::find_number(text, exited::kFinishedNs, 0));
  record.status.reason = shim::find_text(text, exited::kReason);
  return record;
}

}  // namespace

Result<> check_container_id(const std::string& id) {
  const bool fits = !id.empty() && id.size() <= 64 && id[0] != '.' && id[0] != '-';
  if (!fits || id.find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-") != id.npos)
    return base::fail(Code::kInvalidArgument,
                      fmt::format("\"{}\" cannot name a container: use letters, digits, '_', '.' and '-'", id));
  return {};
}

std::string this_boot() {
  char buffer[shim::kBootIdBytes];
  return std::string(shim::boot_id(buffer));
}

Result<std::optional<StartRecord>> read_start_record(const std::filesystem::path& bundle) {
  ASSIGN_OR_RETURN(const auto text, read_record(bundle / shim::kStatusFile));
  return parse_start(text);
}

Result<std::optional<ExitRecord>> read_exit_record(const std::filesystem::path& bundle) {
  ASSIGN_OR_RETURN(const auto text, read_record(bundle / shim::kExitFile));
  return parse_exit(text);
}

Result<> write_start_record(const std::filesystem::path& bundle, const StartRecord& record) {
  namespace status = shim::status;
  shim::RecordWriter text;
  text.add(status::kAttempt, record.attempt);
  text.add(status::kPid, record.process.pid);
  text.add(status::kPidStart, record.process.start);
  text.add(status::kShimPid, record.shim.pid);
  text.add(status::kShimPidStart, record.shim.start);
  text.add(status::kBootId, record.boot_id);
  text.add(status::kStartedNs, record.started_at.time_since_epoch().count());
  return base::write_file(bundle / shim::kStatusFile, text.text());
}

Result<> write_exit_record(const std::filesystem::path& bundle, const ExitRecord& record) {
  namespace exited = shim::exited;
  shim::RecordWriter text;
  text.add(exited::kAttempt, record.attempt);
  text.add(exited::kCode, record.status.code);
  text.add(exited::kSignal, record.status.signal);
  text.add(exited::kOomKilled, record.status.oom_killed ? 1 : 0);
  text.add(exited::kFinishedNs, record.status.finished_at.time_since_epoch().count());
  text.add(exited::kReason, record.status.reason);
  return base::write_file_durably(bundle / shim::kExitFile, text.text());
}

}  // namespace orchion::node::runtimes::bundle
