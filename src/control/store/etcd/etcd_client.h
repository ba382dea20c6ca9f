#pragma once

// Calls to a cluster of etcd: any member answers, the next one where one doesn't. Knows no keys.

#include <algorithm>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/backoff.h"
#include "base/clock.h"
#include "base/co.h"
#include "base/random.h"
#include "wire/grpc/grpc_client.h"

namespace orchion::control::store {

// How etcd is reached. `password` is a secret: never printed.
struct EtcdAccess {
  struct Tls {
    std::string authority;    // PEM: vouches for etcd's members
    std::string certificate;  // PEM; empty: none is shown
    std::string key;          // PEM
  };

  std::vector<std::string> endpoints;  // "HOST:PORT", at least one
  std::optional<Tls> tls;
  std::string user;  // empty: none
  std::string password;
};

// One executor. Held by shared_ptr: its coroutines keep it.
class EtcdClient : public std::enable_shared_from_this<EtcdClient> {
 public:
  EtcdClient(base::Executor executor, EtcdAccess access);

  // Ends all calls with kUnavailable and waits, shortly, for gRPC to let go of them; what begins afterwards fails too.
  void close();
  bool closed() const { return members_.empty(); }

  // One attempt with one member. After an error, is_undecided() tells whether the call may have had an effect.
  template <class Response, class Request>
  base::Co<Response> call_once(std::string method, Request request, base::Duration limit) {
    const auto self = shared_from_this();
    CO_ASSIGN_OR_RETURN(const auto bytes, co_await attempt(std::move(method), request.SerializeAsString(), limit));
    Response response;
    if (!response.ParseFromString(bytes)) co_return base::fail(base::Code::kInternal, "etcd's answer isn't readable");
    co_return response;
  }

  // For what may be done twice: asks one member after the other until `limit` is over.
  template <class Response, class Request>
  base::Co<Response> call(std::string method, Request request, base::Duration limit) {
    const auto self = shared_from_this();
    const auto deadline = clock_.now() + limit;
    base::Backoff backoff({.first = std::chrono::milliseconds(50), .longest = std::chrono::seconds(1)});
    for (;;) {
      auto answer = co_await call_once<Response>(method, request, std::min(kAttemptLimit, deadline - clock_.now()));
      if (answer || closed() || !is_undecided(answer.error())) co_return answer;
      const auto pause = backoff.next(random_);
      if (clock_.now() + pause >= deadline) co_return answer;
      CO_RETURN_IF_ERROR(co_await clock_.sleep(pause));
    }
  }

  // A stream to one member, without a limit of time. A member without a leader of its cluster ends it.
  base::Co<std::shared_ptr<wire::grpc::ByteStream>> open(std::string method);

  // What comes next goes to another member.
  void leave() { current_ = (current_ + 1) % access_.endpoints.size(); }

  // Nobody knows whether the call was carried out; otherwise it surely wasn't.
  static bool is_undecided(const base::Error& error);

  // Long enough for an election of etcd's own between two attempts, and for a slow disk.
  static constexpr base::Duration kAttemptLimit = std::chrono::seconds(3);

 private:
  base::Co<std::string> attempt(std::string method, std::string request, base::Duration limit);
  base::Co<std::string> ask(std::size_t member, std::string method, std::string request, base::Duration limit);
  base::Co<> log_in(std::size_t member, base::Duration limit);
  base::Result<std::unique_ptr<wire::grpc::ByteStream>> begin(std::size_t member, const std::string& method,
                                                              std::optional<base::Duration> limit);

  EtcdAccess access_;
  base::SystemClock clock_;
  base::Random random_ = base::Random::from_system();
  std::vector<std::unique_ptr<wire::grpc::GrpcClient>> members_;  // empty: closed
  std::size_t current_ = 0;
  std::string token_;  // of `user`; empty: not logged in
};

}  // namespace orchion::control::store
