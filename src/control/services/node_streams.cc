#include "control/services/node_streams.h"

#include <fmt/core.h>

#include "base/timeout.h"
#include "control/auth/permissions.h"

namespace orchion::control::services {

namespace {
constexpr auto kDialLimit = std::chrono::seconds(10);
}

struct NodeStream::Meeting {
  Meeting(base::Executor executor, std::string node) : node_uid(std::move(node)), changed(executor) {}
  const std::string node_uid;
  base::Notifier changed;
  std::optional<AgentStream> stream;  // set when the agent has dialled
  bool over = false;                  // the user's end is gone
};

NodeStream::~NodeStream() {
  meeting_->over = true;
  meeting_->changed.notify();
}

base::Co<std::optional<v1::StreamFromAgent>> NodeStream::receive() {
  CO_ASSIGN_OR_RETURN(auto message, co_await meeting_->stream->receive());
  // A client of gRPC has no status to end a call with: what went wrong on the node travels as a message.
  if (message && message->has_failure())
    co_return base::fail(static_cast<base::Code>(message->failure().code()), message->failure().message());
  co_return message;
}

base::Co<> NodeStream::send(v1::StreamToAgent message) {
  return meeting_->stream->send(std::move(message));
}

void NodeStreams::session_opened(const std::string& node_uid, std::uint64_t session, Sender sender) {
  sessions_[node_uid] = Session{session, std::move(sender)};
}

void NodeStreams::session_closed(const std::string& node_uid, std::uint64_t session) {
  const auto it = sessions_.find(node_uid);
  if (it != sessions_.end() && it->second.number == session) sessions_.erase(it);
}

namespace {

base::Co<> wait_for_dial(std::shared_ptr<NodeStream::Meeting> meeting) {
  while (!meeting->stream) CO_RETURN_IF_ERROR(co_await meeting->changed.wait());
  co_return base::Result<>{};
}

}  // namespace

base::Co<std::unique_ptr<NodeStream>> NodeStreams::open(std::string node_uid, v1::StreamRequest request) {
  const auto session = sessions_.find(node_uid);
  if (session == sessions_.end())
    co_return base::fail(base::Code::kUnavailable, "the node is not connected: see `orchion node ls`");
  const std::string id = base::new_uid(random_);
  auto meeting = std::make_shared<NodeStream::Meeting>(executor_, node_uid);
  // Whatever happens below, nobody dials an id that is no longer awaited.
  struct Awaited {
    std::map<std::string, std::shared_ptr<NodeStream::Meeting>>& map;
    std::string id;
    ~Awaited() { map.erase(id); }
  } awaited{awaited_, id};
  awaited_[id] = meeting;
  auto user = std::make_unique<NodeStream>(meeting);
  v1::ToAgent message;
  request.set_id(id);
  *message.mutable_stream() = std::move(request);
  if (!session->second.sender(std::move(message)))
    co_return base::fail(base::Code::kUnavailable, "the node is busy and takes no more requests: try again");
  CO_RETURN_IF_ERROR(co_await base::with_timeout(clock_, kDialLimit, "waiting for the node", wait_for_dial(meeting)));
  co_return user;
}

base::Co<> NodeStreams::serve(core::CallContext call, std::string id, AgentStream stream) {
  const auto it = awaited_.find(id);
  if (it == awaited_.end()) co_return base::fail(base::Code::kNotFound, "nobody waits for this stream any more");
  auto meeting = it->second;
  CO_RETURN_IF_ERROR(auth::may_speak_for(call.identity, meeting->node_uid));
  meeting->stream = stream;
  meeting->changed.notify();
  while (!meeting->over) CO_RETURN_IF_ERROR(co_await meeting->changed.wait());
  co_return base::Result<>{};
}

}  // namespace orchion::control::services
