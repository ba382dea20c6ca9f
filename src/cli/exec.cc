#include <optional>

#include "cli/commands.h"
#include "cli/session.h"
#include "cli/terminal.h"
#include "v1/control.pb.h"

namespace orchion::cli {

namespace {

base::Result<v1::ExecInput> make_start(Context& context, const ExecOptions& options) {
  ASSIGN_OR_RETURN(const auto address, find_address(context, options.what));
  v1::ExecInput input;
  auto& start = *input.mutable_start();
  start.set_stack(address.stack);
  start.set_task(task_reference(address));
  for (const auto& part : options.command) start.add_command(part);
  if (options.tty) RETURN_IF_ERROR(check_terminal());
  start.set_tty(options.tty);
  start.set_stdin(options.interactive);
  if (options.tty) *start.mutable_size() = terminal_size();
  start.set_user(options.user);
  start.set_working_dir(options.working_dir);
  for (const auto& entry : options.environment) {
    auto* variable = start.add_environment();
    variable->set_name(entry.substr(0, entry.find('=')));
    if (entry.find('=') != std::string::npos) variable->set_value(entry.substr(entry.find('=') + 1));
  }
  return input;
}

}  // namespace

int run_exec(Context& context, const ExecOptions& options) {
  auto start = make_start(context, options);
  if (!start) return context.refuse(start.error());
  auto api = context.api();
  if (!api) return context.fail(api.error());
  std::optional<RawTerminal> raw;
  if (options.tty) raw.emplace();
  const SessionOptions session{.input = options.interactive, .tty = options.tty};
  auto end = context.run(run_session(*api, std::move(*start), session));
  raw.reset();
  return end ? end->exit_code : context.fail(end.error());
}

}  // namespace orchion::cli
