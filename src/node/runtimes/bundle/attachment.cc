#include "node/runtimes/bundle/attachment.h"

#include <fmt/core.h>

#include "node/shim/bundle.h"
#include "node/shim/record.h"

namespace orchion::node::runtimes::bundle {

using base::Co;
using base::Code;
using base::Result;

Result<Attachment> find_attachment(const BundleStore& store, const std::string& id, AttachConfig config) {
  ASSIGN_OR_RETURN(const auto state, store.read(id));
  if (!state) return base::fail(Code::kNotFound, fmt::format("there is no container {}", id));
  if (!state->started) return std::unexpected(attach::never_started(id));
  ASSIGN_OR_RETURN(const auto settings, base::read_file(store.bundle(id) / shim::kSettingsFile));
  const bool stdin_open = shim::find_number(settings, shim::setting::kStdinOpen, 0) != 0;
  RETURN_IF_ERROR(attach::check_input(config, stdin_open));
  Attachment found;
  found.id = id;
  found.attempt = state->started->attempt;
  found.runs = !state->ended();
  found.tty = shim::find_number(settings, shim::setting::kTty, 0) != 0;
  found.shim = state->started->shim;
  found.terminal = state->started->terminal;
  found.parts.takes_input = stdin_open && config.stdin;
  return found;
}

Co<std::unique_ptr<attach::AttachedStream>> begin_attachment(base::Executor executor, std::filesystem::path log_folder,
                                                             Attachment found, AttachConfig config,
                                                             Co<ExitStatus> end) {
  CO_ASSIGN_OR_RETURN(found.parts.output, attach::open_segment_output(executor, std::move(log_folder), found.attempt));
  if (found.tty && found.parts.input && config.columns > 0)
    CO_RETURN_IF_ERROR(co_await found.parts.input->resize(config.columns, config.rows));
  co_return attach::make_attach_stream(executor, std::move(found.parts), std::move(end));
}

}  // namespace orchion::node::runtimes::bundle
