#include "daemon/join_client.h"

#include <fmt/core.h>

#include "base/file.h"
#include "base/log.h"
#include "core/join_token.h"
#include "core/timestamps.h"
#include "daemon/folders.h"
#include "daemon/loop_thread.h"
#include "daemon/node_door.h"
#include "daemon/node_parts.h"
#include "node/agent/checkpoint_folder.h"
#include "v1/joining.pb.h"
#include "wire/tls/certificates.h"
#include "wire/tls/fetch_authority.h"

namespace orchion::daemon {

using base::Code;

namespace {

constexpr auto kCallLimit = std::chrono::seconds(15);

// By the wall, which goes on while the machine sleeps: no timer does.
constexpr auto kRenewalLook = std::chrono::minutes(1);
constexpr auto kRenewalRetry = std::chrono::seconds(10);

template <class Response, class Request>
base::Co<Response> call_once(base::Executor executor, std::string server, wire::grpc::ClientTls tls, std::string method,
                             Request request) {
  wire::grpc::GrpcClient client(std::move(executor), server, tls);
  const auto stream = client.call(method, {}, kCallLimit);
  CO_RETURN_IF_ERROR(co_await stream->send(request.SerializeAsString()));
  stream->finish();
  CO_ASSIGN_OR_RETURN(const auto bytes, co_await stream->receive());
  Response response;
  if (!bytes || !response.ParseFromString(*bytes))
    co_return base::fail(Code::kDataLoss, fmt::format("{} gave no answer that this version understands", server));
  co_return response;
}

// A node that its cluster has removed may join it again; any other is a node already.
base::Result<> check_stranger(const std::filesystem::path& folder, const std::string& fingerprint, LoopThread& loop) {
  auto known = load_membership(folder);
  if (!known && known.error().code == Code::kNotFound) return {};
  if (known) {
    ASSIGN_OR_RETURN(const auto authority, wire::tls::read_certificate(known->authority));
    if (authority.fingerprint == fingerprint) {
      const auto renewed = loop.run(renew_certificate(loop.executor(), std::move(*known)));
      if (!renewed && renewed.error().code == Code::kUnauthenticated) return {};
    }
  }
  return base::fail(Code::kAlreadyExists,
                    fmt::format("this machine is a node already: `orchion agent --background` starts its agent; to let "
                                "it join another cluster, remove {} first",
                                folder.string()));
}

base::Co<> save_identity(std::filesystem::path folder, v1::JoinResponse response) {
  v1::AgentIdentity identity;
  identity.set_node_uid(response.node_uid());
  identity.set_node_name(response.node_name());
  identity.set_cluster_id(response.cluster_id());
  node::agent::CheckpointFolder checkpoints(folder, nullptr);
  co_return co_await checkpoints.save_identity(std::move(identity));
}

base::Result<v1::JoinRequest> make_join_request(const JoinOptions& options, const std::string& secret,
                                                const std::string& key, base::WallTime now) {
  v1::JoinRequest request;
  request.set_secret(secret);
  ASSIGN_OR_RETURN(*request.mutable_request(), wire::tls::make_request(key, "node"));
  request.set_hostname(options.hostname.empty() ? host_name() : options.hostname);
  request.mutable_labels()->insert(options.labels.begin(), options.labels.end());
  *request.mutable_time() = core::to_timestamp(now);
  return request;
}

}  // namespace

base::Result<JoinedNode> join_cluster(const JoinOptions& options) {
  ASSIGN_OR_RETURN(const auto server, parse_node_address(options.server, kNodePort));
  ASSIGN_OR_RETURN(const auto token, core::parse_join_token(options.token));
  RETURN_IF_ERROR(check_machine());
  RETURN_IF_ERROR(prepare_data_folder(options.data));
  const Folders folders{options.data};
  ASSIGN_OR_RETURN(const auto lock, lock_data_folder(folders, "a server or an agent"));
  RETURN_IF_ERROR(base::make_folders(folders.agent()));
  LoopThread loop;
  RETURN_IF_ERROR(check_stranger(folders.agent(), token.authority_fingerprint, loop));

  const base::SystemClock clock;
  Membership membership;
  membership.server = to_string(server);
  membership.address = options.advertise;
  membership.hostname = options.hostname;
  membership.mesh_port = options.mesh_port;
  membership.labels = options.labels;
  ASSIGN_OR_RETURN(membership.authority,
                   wire::tls::fetch_authority({server.host, server.port, token.authority_fingerprint}, clock.wall()));
  ASSIGN_OR_RETURN(membership.key, node_key(folders.agent()));
  ASSIGN_OR_RETURN(const auto tls, as_stranger(membership.authority));
  ASSIGN_OR_RETURN(auto request, make_join_request(options, token.secret, membership.key, clock.wall()));
  auto answer = loop.run(call_once<v1::JoinResponse>(loop.executor(), membership.server, tls,
                                                     "/orchion.v1.JoinService/Join", std::move(request)));
  if (!answer) return std::unexpected(answer.error().with_context("the server at " + membership.server));
  membership.certificate = answer->certificate();
  RETURN_IF_ERROR(loop.run(save_identity(folders.agent(), *answer)));
  RETURN_IF_ERROR(save_membership(folders.agent(), membership));
  return JoinedNode{answer->node_name(), answer->cluster_id()};
}

base::Co<std::string> renew_certificate(base::Executor executor, Membership membership) {
  v1::RenewRequest request;
  CO_ASSIGN_OR_RETURN(*request.mutable_request(), wire::tls::make_request(membership.key, "node"));
  CO_ASSIGN_OR_RETURN(const auto tls, as_stranger(membership.authority));
  base::Result<v1::RenewResponse> response;
  for (const auto& server : servers_of(membership)) {
    response = co_await call_once<v1::RenewResponse>(executor, server, tls, "/orchion.v1.JoinService/Renew", request);
    if (response || response.error().code != Code::kUnavailable) break;
  }
  if (!response) co_return std::unexpected(response.error());
  co_return response->certificate();
}

base::Co<> keep_certificate(base::Executor executor, base::Clock& clock, std::filesystem::path folder,
                            std::function<void(const Membership&)> renewed) {
  while (true) {
    // Each time: the servers may be others.
    CO_ASSIGN_OR_RETURN(auto membership, load_membership(folder));
    CO_ASSIGN_OR_RETURN(const auto due, renewal_time(membership.certificate));
    base::Duration pause = kRenewalLook;
    if (clock.wall() >= due) {
      auto certificate = co_await renew_certificate(executor, membership);
      if (certificate) {
        CO_RETURN_IF_ERROR(save_certificate(folder, *certificate));
        membership.certificate = std::move(*certificate);
        renewed(membership);
        base::log::info("the certificate of this node was renewed");
      } else {
        pause = kRenewalRetry;
        base::log::warn("the certificate of this node is due and cannot be renewed yet: {}",
                        certificate.error().message);
      }
    }
    CO_RETURN_IF_ERROR(co_await clock.sleep(pause));
  }
}

}  // namespace orchion::daemon
