#pragma once

// The way to the control plane, whatever carries it: gRPC between machines, a pipe within one process.

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/stream.h"
#include "v1/dispatcher.pb.h"

namespace orchion::node::agent {

using SessionStream = base::Stream<v1::ToAgent, v1::FromAgent>;
using DataStream = base::Stream<v1::StreamToAgent, v1::StreamFromAgent>;

// One executor. Streams may outlive the link.
class ControlLink {
 public:
  virtual ~ControlLink() = default;

  // kUnavailable, here or by the stream's first receive(): the control plane doesn't answer.
  virtual base::Co<std::unique_ptr<SessionStream>> open_session() = 0;
  virtual base::Co<std::unique_ptr<DataStream>> open_stream() = 0;

  // Where the control plane's servers are reached, "HOST:PORT": the next session may go to any.
  virtual void learn_servers(std::vector<std::string>) {}

  // Ends a stream of this link with an error that the other side gets to read.
  virtual base::Co<> refuse(std::shared_ptr<DataStream> stream, base::Error error) {
    stream->finish(std::move(error));
    co_return base::Result<>{};
  }
};

// A link made from two functions: the control plane of the same process, or a test's.
class FunctionLink final : public ControlLink {
 public:
  using OpenSession = std::function<base::Co<std::unique_ptr<SessionStream>>()>;
  using OpenStream = std::function<base::Co<std::unique_ptr<DataStream>>()>;

  FunctionLink(OpenSession session, OpenStream stream) : session_(std::move(session)), stream_(std::move(stream)) {}

  base::Co<std::unique_ptr<SessionStream>> open_session() override { return session_(); }
  base::Co<std::unique_ptr<DataStream>> open_stream() override { return stream_(); }

 private:
  OpenSession session_;
  OpenStream stream_;
};

}  // namespace orchion::node::agent
