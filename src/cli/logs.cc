#include <cstdio>
#include <iostream>

#include <fmt/core.h>
#include <google/protobuf/util/time_util.h>
#include <unistd.h>

#include "cli/commands.h"
#include "cli/duration.h"
#include "cli/job_run_end.h"
#include "cli/output.h"
#include "v1/control.pb.h"

namespace orchion::cli {

namespace {

base::Result<v1::LogsRequest> make_request(Context& context, const LogsOptions& options, bool of_job) {
  v1::LogsRequest request;
  if (of_job) {
    ASSIGN_OR_RETURN(const auto address, find_run(context, options.what));
    request.set_stack(address.stack);
    request.set_run(address.run);
  } else if (options.what.empty()) {
    ASSIGN_OR_RETURN(const auto stack, find_stack(context));
    request.set_stack(stack);
  } else {
    ASSIGN_OR_RETURN(const auto address, find_address(context, options.what));
    if (address.index)
      return base::fail(base::Code::kInvalidArgument,
                        fmt::format("{} names a task of a job's run: `orchion job logs` shows the run", options.what));
    request.set_stack(address.stack);
    request.set_service(address.service);
    request.set_slot(address.slot);
  }
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
  request.set_follow(options.follow);
  request.set_grep(options.grep);
  if (options.tail) request.set_tail(*options.tail);
  return request;
}

// A service keeps its colour; errors of the container stay where they belong, on standard error of nobody: both
// streams of a container are data here.
class LinePrinter {
 public:
  LinePrinter() : colours_(::isatty(STDOUT_FILENO) != 0 && std::getenv("NO_COLOR") == nullptr) {}

  void print(const v1::LogLine& line) {
    if (!line.notice().empty()) {
      std::cerr << "orchion: " << line.notice() << "\n";
      return;
    }
    const auto prefix = fmt::format("{}.{}", line.run().empty() ? line.service() : line.run(), line.slot());
    if (colours_) {
      std::cout << fmt::format("\x1b[{}m{}\x1b[0m | ", 31 + std::hash<std::string>()(prefix) % 6, prefix);
    } else {
      std::cout << prefix << " | ";
    }
    std::cout << line.line() << "\n" << std::flush;
  }

 private:
  bool colours_;
};

base::Co<> print_lines(std::shared_ptr<client::ApiClient> api, std::shared_ptr<const v1::LogsRequest> request,
                       Context* context) {
  CO_ASSIGN_OR_RETURN(auto events, co_await api->open_events("orchion.v1.TaskService.Logs", request, ""));
  LinePrinter printer;
  while (true) {
    CO_ASSIGN_OR_RETURN(auto event, co_await events->next());
    if (!event) co_return base::Result<>{};
    if (wants_object(*context)) {
      CO_RETURN_IF_ERROR(print_streamed(*context, event->data));
      continue;
    }
    v1::LogLine line;
    CO_RETURN_IF_ERROR(client::parse_json(event->data, line));
    printer.print(line);
  }
}

}  // namespace

namespace {

int show_logs(Context& context, const LogsOptions& options, bool of_job) {
  auto request = make_request(context, options, of_job);
  if (!request) return context.refuse(request.error());
  auto api = context.api();
  if (!api) return context.fail(api.error());
  auto printed = context.run(print_lines(*api, std::make_shared<const v1::LogsRequest>(std::move(*request)), &context));
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
