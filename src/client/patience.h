#pragma once

#include <optional>

#include "base/backoff.h"
#include "base/clock.h"
#include "base/co.h"

namespace orchion::client {

struct PatienceOptions {
  base::BackoffOptions backoff{std::chrono::milliseconds(100), std::chrono::seconds(2)};
  base::Duration limit = std::chrono::seconds(30);  // without an answer, after which the server counts as gone
};

// How long to go on asking a server that went away. One executor.
class Patience {
 public:
  // `clock` outlives it.
  explicit Patience(base::Clock& clock, PatienceOptions options = {});

  // The server answered.
  void answered();

  // Waits, with jitter, before the next attempt. The error comes back at once where trying again changes nothing, and
  // with what to do about it where the server has been away for too long.
  base::Co<> wait_after(base::Error error);

  // It is being waited for right now.
  bool is_waiting() const { return failing_since_.has_value(); }

 private:
  base::Clock& clock_;
  PatienceOptions options_;
  base::Backoff backoff_;
  base::Random random_ = base::Random::from_system();
  std::optional<base::Time> failing_since_;
};

}  // namespace orchion::client
