#pragma once

#include <utility>

#include "base/notifier.h"

namespace orchion::node::agent {

// How many may do something at once. One executor.
class Slots {
 public:
  Slots(base::Executor executor, int limit) : limit_(limit), freed_(std::move(executor)) {}

  // Held until it is destroyed, which must happen before the Slots are.
  class Slot {
   public:
    explicit Slot(Slots& slots) : slots_(&slots) { ++slots.used_; }
    Slot(Slot&& other) noexcept : slots_(std::exchange(other.slots_, nullptr)) {}
    Slot& operator=(Slot&& other) noexcept {
      std::swap(slots_, other.slots_);
      return *this;
    }
    ~Slot() {
      if (slots_ == nullptr) return;
      --slots_->used_;
      slots_->freed_.notify();
    }

   private:
    Slots* slots_;
  };

  base::Co<Slot> acquire() {
    while (used_ >= limit_) CO_RETURN_IF_ERROR(co_await freed_.wait());
    co_return Slot(*this);
  }

 private:
  int limit_;
  int used_ = 0;
  base::Notifier freed_;
};

}  // namespace orchion::node::agent
