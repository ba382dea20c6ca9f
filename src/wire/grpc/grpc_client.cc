#include "wire/grpc/grpc_client.h"

#include <atomic>
#include <condition_variable>
#include <map>
#include <mutex>
#include <vector>

#include <grpcpp/create_channel.h>
#include <grpcpp/create_channel_posix.h>
#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/security/credentials.h>

#include "base/worker_pool.h"
#include "wire/grpc/conversion.h"
#include "wire/grpc/message_bridge.h"

namespace orchion::wire::grpc {

using base::Code;

namespace {

constexpr int kReceiveBytesMax = 64 << 20;

base::Error explain(base::Error error, const std::string& address) {
  if (error.code == Code::kUnavailable) {
    error.message = "no connection to " + address + " (" + error.message + "): see whether the server runs";
  }
  return error;
}

class ClientCall;

// The calls gRPC still holds. Its threads end them, so it is thread-safe.
class LiveCalls {
 public:
  void add(ClientCall* key, std::weak_ptr<ClientCall> call) {
    const std::lock_guard lock(mutex_);
    calls_.emplace(key, std::move(call));
  }
  void remove(ClientCall* key) {
    const std::lock_guard lock(mutex_);
    calls_.erase(key);
    changed_.notify_all();
  }
  std::vector<std::shared_ptr<ClientCall>> all() {
    const std::lock_guard lock(mutex_);
    std::vector<std::shared_ptr<ClientCall>> out;
    for (const auto& [key, call] : calls_) {
      if (auto shared = call.lock()) out.push_back(std::move(shared));
    }
    return out;
  }
  void wait_until_none() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return calls_.empty(); });
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::map<ClientCall*, std::weak_ptr<ClientCall>> calls_;
};

// One call. Owns itself until gRPC is done with it; a hold keeps gRPC from that while somebody may still begin a
// read or a write.
class ClientCall final : public ::grpc::ClientBidiReactor<::grpc::ByteBuffer, ::grpc::ByteBuffer>,
                         public Reactor,
                         public std::enable_shared_from_this<ClientCall> {
 public:
  ClientCall(base::Executor executor, std::string address, std::shared_ptr<LiveCalls> live)
      : executor_(executor),
        address_(std::move(address)),
        live_(std::move(live)),
        bridge_(std::make_shared<MessageBridge>(executor, *this)) {}

  void begin(::grpc::GenericStub& stub, const std::string& method,
             const std::multimap<std::string, std::string>& metadata, std::optional<base::Duration> limit) {
    for (const auto& [name, value] : metadata) context_.AddMetadata(name, value);
    if (limit) {
      context_.set_deadline(std::chrono::system_clock::now() +
                            std::chrono::duration_cast<std::chrono::system_clock::duration>(*limit));
    }
    self_ = shared_from_this();
    live_->add(this, self_);
    stub.PrepareBidiStreamingCall(&context_, method, ::grpc::StubOptions(), this);
    AddHold();
    StartCall();
    bridge_->begin_reading();
  }

  MessageBridge& bridge() { return *bridge_; }
  void cancel() { context_.TryCancel(); }

  // The user's end, or the client, is gone.
  void detach() {
    detached_ = true;
    context_.TryCancel();
    bridge_->cut();
    if (!bridge_->reading()) release();
  }

  void start_read() override { StartRead(&read_buffer_); }
  void start_write(const std::string& message, bool more) override {
    write_buffer_ = to_buffer(message);
    StartWrite(&write_buffer_, more ? ::grpc::WriteOptions().set_buffer_hint() : ::grpc::WriteOptions());
  }
  bool start_end(bool was_cut) override {
    if (!was_cut) StartWritesDone();
    return true;
  }

  void OnReadDone(bool ok) override {
    if (ok) {
      bridge_->on_read(to_string(read_buffer_));
    } else {
      bridge_->cut();
      bridge_->on_read(std::nullopt);
    }
    if (!ok || (detached_ && !bridge_->reading())) release();
  }
  void OnWriteDone(bool ok) override { bridge_->on_write(ok); }
  void OnDone(const ::grpc::Status& status) override {
    auto result = to_result(status);
    // With details a handler said it.
    if (!result && status.error_details().empty())
      result = std::unexpected(explain(std::move(result).error(), address_));
    bridge_->cut();
    bridge_->close(std::move(result));
    // The last reference goes on the executor, where the bridge's notifiers live, and may be gone at once.
    const auto live = live_;
    auto* const key = this;
    base::post_to(executor_, [self = std::exchange(self_, nullptr)] {});
    live->remove(key);
  }

 private:
  void release() {
    if (held_.exchange(false)) RemoveHold();
  }

  base::Executor executor_;
  const std::string address_;
  std::shared_ptr<LiveCalls> live_;
  std::shared_ptr<MessageBridge> bridge_;
  std::shared_ptr<ClientCall> self_;
  ::grpc::ClientContext context_;
  ::grpc::ByteBuffer read_buffer_;
  ::grpc::ByteBuffer write_buffer_;
  std::atomic<bool> held_ = true;
  std::atomic<bool> detached_ = false;
};

class ClientStream final : public ByteStream {
 public:
  explicit ClientStream(std::shared_ptr<ClientCall> call) : call_(std::move(call)) {}
  ~ClientStream() override { call_->detach(); }
  base::Co<std::optional<std::string>> receive() override { return call_->bridge().receive(); }
  base::Co<> send(std::string message) override { return call_->bridge().send(std::move(message)); }
  void finish() override { call_->bridge().end_sending(); }
  // A client has no status to give: it cancels.
  void finish(base::Error) override { call_->cancel(); }

 private:
  std::shared_ptr<ClientCall> call_;
};

std::shared_ptr<::grpc::ChannelCredentials> credentials(const std::optional<ClientTls>& tls) {
  if (!tls) return ::grpc::InsecureChannelCredentials();
  return ::grpc::SslCredentials({tls->authority, tls->key, tls->certificate});
}

// A peer on this machine whose end its socket tells at once; some such servers take pings for an attack.
bool is_local_socket(const std::string& address) {
  return address.starts_with("unix:");
}

void keep_alive(::grpc::ChannelArguments& arguments) {
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIME_MS, 10'000);
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, 10'000);
  arguments.SetInt(GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 0);
}

std::shared_ptr<::grpc::Channel> open_channel(const std::string& address, const std::optional<ClientTls>& tls) {
  quiet_log();
  ::grpc::ChannelArguments arguments;
  arguments.SetMaxReceiveMessageSize(kReceiveBytesMax);
  arguments.SetMaxSendMessageSize(-1);
  arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  arguments.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, 1'000);
  arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, 100);
  arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, 2'000);
  if (!is_local_socket(address)) keep_alive(arguments);
  if (tls) arguments.SetSslTargetNameOverride(tls->server_name);
  return ::grpc::CreateCustomChannel(address, credentials(tls), arguments);
}

// gRPC closes the socket.
std::shared_ptr<::grpc::Channel> open_channel_on(base::UniqueFd connected) {
  quiet_log();
  return ::grpc::CreateInsecureChannelFromFd("localhost", connected.release());
}

}  // namespace

struct GrpcClient::State {
  State(base::Executor e, std::string a, std::shared_ptr<::grpc::Channel> channel)
      : executor(std::move(e)), address(std::move(a)), stub(std::move(channel)) {}
  base::Executor executor;
  std::string address;
  ::grpc::GenericStub stub;
  std::shared_ptr<LiveCalls> live = std::make_shared<LiveCalls>();
};

GrpcClient::GrpcClient(base::Executor executor, const std::string& address, const std::optional<ClientTls>& tls)
    : state_(std::make_shared<State>(std::move(executor), address, open_channel(address, tls))) {}

GrpcClient::GrpcClient(base::Executor executor, base::UniqueFd connected)
    : state_(std::make_shared<State>(std::move(executor), "it", open_channel_on(std::move(connected)))) {}

GrpcClient::~GrpcClient() {
  for (const auto& call : state_->live->all()) call->detach();
  state_->live->wait_until_none();
}

std::unique_ptr<ByteStream> GrpcClient::call(const std::string& method,
                                             std::multimap<std::string, std::string> metadata,
                                             std::optional<base::Duration> limit) {
  auto call = std::make_shared<ClientCall>(state_->executor, state_->address, state_->live);
  call->begin(state_->stub, method, metadata, limit);
  return std::make_unique<ClientStream>(std::move(call));
}

}  // namespace orchion::wire::grpc
