#include "client/patience.h"

#include <fmt/core.h>

namespace orchion::client {

namespace {

// A server that ends cancels its calls; one that begins may need longer than a call has.
bool may_pass(base::Code code) {
  return code == base::Code::kUnavailable || code == base::Code::kCancelled || code == base::Code::kDeadlineExceeded;
}

}  // namespace

Patience::Patience(base::Clock& clock, PatienceOptions options)
    : clock_(clock), options_(options), backoff_(options.backoff) {}

void Patience::answered() {
  failing_since_.reset();
  backoff_.reset();
}

base::Co<> Patience::wait_after(base::Error error) {
  if (!may_pass(error.code)) co_return std::unexpected(std::move(error));
  if (!failing_since_) failing_since_ = clock_.now();
  const auto away = clock_.now() - *failing_since_;
  if (away >= options_.limit)
    co_return base::fail(base::Code::kUnavailable,
                         fmt::format("the server went away and did not come back within {} s: see its log, start it "
                                     "with `orchion server`, then run this again (last: {})",
                                     std::chrono::duration_cast<std::chrono::seconds>(away).count(), error.message));
  co_return co_await clock_.sleep(backoff_.next(random_));
}

}  // namespace orchion::client
