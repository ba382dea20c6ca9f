#include "wire/grpc/message_bridge.h"

#include "base/worker_pool.h"

namespace orchion::wire::grpc {

using base::Code;

namespace {

// How far either side may be ahead of the other.
constexpr std::size_t kMessagesMax = 64;
constexpr std::size_t kBytesMax = 1u << 20;

bool has_room(const std::deque<std::string>& queue, std::size_t bytes) {
  return queue.size() < kMessagesMax && bytes < kBytesMax;
}

}  // namespace

MessageBridge::MessageBridge(base::Executor executor, Reactor& reactor)
    : reactor_(reactor), readable_(executor), writable_(executor) {}

base::Co<std::optional<std::string>> MessageBridge::receive() {
  const auto self = shared_from_this();
  while (true) {
    {
      const std::lock_guard lock(mutex_);
      if (!incoming_.empty()) {
        std::string message = std::move(incoming_.front());
        incoming_.pop_front();
        incoming_bytes_ -= message.size();
        read_if_room();
        co_return std::optional<std::string>(std::move(message));
      }
      if (end_) {
        if (!*end_) co_return std::unexpected(end_->error());
        co_return std::optional<std::string>();
      }
      receiver_waits_ = true;
    }
    CO_RETURN_IF_ERROR(co_await readable_.wait());
  }
}

base::Co<> MessageBridge::send(std::string message) {
  const auto self = shared_from_this();
  while (true) {
    {
      const std::lock_guard lock(mutex_);
      if (cut_ || ending_) co_return base::fail(Code::kUnavailable, "the call is over");
      if (has_room(outgoing_, outgoing_bytes_)) {
        outgoing_bytes_ += message.size();
        outgoing_.push_back(std::move(message));
        if (!writing_) write_next();
        co_return base::Result<>{};
      }
      sender_waits_ = true;
    }
    CO_RETURN_IF_ERROR(co_await writable_.wait());
  }
}

void MessageBridge::end_sending() {
  const std::lock_guard lock(mutex_);
  if (std::exchange(ending_, true)) return;
  if (!writing_) end_now();
}

void MessageBridge::end_now() {
  if (!reactor_.start_end(cut_)) reads_over_ = true;
}

void MessageBridge::begin_reading() {
  const std::lock_guard lock(mutex_);
  read_if_room();
}

void MessageBridge::on_read(std::optional<std::string> message) {
  const std::lock_guard lock(mutex_);
  reading_ = false;
  if (!message) {
    reads_over_ = true;
    return;
  }
  incoming_bytes_ += message->size();
  incoming_.push_back(std::move(*message));
  read_if_room();
  wake_receiver();
}

void MessageBridge::on_write(bool ok) {
  const std::lock_guard lock(mutex_);
  writing_ = false;
  outgoing_bytes_ -= outgoing_.front().size();
  outgoing_.pop_front();
  if (!ok) drop_outgoing();
  wake_sender();
  if (!outgoing_.empty()) {
    write_next();
  } else if (ending_) {
    end_now();
  }
}

void MessageBridge::close(base::Result<> end) {
  const std::lock_guard lock(mutex_);
  if (!end_) end_ = std::move(end);
  wake_receiver();
}

void MessageBridge::cut() {
  const std::lock_guard lock(mutex_);
  cut_ = true;
  drop_outgoing();
  wake_sender();
}

// All but what is being written.
void MessageBridge::drop_outgoing() {
  outgoing_.resize(writing_ ? 1 : 0);
  outgoing_bytes_ = writing_ ? outgoing_.front().size() : 0;
}

bool MessageBridge::reading() const {
  const std::lock_guard lock(mutex_);
  return reading_;
}

void MessageBridge::read_if_room() {
  if (reading_ || reads_over_ || cut_ || !has_room(incoming_, incoming_bytes_)) return;
  reading_ = true;
  reactor_.start_read();
}

void MessageBridge::write_next() {
  writing_ = true;
  reactor_.start_write(outgoing_.front(), outgoing_.size() > 1);
}

void MessageBridge::wake_receiver() {
  if (!std::exchange(receiver_waits_, false)) return;
  base::post_to(readable_.executor(), [self = shared_from_this()] { self->readable_.notify(); });
}

void MessageBridge::wake_sender() {
  if (!std::exchange(sender_waits_, false)) return;
  base::post_to(writable_.executor(), [self = shared_from_this()] { self->writable_.notify(); });
}

}  // namespace orchion::wire::grpc
