#include "node/agent/grpc_link.h"

#include <algorithm>
#include <utility>

namespace orchion::node::agent {

namespace {

// Messages over a stream of bytes.
template <class In, class Out>
class MessageStream final : public base::Stream<In, Out> {
 public:
  MessageStream(std::shared_ptr<wire::grpc::GrpcClient> client, std::unique_ptr<wire::grpc::ByteStream> bytes)
      : client_(std::move(client)), bytes_(std::move(bytes)) {}

  base::Co<std::optional<In>> receive() override {
    CO_ASSIGN_OR_RETURN(auto bytes, co_await bytes_->receive());
    if (!bytes) co_return std::optional<In>();
    In message;
    if (!message.ParseFromString(*bytes))
      co_return base::fail(base::Code::kDataLoss,
                           "the control plane sent bytes that are no message of this protocol: bring both to the same "
                           "version");
    co_return std::optional<In>(std::move(message));
  }

  base::Co<> send(Out message) override { return bytes_->send(message.SerializeAsString()); }
  void finish() override { bytes_->finish(); }
  void finish(base::Error error) override { bytes_->finish(std::move(error)); }

 private:
  std::shared_ptr<wire::grpc::GrpcClient> client_;  // outlives the stream
  std::unique_ptr<wire::grpc::ByteStream> bytes_;
};

}  // namespace

GrpcLink::GrpcLink(base::Executor executor, Servers servers, std::multimap<std::string, std::string> metadata,
                   std::optional<wire::grpc::ClientTls> tls, std::function<void(const Servers&)> learned)
    : executor_(std::move(executor)),
      servers_(std::move(servers)),
      tls_(std::move(tls)),
      learned_(std::move(learned)),
      metadata_(std::move(metadata)) {
  connect();
}

void GrpcLink::connect() {
  client_ = std::make_shared<wire::grpc::GrpcClient>(executor_, servers_[current_], tls_);
}

void GrpcLink::use(wire::grpc::ClientTls tls) {
  tls_ = std::move(tls);
  connect();
}

void GrpcLink::learn_servers(Servers servers) {
  if (servers.empty() || servers == servers_) return;
  const auto here = std::ranges::find(servers, servers_[current_]);
  // A server that is reached under another name than it gives itself stays the current one.
  current_ = here == servers.end() ? servers.size() - 1 : static_cast<std::size_t>(here - servers.begin());
  servers_ = std::move(servers);
  if (learned_) learned_(servers_);
}

base::Co<std::unique_ptr<SessionStream>> GrpcLink::open_session() {
  if (!std::exchange(first_, false) && servers_.size() > 1) {
    current_ = (current_ + 1) % servers_.size();
    connect();
  }
  std::unique_ptr<SessionStream> stream = std::make_unique<MessageStream<v1::ToAgent, v1::FromAgent>>(
      client_, client_->call("/orchion.v1.DispatcherService/Session", metadata_));
  co_return stream;
}

base::Co<std::unique_ptr<DataStream>> GrpcLink::open_stream() {
  std::unique_ptr<DataStream> stream = std::make_unique<MessageStream<v1::StreamToAgent, v1::StreamFromAgent>>(
      client_, client_->call("/orchion.v1.DispatcherService/OpenStream", metadata_));
  co_return stream;
}

base::Co<> GrpcLink::refuse(std::shared_ptr<DataStream> stream, base::Error error) {
  v1::StreamFromAgent message;
  message.mutable_failure()->set_code(static_cast<int>(error.code));
  message.mutable_failure()->set_message(std::move(error.message));
  CO_RETURN_IF_ERROR(co_await stream->send(std::move(message)));
  stream->finish();
  co_return base::Result<>{};
}

}  // namespace orchion::node::agent
