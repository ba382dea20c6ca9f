#include <cstdio>
#include <iostream>

#include <fmt/core.h>
#include <google/protobuf/util/time_util.h>
#include <unistd.h>

#include "cli/commands.h"
#include "cli/duration.h"
#include "cli/job_run_end.h"
#include "cli/output.h"
#include "core/log_line.h"
#include "core/pattern.h"
#include "v1/control.pb.h"

namespace orchion::cli {

namespace {

base::Result<> choose_lines(Context& context, const LogsOptions& options, v1::LogsRequest& request) {
  const auto now = context.clock().wall();
  auto stamp = [](base::WallTime time) {
    return google::protobuf::util::TimeUtil::NanosecondsToTimestamp(time.time_since_epoch().count());
  };
  if (!options.since.empty()) {
    ASSIGN_OR_RETURN(const auto since, parse_moment(options.since, now));
    *request.mutable_since() = stamp(since);
  }
  if (!options.until.empty()) {
    ASSIGN_OR_RETURN(const auto until, parse_moment(options.until, now));
    *request.mutable_until() = stamp(until);
  }
  if (!options.fixed) {
    const auto checked = core::check_pattern(options.grep);
    if (!checked) return base::fail(base::Code::kInvalidArgument, "--grep: " + checked.error().message);
  }
  for (const auto& field : options.fields) request.add_fields(field);
  request.set_level(core::level_of_word(options.level).value_or(v1::LOG_LEVEL_UNKNOWN));
  request.set_follow(options.follow);
  request.set_grep(options.grep);
  request.set_fixed(options.fixed);
  request.set_previous(options.previous);
  request.set_timestamps(options.timestamps);
  if (options.tail) request.set_tail(*options.tail);
  return {};
}

base::Result<> choose_tasks(Context& context, const LogsOptions& options, v1::LogsRequest& request) {
  request.set_node(options.node);
  request.set_task_uid(options.task);
  if (options.what.empty()) {
    const bool of_all =
        options.all || !options.task.empty() || (!options.node.empty() && context.options().stack.empty());
    if (of_all) return {};
    ASSIGN_OR_RETURN(const auto stack, find_stack(context));
    request.set_stack(stack);
    return {};
  }
  if (options.all)
    return base::fail(base::Code::kInvalidArgument,
                      fmt::format("--all is for all stacks, {} for one: leave out the one or the other", options.what));
  ASSIGN_OR_RETURN(const auto address, find_address(context, options.what));
  if (address.index)
    return base::fail(base::Code::kInvalidArgument,
                      fmt::format("{} names a task of a job's run: `orchion job logs` shows the run", options.what));
  request.set_stack(address.stack);
  request.set_service(address.service);
  request.set_slot(address.slot);
  return {};
}

base::Result<v1::LogsRequest> make_request(Context& context, const LogsOptions& options, bool of_job) {
  v1::LogsRequest request;
  RETURN_IF_ERROR(choose_lines(context, options, request));
  if (!of_job) {
    RETURN_IF_ERROR(choose_tasks(context, options, request));
    return request;
  }
  ASSIGN_OR_RETURN(const auto address, find_run(context, options.what));
  request.set_stack(address.stack);
  request.set_run(address.run);
  return request;
}

// Prints text as the server writes it: "NAME | LINE", or a notice between dashes. A service keeps its colour. Both
// streams of a container are data here.
class TextPrinter {
 public:
  explicit TextPrinter(bool no_prefix)
      : colours_(::isatty(STDOUT_FILENO) != 0 && std::getenv("NO_COLOR") == nullptr), no_prefix_(no_prefix) {}

  // In pieces, cut anywhere.
  void print(std::string_view piece) {
    text_ += piece;
    const auto end = text_.rfind('\n');
    if (end == std::string::npos) return;
    const auto lines = std::string_view(text_).substr(0, end + 1);
    const bool as_it_is =
        !colours_ && !no_prefix_ && !lines.starts_with(kNotice) && lines.find("\n-- ") == std::string_view::npos;
    if (as_it_is) {
      std::fwrite(lines.data(), 1, lines.size(), stdout);
    } else {
      print_lines(lines);
    }
    std::fflush(stdout);
    text_.erase(0, end + 1);
  }

 private:
  static constexpr std::string_view kNotice = "-- ";
  static constexpr std::string_view kBar = " | ";

  void print_lines(std::string_view lines) {
    while (!lines.empty()) {
      const auto end = lines.find('\n');
      print_line(lines.substr(0, end));
      lines.remove_prefix(end + 1);
    }
  }

  void print_line(std::string_view line) {
    const auto bar = line.find(kBar);
    if (line.starts_with(kNotice)) {
      std::fflush(stdout);
      std::cerr << "orchion: " << line.substr(kNotice.size(), line.size() - 2 * kNotice.size()) << "\n";
      return;
    }
    const auto prefix = line.substr(0, bar);
    const auto text = line.substr(bar + kBar.size());
    // The name is what follows the time, where there is one.
    const auto name = prefix.substr(prefix.rfind(' ') + 1);
    const auto time = prefix.substr(0, prefix.size() - name.size());
    if (no_prefix_) {
      fmt::print("{}{}\n", time, text);
    } else if (!colours_) {
      fmt::print("{}\n", line);
    } else {
      fmt::print("{}\x1b[{}m{}\x1b[0m | {}\n", time, 31 + std::hash<std::string_view>()(name) % 6, name, text);
    }
  }

  bool colours_;
  bool no_prefix_;
  std::string text_;
};

base::Co<> print_text(std::shared_ptr<client::ApiClient> api, std::shared_ptr<const v1::LogsRequest> request,
                      bool no_prefix) {
  CO_ASSIGN_OR_RETURN(auto body, co_await api->download("orchion.v1.TaskService.LogText", request));
  TextPrinter printer(no_prefix);
  while (true) {
    CO_ASSIGN_OR_RETURN(auto piece, co_await body->read());
    if (!piece) co_return base::Result<>{};
    printer.print(*piece);
  }
}

base::Co<> print_objects(std::shared_ptr<client::ApiClient> api, std::shared_ptr<const v1::LogsRequest> request,
                         Context* context) {
  CO_ASSIGN_OR_RETURN(auto events, co_await api->open_events("orchion.v1.TaskService.Logs", request, ""));
  while (true) {
    CO_ASSIGN_OR_RETURN(auto event, co_await events->next());
    if (!event) co_return base::Result<>{};
    CO_RETURN_IF_ERROR(print_streamed(*context, event->data));
  }
}

int show_logs(Context& context, const LogsOptions& options, bool of_job) {
  auto made = make_request(context, options, of_job);
  if (!made) return context.refuse(made.error());
  auto api = context.api();
  if (!api) return context.fail(api.error());
  auto request = std::make_shared<const v1::LogsRequest>(std::move(*made));
  auto printed = context.run(wants_object(context) ? print_objects(*api, request, &context)
                                                   : print_text(*api, request, options.no_prefix));
  return printed ? kExitOk : context.fail(printed.error());
}

}  // namespace

int run_logs(Context& context, const LogsOptions& options) {
  return show_logs(context, options, false);
}

int run_job_logs(Context& context, const LogsOptions& options) {
  return show_logs(context, options, true);
}

}  // namespace orchion::cli
