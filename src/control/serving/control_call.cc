#include "control/serving/control_call.h"

#include <atomic>

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/error.hpp>
#include <boost/system/system_error.hpp>

#include "base/cross.h"
#include "base/log.h"
#include "control/serving/admission.h"

namespace orchion::control::serving {

namespace asio = boost::asio;
using base::Code;
using core::MessagePtr;

namespace {

constexpr std::size_t kMessagesMax = 64;

std::optional<base::Error> error_of(const std::string& name, std::exception_ptr thrown, const base::Result<>& result) {
  if (!thrown) return result ? std::nullopt : std::optional(result.error());
  try {
    std::rethrow_exception(thrown);
  } catch (const boost::system::system_error& e) {
    // Asio throws this from every co_await of a cancelled coroutine.
    if (e.code() == asio::error::operation_aborted) return base::Error{Code::kCancelled, "the call was cancelled", {}};
    base::log::error("{} ended by {}", name, e.what());
  } catch (const std::exception& e) {
    base::log::error("{} ended by an exception: {}", name, e.what());
  }
  return base::Error{Code::kInternal, "the server failed; its log says how", {}};
}

}  // namespace

// Counts the handlers that run. On the control executor.
struct ControlCalls::Live {
  explicit Live(const base::Executor& control) : ended(control) {}
  std::size_t count = 0;
  base::Notifier ended;
};

struct ControlCall::State : std::enable_shared_from_this<State> {
  State(base::Executor here, base::Executor there)
      : control(there),
        requests(std::make_shared<base::CrossChannel<MessagePtr>>(here, there, kMessagesMax)),
        responses(std::make_shared<base::CrossChannel<Reply>>(there, here, kMessagesMax)) {}

  base::Executor control;
  std::shared_ptr<base::CrossChannel<MessagePtr>> requests;
  std::shared_ptr<base::CrossChannel<Reply>> responses;
  asio::cancellation_signal signal;  // on the control executor
  std::atomic<bool> ended = false;
};

namespace {

// The handler's end.
class ControlEnd final : public core::SharingStream {
 public:
  explicit ControlEnd(std::shared_ptr<ControlCall::State> state) : state_(std::move(state)) {}
  base::Co<std::optional<MessagePtr>> receive() override { return state_->requests->receive(); }
  base::Co<> send(MessagePtr response) override { return state_->responses->send(std::move(response)); }
  base::Co<> send_shared(std::vector<core::SharedMessagePtr> responses) override {
    for (auto& response : responses) CO_RETURN_IF_ERROR(co_await state_->responses->send(std::move(response)));
    co_return base::Result<>{};
  }
  // The call ends when the handler returns.
  void finish() override {}
  void finish(base::Error error) override { state_->responses->close(std::move(error)); }

 private:
  std::shared_ptr<ControlCall::State> state_;
};

}  // namespace

ControlCall::~ControlCall() {
  cancel(base::Error{Code::kCancelled, "the caller went away", {}});
}

void ControlCall::cancel(base::Error why) {
  if (state_->ended) return;
  state_->requests->close(why);
  state_->responses->close(std::move(why));
  base::post_to(state_->control, [state = state_] { state->signal.emit(asio::cancellation_type::all); });
}

base::Co<> ControlCall::send(MessagePtr request) {
  return state_->requests->send(std::move(request));
}
void ControlCall::finish() {
  state_->requests->close();
}
void ControlCall::finish(base::Error error) {
  state_->requests->close(std::move(error));
}
base::Co<std::optional<MessagePtr>> ControlCall::receive() {
  CO_ASSIGN_OR_RETURN(auto answer, co_await state_->responses->receive());
  if (!answer) co_return std::optional<MessagePtr>();
  if (const auto* shared = std::get_if<core::SharedMessagePtr>(&*answer)) co_return core::copy_of(**shared);
  co_return std::get<MessagePtr>(std::move(*answer));
}
base::Co<std::optional<std::deque<Reply>>> ControlCall::receive_all(base::Duration limit) {
  return state_->responses->receive_all(limit);
}

ControlCalls::ControlCalls(base::Executor control, Authenticator& authenticator, std::function<std::string()> bookmark)
    : control_(control),
      authenticator_(authenticator),
      bookmark_(std::move(bookmark)),
      live_(std::make_shared<Live>(control)) {}

ControlCalls::~ControlCalls() = default;

base::Co<std::string> ControlCalls::admitted(const core::Method& method, std::optional<std::string> authorization) {
  return base::run_on(control_, [this, descriptor = method.descriptor, authorization = std::move(authorization)] {
    return admit(authenticator_, *descriptor, authorization);
  });
}

// On the control executor.
void ControlCalls::run(std::shared_ptr<ControlCall::State> state, std::shared_ptr<Live> live,
                       const core::Method& method, core::CallContext context) {
  ++live->count;
  auto ended = [state, live, name = method.descriptor->full_name()](std::exception_ptr thrown,
                                                                    const base::Result<>& result) {
    state->ended = true;
    state->responses->close(error_of(name, thrown, result));
    state->requests->close();
    --live->count;
    live->ended.notify();
  };
  asio::co_spawn(state->control, method.call(std::move(context), std::make_shared<ControlEnd>(state)),
                 asio::bind_cancellation_slot(state->signal.slot(), std::move(ended)));
}

std::unique_ptr<ControlCall> ControlCalls::start(base::Executor here, const core::Method& method,
                                                 core::CallContext context) {
  auto state = std::make_shared<ControlCall::State>(here, control_);
  base::post_to(control_, [state, live = live_, &method, context = std::move(context)]() mutable {
    run(state, live, method, std::move(context));
  });
  return std::make_unique<ControlCall>(std::move(state));
}

std::unique_ptr<ControlCall> ControlCalls::start(base::Executor here, const core::Method& method,
                                                 core::CallContext context, std::optional<std::string> authorization,
                                                 MessagePtr request, std::string known) {
  auto state = std::make_shared<ControlCall::State>(here, control_);
  state->requests->put(std::move(request));
  state->requests->close();
  base::post_to(control_, [this, state, live = live_, &method, context = std::move(context),
                           authorization = std::move(authorization), known = std::move(known)]() mutable {
    auto identity = admit(authenticator_, *method.descriptor, authorization);
    if (!identity) {
      state->ended = true;
      state->responses->close(std::move(identity).error());
      return;
    }
    if (!known.empty() && known == bookmark_()) {
      state->ended = true;
      state->responses->close();
      return;
    }
    context.identity = std::move(*identity);
    run(state, live, method, std::move(context));
  });
  return std::make_unique<ControlCall>(std::move(state));
}

base::Co<> ControlCalls::drain() {
  const auto live = live_;
  while (live->count > 0) CO_RETURN_IF_ERROR(co_await live->ended.wait());
  co_return base::Result<>{};
}

}  // namespace orchion::control::serving
