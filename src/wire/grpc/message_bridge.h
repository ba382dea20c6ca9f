#pragma once

// Messages between gRPC's threads and an Asio executor. Private to this folder.

#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "base/notifier.h"
#include "wire/grpc/grpc_server.h"

namespace orchion::wire::grpc {

// What a reactor does when the bridge asks. Called with the bridge's lock held, from any thread; gRPC runs the
// reactions that follow on its own threads, never inside these calls.
class Reactor {
 public:
  virtual ~Reactor() = default;
  virtual void start_read() = 0;
  // `more` follow at once: gRPC may wait with sending.
  virtual void start_write(const std::string& message, bool more) = 0;
  // All messages were written, or dropped by cut(), and there will be none: the call's end (server) or the end of
  // the requests (client). True: reading goes on.
  virtual bool start_end(bool was_cut) = 0;
};

// Two bounded queues. A crossing wakes the other side only when it waits, so that messages that come quickly
// share one. Both sides are thread-safe; receive() and send() run on the executor.
class MessageBridge : public std::enable_shared_from_this<MessageBridge> {
 public:
  MessageBridge(base::Executor executor, Reactor& reactor);

  // --- the executor's side ---
  base::Co<std::optional<std::string>> receive();
  base::Co<> send(std::string message);
  // Nothing more will be sent; start_end() is called when the queue is empty.
  void end_sending();

  // --- the reactor's side ---
  void begin_reading();
  // nullopt: no more messages; the end that receive() reports comes by close().
  void on_read(std::optional<std::string> message);
  void on_write(bool ok);
  // What receive() reports after the queued messages: the end, or an error.
  void close(base::Result<> end);
  // Nothing is begun any more, neither read nor write; what is queued is dropped.
  void cut();

  // A read is under way.
  bool reading() const;

 private:
  void read_if_room();
  void write_next();
  void drop_outgoing();
  void end_now();
  void wake_receiver();
  void wake_sender();

  mutable std::mutex mutex_;
  Reactor& reactor_;
  base::Notifier readable_;
  base::Notifier writable_;
  std::deque<std::string> incoming_;
  std::size_t incoming_bytes_ = 0;
  std::deque<std::string> outgoing_;  // the first one is being written where writing_
  std::size_t outgoing_bytes_ = 0;
  std::optional<base::Result<>> end_;
  bool reading_ = false;
  bool writing_ = false;
  bool reads_over_ = false;
  bool receiver_waits_ = false;
  bool sender_waits_ = false;
  bool ending_ = false;
  bool cut_ = false;
};

}  // namespace orchion::wire::grpc
