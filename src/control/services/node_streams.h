#pragma once

// Streams to agents on request: the control plane asks through the session, the agent dials, the two meet here.

#include <map>
#include <memory>
#include <string>

#include "base/channel.h"
#include "base/clock.h"
#include "base/random.h"
#include "core/methods.h"
#include "v1/dispatcher.pb.h"

namespace orchion::control::services {

using AgentStream = core::TypedStream<v1::StreamFromAgent, v1::StreamToAgent>;

// The user's end of a dialled stream. Destroying it ends the agent's call.
class NodeStream {
 public:
  struct Meeting;
  explicit NodeStream(std::shared_ptr<Meeting> meeting) : meeting_(std::move(meeting)) {}
  ~NodeStream();
  NodeStream(const NodeStream&) = delete;
  NodeStream& operator=(const NodeStream&) = delete;

  base::Co<std::optional<v1::StreamFromAgent>> receive();
  base::Co<> send(v1::StreamToAgent message);

 private:
  std::shared_ptr<Meeting> meeting_;
};

class NodeStreams {
 public:
  NodeStreams(base::Executor executor, base::Clock& clock, base::Random& random)
      : executor_(executor), clock_(clock), random_(random) {}

  // Sends messages to the node's newest session; false where its queue is full.
  using Sender = std::function<bool(v1::ToAgent)>;
  void session_opened(const std::string& node_uid, std::uint64_t session, Sender sender);
  void session_closed(const std::string& node_uid, std::uint64_t session);

  // kUnavailable where the node has no session, or doesn't dial within 10 s.
  base::Co<std::unique_ptr<NodeStream>> open(std::string node_uid, v1::StreamRequest request);

  // DispatcherService.OpenStream: returns when the user's end is gone. kPermissionDenied where another node was asked.
  // `id` is what the stream began with.
  base::Co<> serve(core::CallContext call, std::string id, AgentStream stream);

 private:
  struct Session {
    std::uint64_t number = 0;
    Sender sender;
  };
  base::Executor executor_;
  base::Clock& clock_;
  base::Random& random_;
  std::map<std::string, Session> sessions_;
  std::map<std::string, std::shared_ptr<NodeStream::Meeting>> awaited_;
};

}  // namespace orchion::control::services
