#include "cli/attach.h"

#include <optional>

#include <fmt/core.h>
#include <unistd.h>

#include "cli/commands.h"
#include "cli/session.h"
#include "cli/terminal.h"

namespace orchion::cli {

namespace {

v1::AttachInput make_start(const Attachment& to) {
  v1::AttachInput input;
  auto& start = *input.mutable_start();
  start.set_stack(to.stack);
  start.set_task(to.task);
  start.set_stdin(to.input);
  if (to.tty && ::isatty(STDOUT_FILENO) != 0) *start.mutable_size() = terminal_size();
  return input;
}

// What its revision says decides what this side has to be.
base::Co<v1::ContainerSpec> find_container(std::shared_ptr<client::ApiClient> api, v1::GetTaskRequest wanted) {
  CO_ASSIGN_OR_RETURN(const auto task, co_await api->call<v1::Task>("orchion.v1.TaskService.GetTask", wanted));
  v1::GetRevisionRequest request;
  request.set_stack(wanted.stack());
  request.set_name(task.spec().revision());
  CO_ASSIGN_OR_RETURN(auto revision,
                      co_await api->call<v1::Revision>("orchion.v1.ResourceService.GetRevision", request));
  co_return std::move(*revision.mutable_spec()->mutable_template_()->mutable_container());
}

}  // namespace

base::Result<std::optional<int>> attach_to(Context& context, std::shared_ptr<client::ApiClient> api,
                                           const Attachment& to) {
  const bool in_front = ::isatty(STDIN_FILENO) != 0;
  SessionOptions session{.input = to.input, .tty = to.tty && ::isatty(STDOUT_FILENO) != 0};
  // Without a terminal of its own nobody types at it key by key: Ctrl-C leaves it then.
  if (to.tty && in_front) session.keys = to.keys;
  std::optional<RawTerminal> raw;
  if (to.tty && to.input) raw.emplace();
  auto end = context.run(run_session(api, make_start(to), session));
  raw.reset();
  if (!end) return std::unexpected(end.error());
  if (!end->detached) return std::optional<int>(end->exit_code);
  context.say(fmt::format("\ndetached; orchion attach {}/{} comes back", to.stack, to.task));
  return std::optional<int>();
}

int run_attach(Context& context, const AttachOptions& options) {
  const auto keys = DetachKeys::parse(options.detach_keys);
  if (!keys) return context.refuse(keys.error());
  const auto address = find_address(context, options.what);
  if (!address) return context.refuse(address.error());
  auto api = context.api();
  if (!api) return context.fail(api.error());
  v1::GetTaskRequest wanted;
  wanted.set_stack(address->stack);
  wanted.set_name(task_reference(*address));
  const auto container = context.run(find_container(*api, wanted));
  if (!container) return context.fail(container.error());
  const Attachment to{.stack = wanted.stack(),
                      .task = wanted.name(),
                      .input = container->stdin_open() && !options.no_stdin,
                      .tty = container->tty(),
                      .keys = *keys};
  const auto code = attach_to(context, *api, to);
  if (!code) return context.fail(code.error());
  return code->value_or(kExitOk);
}

}  // namespace orchion::cli
