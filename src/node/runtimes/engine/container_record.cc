#include "node/runtimes/engine/container_record.h"

#include "node/shim/record.h"

namespace orchion::node::runtimes::engine {

namespace {

constexpr std::size_t kProgramBytesMax = 4096;

std::int64_t to_ns(base::WallTime time) {
  return time.time_since_epoch().count();
}

base::WallTime read_time(std::string_view text, std::string_view name) {
  return base::WallTime(base::Duration(shim::find_number(text, name, 0)));
}

}  // namespace

std::string print_record(const ContainerRecord& record) {
  shim::RecordWriter out;
  out.add("engine_id", record.engine_id);
  out.add("program", std::string_view(record.program).substr(0, kProgramBytesMax));
  out.add("attempt", record.attempt);
  out.add("starting", record.starting);
  out.add("starting_since_ns", to_ns(record.starting_since));
  out.add("started_at_ns", to_ns(record.started_at));
  out.add("log_bytes_max", record.log_bytes_max);
  out.add("tty", record.tty ? 1 : 0);
  out.add("stdin_open", record.stdin_open ? 1 : 0);
  if (record.exit) {
    out.add("exit_code", record.exit->code);
    out.add("exit_signal", record.exit->signal);
    out.add("exit_oom_killed", record.exit->oom_killed ? 1 : 0);
    out.add("exit_finished_at_ns", to_ns(record.exit->finished_at));
    out.add("exit_reason", record.exit->reason);
  }
  return std::string(out.text());
}

ContainerRecord parse_record(std::string_view text) {
  ContainerRecord record;
  record.engine_id = shim::find_text(text, "engine_id");
  record.program = shim::find_text(text, "program");
  record.attempt = static_cast<std::uint32_t>(shim::find_number(text, "attempt", 0));
  record.starting = static_cast<std::uint32_t>(shim::find_number(text, "starting", 0));
  record.starting_since = read_time(text, "starting_since_ns");
  record.started_at = read_time(text, "started_at_ns");
  record.log_bytes_max = shim::find_number(text, "log_bytes_max", 0);
  record.tty = shim::find_number(text, "tty", 0) != 0;
  record.stdin_open = shim::find_number(text, "stdin_open", 0) != 0;
  if (shim::find_text(text, "exit_code").empty()) return record;
  ExitStatus exit;
  exit.code = static_cast<int>(shim::find_number(text, "exit_code", 0));
  exit.signal = static_cast<int>(shim::find_number(text, "exit_signal", 0));
  exit.oom_killed = shim::find_number(text, "exit_oom_killed", 0) != 0;
  exit.finished_at = read_time(text, "exit_finished_at_ns");
  exit.reason = shim::find_text(text, "exit_reason");
  record.exit = std::move(exit);
  return record;
}

}  // namespace orchion::node::runtimes::engine
