#pragma once

// Messages both ways, whatever carries them: gRPC, a WebSocket, or a pipe in the same process.

#include <memory>
#include <optional>
#include <utility>

#include "base/channel.h"

namespace orchion::base {

// One end of a two-way stream. One receiver and one sender at a time. Destroying an end closes it.
template <class In, class Out>
class Stream {
 public:
  virtual ~Stream() = default;

  // nullopt: the peer finished in order. An error: the stream broke, or the peer closed it with that error.
  virtual Co<std::optional<In>> receive() = 0;

  // Returns when the message was accepted, not when it has arrived. Waits while the peer is slow.
  virtual Co<> send(Out message) = 0;

  // No more will be sent from this end; the peer's receive() sees nullopt, or the error.
  virtual void finish() = 0;
  virtual void finish(Error error) = 0;
};

namespace internal {

template <class In, class Out>
class PipeEnd final : public Stream<In, Out> {
 public:
  PipeEnd(std::shared_ptr<Channel<In>> in, std::shared_ptr<Channel<Out>> out)
      : in_(std::move(in)), out_(std::move(out)) {}
  ~PipeEnd() override {
    in_->close(Error{Code::kUnavailable, "the other side closed the stream", {}});
    out_->close();
  }

  Co<std::optional<In>> receive() override { return in_->receive(); }
  Co<> send(Out message) override { return out_->send(std::move(message)); }
  void finish() override { out_->close(); }
  void finish(Error error) override { out_->close(std::move(error)); }

 private:
  std::shared_ptr<Channel<In>> in_;
  std::shared_ptr<Channel<Out>> out_;
};

}  // namespace internal

// Two connected ends in one process, on one executor; each direction holds at most `capacity` messages.
template <class A, class B>
std::pair<std::unique_ptr<Stream<A, B>>, std::unique_ptr<Stream<B, A>>> make_pipe(Executor executor,
                                                                                  std::size_t capacity) {
  auto to_first = std::make_shared<Channel<A>>(executor, capacity);
  auto to_second = std::make_shared<Channel<B>>(executor, capacity);
  return {std::make_unique<internal::PipeEnd<A, B>>(to_first, to_second),
          std::make_unique<internal::PipeEnd<B, A>>(to_second, to_first)};
}

}  // namespace orchion::base
