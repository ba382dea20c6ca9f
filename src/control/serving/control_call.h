#pragma once

// Calls of handlers from another event loop than theirs.

#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <variant>

#include "base/clock.h"
#include "base/co.h"
#include "control/serving/authenticator.h"
#include "core/methods.h"
#include "core/shared_message.h"

namespace orchion::control::serving {

// What a handler says: to its caller alone, or to many.
using Reply = std::variant<core::MessagePtr, core::SharedMessagePtr>;

// One running call, seen from the caller's loop. Destroying it cancels the handler.
class ControlCall {
 public:
  struct State;
  explicit ControlCall(std::shared_ptr<State> state) : state_(std::move(state)) {}
  ~ControlCall();
  ControlCall(const ControlCall&) = delete;
  ControlCall& operator=(const ControlCall&) = delete;

  // Waits while the handler is slow to take; kUnavailable once it has ended.
  base::Co<> send(core::MessagePtr request);
  // No more requests.
  void finish();
  // The same, with an error that the handler's receive() reports.
  void finish(base::Error error);

  // Cancels the handler; receive() reports `why` after what is there.
  void cancel(base::Error why);

  // nullopt: the handler ended well. An error: it failed, or the caller wasn't let in.
  base::Co<std::optional<core::MessagePtr>> receive();
  // All that is there; empty where nothing came within `limit`.
  base::Co<std::optional<std::deque<Reply>>> receive_all(base::Duration limit);

 private:
  std::shared_ptr<State> state_;
};

// Starts calls on the control executor. Made anywhere; start() and admitted() are called on the loop that waits
// for the answers, drain() on the control executor.
class ControlCalls {
 public:
  // `bookmark` says where the store that the handlers read stands; on the control executor.
  ControlCalls(base::Executor control, Authenticator& authenticator, std::function<std::string()> bookmark);
  ~ControlCalls();

  // Asks whether the caller may call `method`; its identity. For calls whose requests take work to read.
  base::Co<std::string> admitted(const core::Method& method, std::optional<std::string> authorization);

  // A call of somebody admitted; `context.identity` says who. `here` is the caller's executor.
  std::unique_ptr<ControlCall> start(base::Executor here, const core::Method& method, core::CallContext context);

  // The same with the admission in the same crossing, and with its only request: for unary rpcs. Where the store
  // stands at `known`, which isn't empty, the handler isn't asked and receive() returns nullopt.
  std::unique_ptr<ControlCall> start(base::Executor here, const core::Method& method, core::CallContext context,
                                     std::optional<std::string> authorization, core::MessagePtr request,
                                     std::string known);

  // Returns when every handler has ended.
  base::Co<> drain();

 private:
  struct Live;
  static void run(std::shared_ptr<ControlCall::State> state, std::shared_ptr<Live> live, const core::Method& method,
                  core::CallContext context);

  base::Executor control_;
  Authenticator& authenticator_;
  std::function<std::string()> bookmark_;
  std::shared_ptr<Live> live_;
};

}  // namespace orchion::control::serving
