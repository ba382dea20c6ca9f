#include "cli/log_options.h"

#include <limits>

#include "cli/command_tree.h"
#include "cli/value_check.h"

namespace orchion::cli {

void add_log_options(CLI::App& command, LogsOptions& options) {
  command.add_flag("-f,--follow", options.follow, "Go on with what is printed from now on, by tasks that begin too");
  command.add_option("--since", options.since, "From a time on, or how long ago (10m)")->check(check_moment);
  command.add_option("--until", options.until, "Up to a time, or how long ago")->check(check_moment);
  bound(command.add_option("-n,--tail", options.tail, "Only the last N lines of each task"), 0,
        std::numeric_limits<std::uint32_t>::max());
  command.add_option("--grep", options.grep, "Only lines that match this regular expression");
  command.add_flag("-F,--fixed", options.fixed, "What --grep is given is text, found as it stands");
  offer(command.add_option("--level", options.level, "Only lines of this level and above"),
        {"trace", "debug", "info", "warn", "error", "fatal"});
  command.add_option("--field", options.fields, "Only JSON lines with this field: NAME=VALUE, a.b=VALUE within others")
      ->allow_extra_args(false)
      ->check(check_field);
  command.add_flag("-p,--previous", options.previous, "Of tasks that are gone too");
  command.add_flag("-t,--timestamps", options.timestamps, "Begin each line with its time");
  command.add_flag("--no-prefix", options.no_prefix, "Without the task's name before each line");
}

}  // namespace orchion::cli
