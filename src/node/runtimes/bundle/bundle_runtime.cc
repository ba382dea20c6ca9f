#include "node/runtimes/bundle/bundle_runtime.h"

#include <array>

#include <fmt/core.h>
#include <unistd.h>
#include <boost/asio/buffer.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "node/runtimes/bundle/attachment.h"
#include "node/runtimes/bundle/bundle_store.h"
#include "node/runtimes/bundle/container_start.h"
#include "node/runtimes/bundle/ended_root.h"
#include "node/runtimes/bundle/exec_session.h"
#include "node/runtimes/bundle/process_handle.h"
#include "node/shim/bundle.h"

namespace orchion::node::runtimes::bundle {

namespace {

namespace asio = boost::asio;
using base::Co;
using base::Code;
using base::Result;

constexpr std::size_t kReportBytesMax = 64 << 10;

enum class ReportEnd { kClosed, kStarted };

// Reads until the shim closes its end or, with kStarted, says that the start is done.
Co<std::string> read_report(asio::posix::stream_descriptor& report, ReportEnd end) {
  std::string text;
  std::array<char, 4096> buffer;
  while (text.size() < kReportBytesMax && !(end == ReportEnd::kStarted && text.starts_with(shim::kReportStarted))) {
    boost::system::error_code failed;
    const auto n =
        co_await report.async_read_some(asio::buffer(buffer), asio::redirect_error(asio::use_awaitable, failed));
    if (failed == asio::error::operation_aborted) co_return base::fail(Code::kCancelled, "the start was not awaited");
    if (failed) break;
    text.append(buffer.data(), n);
  }
  co_return text;
}

// Resumes when the process has ended.
Co<> wait_readable(base::Executor executor, base::UniqueFd process) {
  if (!process) co_return Result<>{};
  asio::posix::stream_descriptor descriptor(executor, process.release());
  boost::system::error_code failed;
  co_await descriptor.async_wait(asio::posix::stream_descriptor::wait_read,
                                 asio::redirect_error(asio::use_awaitable, failed));
  if (failed) co_return base::fail(Code::kCancelled, "the wait was interrupted");
  co_return Result<>{};
}

// What a waiter looks at: the exit, or whose end to wait for.
struct WaitStep {
  std::optional<ExitStatus> exit;
  base::UniqueFd shim;
};

Result<WaitStep> next_wait_step(const BundleStore& store, const std::string& id) {
  ASSIGN_OR_RETURN(auto state, store.read(id));
  if (!state) return base::fail(Code::kNotFound, fmt::format("there is no container {}", id));
  if (!state->started) return base::fail(Code::kFailedPrecondition, fmt::format("container {} was never started", id));
  WaitStep step;
  if (state->shim_alive) step.shim = open_process(state->started->shim);
  if (step.shim) return step;
  if (!state->ended()) {
    ASSIGN_OR_RETURN(const auto lock, store.lock(id));
    ASSIGN_OR_RETURN(state, store.settle(id));
  }
  if (state->ended()) step.exit = state->exited->status;
  return step;
}

}  // namespace

Result<> make_bundle_folders(BundleOptions& options) {
  if (::geteuid() != 0)
    return base::fail(Code::kPermissionDenied, "containers need root: run the agent as root, for example by sudo");
  options.state_folder = std::filesystem::absolute(options.state_folder);
  options.data_folder = std::filesystem::absolute(options.data_folder);
  RETURN_IF_ERROR(base::make_folders(options.state_folder));
  return base::make_folders(options.data_folder);
}

BundleRuntime::BundleRuntime(base::Executor executor, base::WorkerPool& pool, std::shared_ptr<BundleStore> store,
                             std::filesystem::path shim)
    : executor_(std::move(executor)), pool_(pool), store_(std::move(store)), shim_(std::move(shim)) {}

BundleRuntime::~BundleRuntime() = default;

Capabilities BundleRuntime::capabilities() const {
  return store_->maker().capabilities();
}

// Beside everything else that a start has to do; one at a time, so that no other job waits for a worker.
void BundleRuntime::announce_start() {
  if (announcing_->exchange(true)) return;
  pool_.post([store = store_, announcing = announcing_] {
    announce_moves(store->cgroups());
    *announcing = false;
  });
}

Co<> BundleRuntime::prepare(ContainerConfig config) {
  announce_start();
  auto job = [store = store_, config = std::move(config)] { return store->prepare(config); };
  co_return co_await pool_.run(std::move(job));
}

Co<ContainerInfo> BundleRuntime::start(std::string id, std::uint32_t attempt) {
  announce_start();
  auto begin = [store = store_, shim = shim_, id, attempt] { return begin_start(*store, shim, id, attempt); };
  CO_ASSIGN_OR_RETURN(auto begun, co_await pool_.run(std::move(begin)));
  if (begun.info) co_return *begun.info;
  asio::posix::stream_descriptor report(executor_, begun.report.release());
  CO_ASSIGN_OR_RETURN(auto text, co_await read_report(report, ReportEnd::kClosed));
  auto end = [store = store_, id, text = std::move(text)] { return end_start(*store, id, text); };
  co_return co_await pool_.run(std::move(end));
}

Co<ExitStatus> BundleRuntime::wait(std::string id) {
  while (true) {
    auto look = [store = store_, id] { return next_wait_step(*store, id); };
    CO_ASSIGN_OR_RETURN(auto step, co_await pool_.run(std::move(look)));
    if (step.exit) co_return *step.exit;
    CO_RETURN_IF_ERROR(co_await wait_readable(executor_, std::move(step.shim)));
  }
}

Co<> BundleRuntime::signal(std::string id, int signal) {
  auto job = [store = store_, id, signal]() -> Result<> {
    ASSIGN_OR_RETURN(const auto state, store->read(id));
    if (!state) return base::fail(Code::kNotFound, fmt::format("there is no container {}", id));
    if (!state->started || state->ended()) return {};
    return signal_process(open_process(state->started->process), signal);
  };
  co_return co_await pool_.run(std::move(job));
}

Co<> BundleRuntime::remove(std::string id, bool keep_logs) {
  auto job = [store = store_, id, keep_logs] { return store->remove(id, keep_logs); };
  co_return co_await pool_.run(std::move(job));
}

Co<> BundleRuntime::save_files(std::string id, std::string path, std::int64_t bytes_max, std::filesystem::path file) {
  auto job = [store = store_, id, path, bytes_max, file]() -> Result<> {
    return bundle::save_files(store->bundle(id), path, bytes_max, file);
  };
  co_return co_await pool_.run(std::move(job));
}

Co<std::optional<ContainerInfo>> BundleRuntime::inspect(std::string id) {
  auto job = [store = store_, id]() -> Result<std::optional<ContainerInfo>> {
    ASSIGN_OR_RETURN(auto state, store->read(id));
    if (!state) return std::optional<ContainerInfo>();
    if (state->orphaned()) {
      ASSIGN_OR_RETURN(const auto lock, store->lock(id));
      ASSIGN_OR_RETURN(state, store->settle(id));
    }
    return std::optional<ContainerInfo>(to_info(id, *state));
  };
  co_return co_await pool_.run(std::move(job));
}

Co<std::vector<ContainerInfo>> BundleRuntime::list() {
  auto names = [store = store_] { return store->ids(); };
  CO_ASSIGN_OR_RETURN(const auto ids, co_await pool_.run(std::move(names)));
  std::vector<ContainerInfo> infos;
  for (const auto& id : ids) {
    CO_ASSIGN_OR_RETURN(auto info, co_await inspect(id));
    if (info) infos.push_back(*std::move(info));
  }
  co_return infos;
}

Co<std::unique_ptr<base::Stream<ExecOutput, ExecInput>>> BundleRuntime::exec(std::string id, ExecConfig config) {
  auto begin = [store = store_, shim = shim_, id, config] { return begin_exec(*store, shim, id, config); };
  CO_ASSIGN_OR_RETURN(auto exec, co_await pool_.run(std::move(begin)));
  asio::posix::stream_descriptor report(executor_, exec.report.release());
  CO_ASSIGN_OR_RETURN(const auto text, co_await read_report(report, ReportEnd::kStarted));
  exec.report.reset(report.release());
  const bool started = text.starts_with(shim::kReportStarted);
  auto terminal = started ? take_terminal(exec) : Result<>{};
  auto tidy = [folder = exec.folder] { return base::remove_tree(folder); };
  CO_RETURN_IF_ERROR(co_await pool_.run(std::move(tidy)));
  CO_RETURN_IF_ERROR(std::move(terminal));
  if (!started) co_return std::unexpected(store_->maker().start_failure(text));
  exec.reported = text.substr(std::string_view(shim::kReportStarted).size());
  co_return make_exec_stream(executor_, std::move(exec));
}

Co<std::unique_ptr<base::Stream<ExecOutput, ExecInput>>> BundleRuntime::attach(std::string id, AttachConfig config) {
  auto look = [store = store_, id, config] { return find_attachment(*store, id, config); };
  CO_ASSIGN_OR_RETURN(auto found, co_await pool_.run(std::move(look)));
  if (found.tty && found.runs) {
    auto borrow = [shim = found.shim, number = found.terminal] {
      return borrow_descriptor(open_process(shim), number);
    };
    auto terminal = co_await pool_.run(std::move(borrow));
    if (terminal) found.parts.input = attach::open_terminal_input(executor_, *std::move(terminal));
    if (!terminal && terminal.error().code != Code::kFailedPrecondition) co_return std::unexpected(terminal.error());
  } else if (found.runs) {
    found.parts.input = attach::open_pipe_input(executor_, store_->bundle(id));
  }
  co_return co_await begin_attachment(executor_, store_->log_folder(id), std::move(found), config, wait(id));
}

std::filesystem::path BundleRuntime::log_folder(const std::string& id) const {
  return store_->log_folder(id);
}

}  // namespace orchion::node::runtimes::bundle
