#pragma once

// An Outbound that keeps what it is given; for tests.

#include <deque>
#include <mutex>
#include <vector>

#include "control/notify/outbound.h"

namespace orchion::control::notify {

class FakeOutbound final : public Outbound {
 public:
  base::Result<> send(const OutboundMessage& message) override {
    const std::lock_guard lock(mutex_);
    sent_.push_back(message);
    if (answers_.empty()) return {};
    auto answer = answers_.front();
    answers_.pop_front();
    return answer;
  }
  void stop() override {}

  // What the next messages come to; then all succeed.
  void answer(base::Result<> result) {
    const std::lock_guard lock(mutex_);
    answers_.push_back(std::move(result));
  }
  std::vector<OutboundMessage> sent() const {
    const std::lock_guard lock(mutex_);
    return sent_;
  }

 private:
  mutable std::mutex mutex_;
  std::vector<OutboundMessage> sent_;
  std::deque<base::Result<>> answers_;
};

}  // namespace orchion::control::notify
