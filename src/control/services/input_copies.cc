#include "control/services/input_copies.h"

#include <algorithm>

#include <fmt/core.h>

#include "base/log.h"
#include "base/timeout.h"
#include "control/services/run_inputs.h"

namespace orchion::control::services {

using base::Code;

namespace {

constexpr auto kAgain = std::chrono::seconds(5);

// Between two pieces.
constexpr auto kPieceLimit = std::chrono::seconds(60);

base::Co<> copy_one(ServiceContext context, inputs::InputFolder* inputs, OpenLeaderStream open, std::string digest) {
  CO_ASSIGN_OR_RETURN(const auto stream, co_await open());
  v1::StreamFromAgent ask;
  ask.mutable_input_fetch()->set_digest(digest);
  CO_RETURN_IF_ERROR(co_await stream->send(std::move(ask)));
  CO_ASSIGN_OR_RETURN(const auto upload, co_await inputs->begin());
  for (;;) {
    CO_ASSIGN_OR_RETURN(auto piece, co_await base::with_timeout(context.clock, kPieceLimit,
                                                                "the next piece of an input", stream->receive()));
    if (!piece) co_return base::fail(Code::kUnavailable, "the server that leads ended before its end");
    if (piece->data().empty()) break;
    CO_RETURN_IF_ERROR(co_await upload->write(std::move(*piece->mutable_data())));
  }
  CO_ASSIGN_OR_RETURN(const auto kept, co_await upload->finish());
  if (kept.digest != digest) co_return base::fail(Code::kDataLoss, "it isn't what its digest says");
  co_return base::Result<>{};
}

// Whether all is here now.
base::Co<bool> copy_missing(ServiceContext context, inputs::InputFolder* inputs, OpenLeaderStream open) {
  bool all = true;
  for (const auto& digest : inputs_of_runs(context.objects.view())) {
    CO_ASSIGN_OR_RETURN(const bool is_there, co_await inputs->touch(digest));
    if (is_there) continue;
    const auto copied = co_await copy_one(context, inputs, open, digest);
    if (!copied) base::log::debug("the input {} can't be got yet: {}", digest, copied.error().message);
    all = all && copied;
  }
  co_return all;
}

bool is_of_run(const store::ObjectChange& change) {
  return change.kind == "Run" && change.after && !change.before;
}

}  // namespace

base::Co<> copy_inputs(ServiceContext context, std::shared_ptr<inputs::InputFolder> inputs, OpenLeaderStream open,
                       std::function<bool()> leads) {
  base::Notifier changed(context.executor);
  bool complete = false;
  const auto subscription = context.objects.subscribe([&](const auto& commit) {
    if (std::ranges::none_of(commit->changes, is_of_run)) return;
    complete = false;
    changed.notify();
  });
  for (;;) {
    if (!complete && !leads()) {
      complete = true;  // unless a run comes meanwhile
      CO_ASSIGN_OR_RETURN(const bool copied, co_await copy_missing(context, inputs.get(), open));
      complete = complete && copied;
    }
    const auto woken = co_await base::with_timeout(context.clock, kAgain, "", changed.wait());
    if (!woken && woken.error().code != Code::kDeadlineExceeded) co_return woken;
  }
}

}  // namespace orchion::control::services
