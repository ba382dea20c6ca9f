#include "wire/grpc/grpc_server.h"

#include <exception>

#include <grpc/grpc_security_constants.h>
#include <grpcpp/generic/async_generic_service.h>
#include <grpcpp/resource_quota.h>
#include <grpcpp/security/server_credentials.h>
#include <grpcpp/server.h>
#include <grpcpp/server_builder.h>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/error.hpp>
#include <boost/system/system_error.hpp>

#include "base/log.h"
#include "base/worker_pool.h"
#include "wire/grpc/conversion.h"
#include "wire/grpc/message_bridge.h"

namespace orchion::wire::grpc {

namespace asio = boost::asio;
using base::Code;

namespace {

Call describe(const ::grpc::GenericCallbackServerContext& context) {
  Call call{context.method(), {}, context.peer(), {}};
  for (const auto& [name, value] : context.client_metadata()) {
    call.metadata.emplace(std::string(name.data(), name.size()), std::string(value.data(), value.size()));
  }
  const auto peer = context.auth_context();
  if (!peer) return call;
  const auto certificates = peer->FindPropertyValues(GRPC_X509_PEM_CERT_PROPERTY_NAME);
  if (!certificates.empty()) call.peer_certificate.assign(certificates.front().data(), certificates.front().size());
  return call;
}

base::Result<> how_it_ended(const std::string& method, std::exception_ptr thrown, base::Result<> result) {
  if (!thrown) return result;
  try {
    std::rethrow_exception(thrown);
  } catch (const boost::system::system_error& e) {
    // Asio throws this from every co_await of a cancelled coroutine.
    if (e.code() == asio::error::operation_aborted) return base::fail(Code::kCancelled, "the call was cancelled");
    base::log::error("{} ended by {}", method, e.what());
  } catch (const std::exception& e) {
    base::log::error("{} ended by an exception: {}", method, e.what());
  }
  return base::fail(Code::kInternal, "the server failed; its log says how");
}

// One call. gRPC's reactions come on its threads; the handler runs on the executor. Owns itself until gRPC is done
// with it.
class ServerCall final : public ::grpc::ServerGenericBidiReactor,
                         public Reactor,
                         public std::enable_shared_from_this<ServerCall> {
 public:
  ServerCall(base::Executor executor, std::size_t message_bytes_max)
      : executor_(executor),
        message_bytes_max_(message_bytes_max),
        bridge_(std::make_shared<MessageBridge>(executor, *this)) {}

  void begin(Call call, const CallHandler& handler);
  MessageBridge& bridge() { return *bridge_; }
  void set_status(base::Error error) { status_override_ = std::move(error); }

  void start_read() override { StartRead(&read_buffer_); }
  void start_write(const std::string& message, bool more) override {
    write_buffer_ = to_buffer(message);
    StartWrite(&write_buffer_, more ? ::grpc::WriteOptions().set_buffer_hint() : ::grpc::WriteOptions());
  }
  bool start_end(bool) override {
    Finish(to_status(status_));
    return false;
  }

  void OnReadDone(bool ok) override {
    if (ok && read_buffer_.Length() > message_bytes_max_) {
      bridge_->close(
          base::fail(Code::kResourceExhausted,
                     "the message is larger than " + std::to_string(message_bytes_max_) + " bytes: send less at once"));
      ok = false;
    }
    if (!ok) {
      bridge_->on_read(std::nullopt);
      bridge_->close({});
      return;
    }
    bridge_->on_read(to_string(read_buffer_));
  }
  void OnWriteDone(bool ok) override { bridge_->on_write(ok); }
  void OnCancel() override {
    bridge_->close(base::fail(Code::kCancelled, "the client cancelled the call"));
    bridge_->cut();
    base::post_to(executor_, [self = shared_from_this()] { self->signal_.emit(asio::cancellation_type::all); });
  }
  void OnDone() override {
    // The last reference goes on the executor, where the signal lives.
    base::post_to(executor_, [self = std::exchange(self_, nullptr)] {});
  }

 private:
  void run(Call call, const CallHandler& handler);

  base::Executor executor_;
  const std::size_t message_bytes_max_;
  std::shared_ptr<MessageBridge> bridge_;
  std::shared_ptr<ServerCall> self_;
  ::grpc::ByteBuffer read_buffer_;
  ::grpc::ByteBuffer write_buffer_;
  asio::cancellation_signal signal_;
  base::Result<> status_;
  std::optional<base::Error> status_override_;
};

class ServerStream final : public ByteStream {
 public:
  explicit ServerStream(std::shared_ptr<ServerCall> call) : call_(std::move(call)) {}
  base::Co<std::optional<std::string>> receive() override { return call_->bridge().receive(); }
  base::Co<> send(std::string message) override { return call_->bridge().send(std::move(message)); }
  // A call ends when its handler returns.
  void finish() override {}
  void finish(base::Error error) override { call_->set_status(std::move(error)); }

 private:
  std::shared_ptr<ServerCall> call_;
};

void ServerCall::begin(Call call, const CallHandler& handler) {
  self_ = shared_from_this();
  base::post_to(executor_,
                [self = self_, call = std::move(call), handler]() mutable { self->run(std::move(call), handler); });
  bridge_->begin_reading();
}

void ServerCall::run(Call call, const CallHandler& handler) {
  auto method = call.method;
  auto coroutine = handler(std::move(call), std::make_shared<ServerStream>(shared_from_this()));
  auto ended = [self = shared_from_this(), method = std::move(method)](std::exception_ptr thrown,
                                                                       base::Result<> result) {
    self->status_ = how_it_ended(method, thrown, std::move(result));
    if (self->status_ && self->status_override_) self->status_ = std::unexpected(*self->status_override_);
    self->bridge_->end_sending();
  };
  asio::co_spawn(executor_, std::move(coroutine), asio::bind_cancellation_slot(signal_.slot(), std::move(ended)));
}

std::shared_ptr<::grpc::ServerCredentials> credentials(const std::optional<ServerTls>& tls) {
  if (!tls) return ::grpc::InsecureServerCredentials();
  ::grpc::SslServerCredentialsOptions options(GRPC_SSL_REQUEST_CLIENT_CERTIFICATE_AND_VERIFY);
  options.pem_root_certs = tls->client_authority;
  options.pem_key_cert_pairs.push_back({tls->key, tls->chain});
  return ::grpc::SslServerCredentials(options);
}

class Service final : public ::grpc::CallbackGenericService {
 public:
  Service(base::Executor executor, CallHandler handler, GrpcServerOptions options)
      : executor_(std::move(executor)), handler_(std::move(handler)), options_(std::move(options)) {}

  ::grpc::ServerGenericBidiReactor* CreateReactor(::grpc::GenericCallbackServerContext* context) override {
    auto call = std::make_shared<ServerCall>(executor_, options_.message_bytes_max);
    call->begin(describe(*context), handler_);
    return call.get();
  }

 private:
  base::Executor executor_;
  CallHandler handler_;
  GrpcServerOptions options_;
};

}  // namespace

struct GrpcServer::State {
  // gRPC binds a generic service to one server for life.
  struct Listener {
    std::unique_ptr<Service> service;
    std::unique_ptr<::grpc::Server> server;
  };
  base::Executor executor;
  CallHandler handler;
  GrpcServerOptions options;
  std::vector<Listener> listeners;
};

GrpcServer::GrpcServer(base::Executor executor, CallHandler handler, GrpcServerOptions options)
    : state_(std::make_shared<State>(State{std::move(executor), std::move(handler), std::move(options), {}})) {}

GrpcServer::~GrpcServer() {
  shutdown(std::chrono::milliseconds(0));
}

base::Result<std::uint16_t> GrpcServer::listen(const std::string& address) {
  quiet_log();
  ::grpc::ServerBuilder builder;
  int port = 0;
  builder.AddListeningPort(address, credentials(state_->options.tls), &port);
  auto service = std::make_unique<Service>(state_->executor, state_->handler, state_->options);
  builder.RegisterCallbackGenericService(service.get());
  // Somewhat above our own limit, which answers with a sentence; gRPC's own guards the memory.
  builder.SetMaxReceiveMessageSize(static_cast<int>(state_->options.message_bytes_max * 2));
  builder.SetMaxSendMessageSize(-1);
  // Without this a second server would share the port in silence.
  builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
  builder.AddChannelArgument(GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS, 5'000);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIME_MS, 30'000);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, 20'000);
  builder.SetResourceQuota(::grpc::ResourceQuota("server").Resize(128u << 20));
  auto server = builder.BuildAndStart();
  if (!server || port == 0) {
    return base::fail(Code::kFailedPrecondition,
                      "cannot listen on " + address + ": give an address of this machine and a port that is free");
  }
  state_->listeners.push_back({std::move(service), std::move(server)});
  return static_cast<std::uint16_t>(port);
}

void GrpcServer::shutdown(std::chrono::milliseconds grace) {
  const auto deadline = std::chrono::system_clock::now() + grace;
  for (auto& listener : state_->listeners) listener.server->Shutdown(deadline);
  for (auto& listener : state_->listeners) listener.server->Wait();
  state_->listeners.clear();
}

}  // namespace orchion::wire::grpc
