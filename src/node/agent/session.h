#pragma once

#include <functional>
#include <string>

#include <deque>

#include "base/backoff.h"
#include "node/agent/control_link.h"
#include "node/agent/outbox.h"
#include "node/agent/session_order.h"

namespace orchion::node::agent {

// Who acts on what the control plane says.
class SessionHandler {
 public:
  virtual ~SessionHandler() = default;

  // The control plane answers, and this node is none of its cluster's any more; said at each attempt.
  virtual void removed() = 0;
  // An error ends the session before any assignment is seen.
  virtual base::Co<> welcomed(v1::Welcome welcome) = 0;
  // The control plane answered what was sent at `asked`; `is_told`: and a key for the mesh that was sent before it is
  // stored and on its way to all.
  virtual void answered(base::Time asked, bool is_told) = 0;
  virtual void assigned(v1::Assignments assignments) = 0;
  virtual void stream_wanted(v1::StreamRequest request) = 0;
  virtual void may_forget(std::string task_uid) = 0;
};

// Keeps a session with the control plane: opens one after the other, forever. One executor.
class Session {
 public:
  using MakeHello = std::function<base::Co<v1::Hello>()>;

  Session(ControlLink& link, base::Clock& clock, base::Random& random, Outbox& outbox, SessionHandler& handler,
          MakeHello make_hello);

  // Until cancelled.
  base::Co<> run();

  // Tells the control plane that this agent goes away in order; returns when that was sent, or at once where there
  // is no session.
  base::Co<> leave();

  bool connected() const { return connected_; }

 private:
  base::Co<> run_one();
  base::Co<v1::Welcome> greet(SessionStream& stream);
  base::Co<> receive_all(SessionStream& stream);
  base::Co<> send_all(SessionStream& stream);
  base::Co<> beat(base::Duration interval);
  void dispatch(v1::ToAgent message);
  base::Co<> wait_left();

  ControlLink& link_;
  base::Clock& clock_;
  base::Random& random_;
  Outbox& outbox_;
  SessionHandler& handler_;
  MakeHello make_hello_;
  base::Backoff backoff_;
  v1::NodeCapabilities told_;     // the capabilities the control plane knows
  base::Time heard_;              // when anything came last
  std::deque<base::Time> beats_;  // heartbeats that wait for their answers
  SessionOrder order_;
  bool connected_ = false;
  bool left_ = false;
};

}  // namespace orchion::node::agent
