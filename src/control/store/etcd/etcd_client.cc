#include "control/store/etcd/etcd_client.h"

#include <string_view>

#include "control/store/etcd/api/rpc.pb.h"

namespace orchion::control::store {

using base::Code;

namespace {

std::optional<wire::grpc::ClientTls> tls_to(const EtcdAccess& access, const std::string& endpoint) {
  if (!access.tls) return std::nullopt;
  auto host = endpoint.substr(0, endpoint.rfind(':'));
  if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
  return wire::grpc::ClientTls{access.tls->authority, std::move(host), access.tls->certificate, access.tls->key};
}

// etcd forgets tokens after a while, when it is started anew, and when users or roles are changed.
bool is_token_over(const base::Error& error) {
  return error.code == Code::kUnauthenticated ||
         error.message.find("revision of auth store is old") != std::string::npos;
}

}  // namespace

EtcdClient::EtcdClient(base::Executor executor, EtcdAccess access) : access_(std::move(access)) {
  for (const auto& endpoint : access_.endpoints) {
    members_.push_back(std::make_unique<wire::grpc::GrpcClient>(executor, endpoint, tls_to(access_, endpoint)));
  }
}

void EtcdClient::close() {
  members_.clear();
}

bool EtcdClient::is_undecided(const base::Error& error) {
  switch (error.code) {
    case Code::kUnavailable:
    case Code::kDeadlineExceeded:
    case Code::kCancelled:
    case Code::kUnknown:
    case Code::kInternal:
    case Code::kAborted: return true;
    default: return false;
  }
}

base::Co<std::shared_ptr<wire::grpc::ByteStream>> EtcdClient::open(std::string method) {
  const auto self = shared_from_this();
  const auto member = current_;
  if (!access_.user.empty() && token_.empty()) CO_RETURN_IF_ERROR(co_await log_in(member, kAttemptLimit));
  CO_ASSIGN_OR_RETURN(auto stream, begin(member, method, std::nullopt));
  co_return std::shared_ptr<wire::grpc::ByteStream>(std::move(stream));
}

base::Co<std::string> EtcdClient::attempt(std::string method, std::string request, base::Duration limit) {
  const auto member = current_;
  auto answer = co_await ask(member, method, request, limit);
  if (!answer && !access_.user.empty() && is_token_over(answer.error())) {
    token_.clear();
    answer = co_await ask(member, std::move(method), std::move(request), limit);
  }
  if (!answer && is_undecided(answer.error()) && current_ == member) leave();
  co_return answer;
}

base::Co<std::string> EtcdClient::ask(std::size_t member, std::string method, std::string request,
                                      base::Duration limit) {
  if (!access_.user.empty() && token_.empty()) CO_RETURN_IF_ERROR(co_await log_in(member, limit));
  CO_ASSIGN_OR_RETURN(const auto stream, begin(member, method, limit));
  // Where it is not accepted receive() says why.
  [[maybe_unused]] const auto sent = co_await stream->send(std::move(request));
  stream->finish();
  CO_ASSIGN_OR_RETURN(auto answer, co_await stream->receive());
  if (!answer) co_return base::fail(Code::kInternal, "etcd gave no answer to " + method);
  co_return *std::move(answer);
}

base::Co<> EtcdClient::log_in(std::size_t member, base::Duration limit) {
  etcdserverpb::AuthenticateRequest request;
  request.set_name(access_.user);
  request.set_password(access_.password);
  CO_ASSIGN_OR_RETURN(const auto stream, begin(member, "/etcdserverpb.Auth/Authenticate", limit));
  [[maybe_unused]] const auto sent = co_await stream->send(request.SerializeAsString());
  stream->finish();
  auto answer = co_await stream->receive();
  if (!answer && answer.error().code == Code::kInvalidArgument) {
    co_return base::fail(Code::kPermissionDenied, "etcd doesn't take the user " + access_.user +
                                                      " with this password (" + answer.error().message +
                                                      "): see `etcdctl user list`");
  }
  if (!answer) co_return std::unexpected(std::move(answer).error());
  etcdserverpb::AuthenticateResponse response;
  if (!*answer || !response.ParseFromString(**answer)) co_return base::fail(Code::kInternal, "etcd gave no token");
  token_ = response.token();
  co_return base::Result<>{};
}

base::Result<std::unique_ptr<wire::grpc::ByteStream>> EtcdClient::begin(std::size_t member, const std::string& method,
                                                                        std::optional<base::Duration> limit) {
  if (closed()) return base::fail(Code::kUnavailable, "the store was closed");
  std::multimap<std::string, std::string> metadata = {{"hasleader", "true"}};  // else: fail, don't wait
  if (!token_.empty()) metadata.emplace("token", token_);
  return members_[member]->call(method, std::move(metadata), limit);
}

}  // namespace orchion::control::store
