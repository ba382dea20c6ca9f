#include "node/agent/session.h"

#include <fmt/core.h>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/this_coro.hpp>

#include "base/log.h"
#include "base/timeout.h"

namespace orchion::node::agent {

namespace {

constexpr base::BackoffOptions kReconnect{.first = std::chrono::milliseconds(100), .longest = std::chrono::seconds(10)};
constexpr auto kGreetLimit = std::chrono::seconds(10);
constexpr auto kLeaveLimit = std::chrono::seconds(2);

// A session that lasted this long was a good one: the next failure is a first one.
constexpr auto kGoodSession = std::chrono::seconds(10);

// Each heartbeat is answered. After so many without any word the connection is dead, whatever its socket says.
constexpr int kSilentBeatsMax = 3;

}  // namespace

Session::Session(ControlLink& link, base::Clock& clock, base::Random& random, Outbox& outbox, SessionHandler& handler,
                 MakeHello make_hello)
    : link_(link),
      clock_(clock),
      random_(random),
      outbox_(outbox),
      handler_(handler),
      make_hello_(std::move(make_hello)),
      backoff_(kReconnect) {}

base::Co<> Session::run() {
  while (true) {
    const auto begun = clock_.now();
    auto ended = co_await run_one();
    if (clock_.now() - begun >= kGoodSession) backoff_.reset();
    // A control plane that ends cancels its calls, and says so: only what was cancelled here is the end.
    const auto cancellation = co_await boost::asio::this_coro::cancellation_state;
    if (cancellation.cancelled() != boost::asio::cancellation_type::none) co_return ended;
    const auto delay = backoff_.next(random_);
    base::log::warn("the session with the control plane ended ({}), connecting again in {} ms",
                    ended ? "it was closed in order" : ended.error().message,
                    std::chrono::duration_cast<std::chrono::milliseconds>(delay).count());
    CO_RETURN_IF_ERROR(co_await clock_.sleep(delay));
  }
}

base::Co<> Session::run_one() {
  order_ = SessionOrder();
  beats_.clear();
  const auto greeted = clock_.now();
  CO_ASSIGN_OR_RETURN(auto stream, co_await base::with_timeout(clock_, kGreetLimit, "connecting to the control plane",
                                                               link_.open_session()));
  auto welcome = co_await base::with_timeout(clock_, kGreetLimit, "the control plane's welcome", greet(*stream));
  if (!welcome) {
    if (welcome.error().code == base::Code::kNotFound) handler_.removed();
    co_return std::unexpected(welcome.error());
  }
  const auto interval = std::chrono::seconds(std::max(welcome->heartbeat_seconds(), 1u));
  std::vector<std::string> servers(welcome->servers().begin(), welcome->servers().end());
  link_.learn_servers(std::move(servers));
  CO_RETURN_IF_ERROR(co_await handler_.welcomed(std::move(*welcome)));
  heard_ = clock_.now();
  handler_.answered(greeted, true);
  outbox_.begin_session();

  struct Connected {
    Session& session;
    explicit Connected(Session& owner) : session(owner) { session.connected_ = true; }
    ~Connected() {
      session.connected_ = false;
      session.outbox_.changed().notify();
    }
  } connected{*this};

  // The end of any is the end of all.
  using boost::asio::experimental::awaitable_operators::operator||;
  auto ended = co_await (receive_all(*stream) || send_all(*stream) || beat(interval));
  co_return std::visit([](auto& result) -> base::Result<> { return result; }, ended);
}

base::Co<v1::Welcome> Session::greet(SessionStream& stream) {
  CO_ASSIGN_OR_RETURN(auto hello, co_await make_hello_());
  told_ = hello.capabilities();
  v1::FromAgent message;
  *message.mutable_hello() = std::move(hello);
  CO_RETURN_IF_ERROR(co_await stream.send(std::move(message)));
  CO_ASSIGN_OR_RETURN(auto answer, co_await stream.receive());
  if (!answer) co_return base::fail(base::Code::kUnavailable, "the control plane closed the connection");
  CO_RETURN_IF_ERROR(order_.check(*answer));
  co_return std::move(*answer->mutable_welcome());
}

base::Co<> Session::receive_all(SessionStream& stream) {
  while (true) {
    CO_ASSIGN_OR_RETURN(auto message, co_await stream.receive());
    if (!message) co_return base::Result<>{};
    heard_ = clock_.now();
    CO_RETURN_IF_ERROR(order_.check(*message));
    dispatch(std::move(*message));
  }
}

void Session::dispatch(v1::ToAgent message) {
  switch (message.message_case()) {
    case v1::ToAgent::kAssignments: handler_.assigned(std::move(*message.mutable_assignments())); break;
    case v1::ToAgent::kStream: handler_.stream_wanted(std::move(*message.mutable_stream())); break;
    case v1::ToAgent::kForgetTask: handler_.may_forget(message.forget_task()); break;
    case v1::ToAgent::kHeartbeat:
      if (beats_.empty()) break;
      handler_.answered(beats_.front(), message.heartbeat());
      beats_.pop_front();
      break;
    default: break;  // what a newer server says to newer agents
  }
}

base::Co<> Session::send_all(SessionStream& stream) {
  while (true) {
    const auto seen = outbox_.changed().count();
    while (auto message = outbox_.next()) {
      const bool leaving = message->has_leaving();
      CO_RETURN_IF_ERROR(co_await stream.send(std::move(*message)));
      if (leaving) {
        left_ = true;
        outbox_.changed().notify();
      }
    }
    CO_RETURN_IF_ERROR(co_await outbox_.changed().wait(seen));
  }
}

base::Co<> Session::beat(base::Duration interval) {
  while (true) {
    CO_RETURN_IF_ERROR(co_await clock_.sleep(interval));
    if (clock_.now() - heard_ > kSilentBeatsMax * interval)
      co_return base::fail(base::Code::kUnavailable, "the control plane stopped answering");
    CO_ASSIGN_OR_RETURN(const auto hello, co_await make_hello_());
    v1::Heartbeat heartbeat;
    if (differs_enough(told_, hello.capabilities())) {
      told_ = hello.capabilities();
      *heartbeat.mutable_capabilities() = told_;
    }
    // One that was not even sent yet is answered once, for the older of the two.
    const auto now = clock_.now();
    if (outbox_.put_heartbeat(std::move(heartbeat))) beats_.push_back(now);
  }
}

base::Co<> Session::leave() {
  if (!connected_) co_return base::Result<>{};
  left_ = false;
  outbox_.put_leaving();
  auto sent = co_await base::with_timeout(clock_, kLeaveLimit, "saying goodbye to the control plane", wait_left());
  co_return sent;
}

base::Co<> Session::wait_left() {
  while (!left_ && connected_) {
    const auto seen = outbox_.changed().count();
    CO_RETURN_IF_ERROR(co_await outbox_.changed().wait(seen));
  }
  co_return base::Result<>{};
}

}  // namespace orchion::node::agent
