#include "node/runtimes/engine/log_capture.h"

#include <boost/asio/co_spawn.hpp>

#include "base/backoff.h"
#include "base/log.h"

namespace orchion::node::runtimes::engine {

namespace {

using base::Co;
using base::Code;
using base::Result;

constexpr base::BackoffOptions kPauses{.first = std::chrono::milliseconds(20), .longest = std::chrono::seconds(2)};

Result<bool> copy_once(const std::shared_ptr<LogCopier>& copier, std::uint16_t attempt) {
  return copier->copy(attempt);
}

}  // namespace

std::shared_ptr<LogCapture> LogCapture::begin(LogCaptureTools tools, std::string engine_id, std::uint16_t attempt,
                                              std::filesystem::path folder, std::int64_t bytes_max) {
  LogCopierOptions options;
  options.dialect = tools.dialect;
  options.folder = std::move(folder);
  options.bytes_max = bytes_max;
  const auto executor = tools.executor;
  auto capture = std::make_shared<LogCapture>(std::move(tools), std::move(engine_id), attempt, std::move(options));
  boost::asio::co_spawn(executor, capture->run(), [capture](std::exception_ptr thrown, Result<> result) {
    if (!result && !thrown && !capture->stopped_)
      base::log::warn("output of container {} is not captured: {}", capture->engine_id_, result.error().message);
    capture->done_ = true;
    capture->changed_.notify();
  });
  return capture;
}

LogCapture::LogCapture(LogCaptureTools tools, std::string engine_id, std::uint16_t attempt, LogCopierOptions options)
    : tools_(std::move(tools)),
      engine_id_(std::move(engine_id)),
      attempt_(attempt),
      options_(std::move(options)),
      changed_(tools_.executor) {}

void LogCapture::changed() {
  ++changes_;
  changed_.notify();
}

void LogCapture::stop() {
  stopped_ = true;
  changed();
}

Co<> LogCapture::drain() {
  const auto self = shared_from_this();
  ended_ = true;
  changed();
  while (!done_) CO_RETURN_IF_ERROR(co_await changed_.wait());
  co_return Result<>{};
}

Co<> LogCapture::catch_up() {
  const auto self = shared_from_this();
  changed();
  const auto mine = changes_;
  while (!done_ && !stopped_ && copied_ < mine) CO_RETURN_IF_ERROR(co_await changed_.wait());
  co_return Result<>{};
}

// The engine names its log file once the container was started.
Co<> LogCapture::find_source() {
  auto random = base::Random::from_system();
  base::Backoff pauses(kPauses);
  while (!stopped_) {
    const auto state = co_await tools_.client->inspect_container(engine_id_);
    if (state && !*state)
      co_return base::fail(Code::kNotFound, "the engine has it no longer: somebody else removed it");
    if (state && !(*state)->log_path.empty()) {
      options_.source = (*state)->log_path;
      co_return Result<>{};
    }
    if (state && ended_) co_return base::fail(Code::kNotFound, "the engine kept none");
    CO_RETURN_IF_ERROR(co_await tools_.clock.sleep(pauses.next(random)));
  }
  co_return base::fail(Code::kCancelled, "the capture was stopped");
}

Co<> LogCapture::run() {
  const auto self = shared_from_this();
  CO_RETURN_IF_ERROR(co_await find_source());
  co_return co_await copy_until_drained();
}

Co<> LogCapture::copy_until_drained() {
  auto open = [options = options_]() -> Result<std::shared_ptr<LogCopier>> {
    ASSIGN_OR_RETURN(auto opened, LogCopier::open(options));
    return std::make_shared<LogCopier>(std::move(opened));
  };
  CO_ASSIGN_OR_RETURN(const auto copier, co_await tools_.pool.run(std::move(open)));
  std::weak_ptr<LogCapture> weak = weak_from_this();
  std::function<void()> wake = [weak] {
    if (const auto self = weak.lock()) self->changed();
  };
  CO_ASSIGN_OR_RETURN(const auto token, tools_.watch->watch(options_.source.parent_path(), std::move(wake)));
  while (!stopped_) {
    const auto seen = changes_;
    const bool last = ended_;
    auto copy = [copier, attempt = attempt_] { return copy_once(copier, attempt); };
    CO_ASSIGN_OR_RETURN(const bool more, co_await tools_.pool.run(std::move(copy)));
    if (more) continue;
    copied_ = seen;
    changed_.notify();
    if (last) break;
    while (seen == changes_) CO_RETURN_IF_ERROR(co_await changed_.wait());
  }
  co_return Result<>{};
}

}  // namespace orchion::node::runtimes::engine
