#include "node/runtimes/bundle/container_start.h"

#include <fmt/core.h>
#include <unistd.h>

#include "node/runtimes/bundle/process_handle.h"
#include "node/runtimes/bundle/shim_process.h"
#include "node/shim/bundle.h"

namespace orchion::node::runtimes::bundle {

namespace {

using base::Code;
using base::Result;

// The shim of an ended attempt may still be tidying up.
constexpr std::chrono::seconds kTidyingLimit{20};

Result<> wait_for_old_shim(const std::string& id, const BundleState& state) {
  if (!state.started || !state.shim_alive) return {};
  if (wait_for_end(open_process(state.started->shim), kTidyingLimit)) return {};
  return base::fail(Code::kUnavailable, fmt::format("the shim of container {} (pid {}) does not end: kill it", id,
                                                    state.started->shim.pid));
}

}  // namespace

Result<StartBegun> begin_start(const BundleStore& store, const std::filesystem::path& shim, std::string id,
                               std::uint32_t attempt) {
  ASSIGN_OR_RETURN(const auto found, store.read(id));
  if (!found || !found->whole)
    return base::fail(Code::kFailedPrecondition, fmt::format("container {} is not prepared: prepare it first", id));
  ASSIGN_OR_RETURN(const auto lock, store.lock(id));
  ASSIGN_OR_RETURN(const auto state, store.settle(id));
  StartBegun begun;
  if (state.started && state.started->attempt >= attempt) {
    begun.info = to_info(id, state);
    return begun;
  }
  if (state.started && !state.ended())
    return base::fail(Code::kFailedPrecondition,
                      fmt::format("attempt {} of container {} still runs: stop it before it is started anew",
                                  state.started->attempt, id));
  RETURN_IF_ERROR(wait_for_old_shim(id, state));
  store.forget_unrecorded(id);
  RETURN_IF_ERROR(base::make_folders(store.runtime_root()));
  ASSIGN_OR_RETURN(
      begun.report,
      spawn_shim(shim, {"run", std::to_string(attempt), store.options().cluster_short_id + "/" + id}, store.bundle(id),
                 {.lock = lock.get(), .program = store.maker().program_image(store.place(id))}));
  return begun;
}

Result<ContainerInfo> end_start(const BundleStore& store, std::string id, std::string report) {
  if (report == shim::kReportStarted) {
    ASSIGN_OR_RETURN(const auto state, store.read(id));
    if (state && state->started) return to_info(id, *state);
    return base::fail(Code::kNotFound, fmt::format("container {} was removed while it started", id));
  }
  ASSIGN_OR_RETURN(const auto lock, store.lock(id));
  store.forget_unrecorded(id);
  const std::string_view text(report);
  if (text.find('\n') == text.npos)
    return base::fail(Code::kAborted, fmt::format("the shim of container {} was killed while it started it", id));
  return std::unexpected(store.maker().start_failure(text));
}

}  // namespace orchion::node::runtimes::bundle
