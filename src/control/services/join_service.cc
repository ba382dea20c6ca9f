#include "control/services/join_service.h"

#include <fmt/core.h>

#include "control/auth/token_authenticator.h"
#include "control/auth/token_text.h"
#include "control/services/bind.h"
#include "control/services/idempotency.h"
#include "control/services/node_names.h"
#include "control/store/keys.h"
#include "core/fingerprint.h"
#include "core/join_token.h"
#include "core/node_placement.h"
#include "core/timestamps.h"
#include "wire/tls/certificates.h"

namespace orchion::control::services {

using base::Code;

namespace {

constexpr auto kInvitationLife = std::chrono::minutes(15);

// Until then it is remembered why an invitation is good no longer.
constexpr auto kRemembered = std::chrono::hours(24);

// Certificates begin five minutes before they are made; what is left is for the way.
constexpr auto kClockDifferenceMax = std::chrono::minutes(4);

// Of 120 operations a transaction may have.
constexpr int kOldRemovedAtOnce = 50;

constexpr int kConflictsMax = 20;

constexpr char kNewInvitation[] = "make a new one with `orchion node invite` on the server's machine";

bool is_invitation(const v1::Token& token) {
  return token.spec().identity() == auth::kInvitationIdentity;
}

// The caller's key is kept as the invitation's name: as long as that is remembered, and in the transaction that makes
// it. With the length of the identity two callers can't be taken for each other.
std::string name_for_key(const core::CallContext& call) {
  const auto whose = fmt::format("{}:{}/{}", call.identity.size(), call.identity, *call.idempotency_key);
  return "invitation-" + core::fnv1a_128(whose);
}

// The token was told once and isn't kept, so that a second call can't have the first one's answer.
std::unexpected<base::Error> made_before() {
  return base::fail(Code::kAlreadyExists,
                    "an invitation was made with this Idempotency-Key, and its token is told only once: where that "
                    "answer was lost, ask again with a new key; the lost one ends by itself after 15 min");
}

std::string duration_text(base::Duration duration) {
  const auto minutes = std::chrono::duration_cast<std::chrono::minutes>(duration).count();
  if (minutes < 120) return fmt::format("{} min", minutes);
  return minutes < 48 * 60 ? fmt::format("{} h", minutes / 60) : fmt::format("{} days", minutes / (24 * 60));
}

// A node keeps what it was told here for ever: no more than it can need.
base::Result<> check_size(const v1::JoinRequest& request) {
  bool fits = request.hostname().size() <= core::kNodeTextBytesMax &&
              static_cast<std::size_t>(request.labels().size()) <= core::kNodeLabelsMax;
  for (const auto& [name, value] : request.labels())
    fits = fits && name.size() <= core::kNodeTextBytesMax && value.size() <= core::kNodeTextBytesMax;
  if (fits) return {};
  return base::fail(Code::kInvalidArgument,
                    fmt::format("a node has at most {} labels, and {} characters in each and in its hostname",
                                core::kNodeLabelsMax, core::kNodeTextBytesMax));
}

}  // namespace

base::Co<v1::InviteNodeResponse> JoinService::invite(core::CallContext call, v1::InviteNodeRequest request) {
  if (options_.address.empty())
    co_return base::fail(Code::kFailedPrecondition,
                         fmt::format("other machines cannot reach this server: {}", options_.advice));
  if (call.idempotency_key) {
    CO_RETURN_IF_ERROR(check_idempotency_key(*call.idempotency_key));
  }
  const auto name = call.idempotency_key ? name_for_key(call) : "invitation-" + base::new_uid(context_.random);
  if (context_.objects.view().tokens().find(name)) co_return made_before();
  const auto expires = context_.clock.wall() + kInvitationLife;
  v1::InviteNodeResponse response;
  response.set_address(options_.address);
  *response.mutable_expires_at() = core::to_timestamp(expires);
  if (request.dry_run()) co_return response;
  CO_ASSIGN_OR_RETURN(const auto token_text, auth::make_token());
  const std::string secret = token_text.substr(token_text.find('_') + 1);
  v1::Token token;
  token.mutable_meta()->set_name(name);
  *token.mutable_meta()->mutable_created_at() = core::to_timestamp(context_.clock.wall());
  token.mutable_spec()->set_identity(auth::kInvitationIdentity);
  token.mutable_spec()->set_hash(auth::hash_token(secret));
  *token.mutable_spec()->mutable_expires_at() = core::to_timestamp(expires);
  store::Transaction transaction;
  store::create(transaction, token);
  remove_old(transaction);
  const auto committed = co_await context_.objects.commit(std::move(transaction));
  if (!committed && call.idempotency_key) {
    // The same call may have been quicker; the view may not show it yet.
    CO_ASSIGN_OR_RETURN(const auto quicker, co_await context_.objects.get(store::spec_key("Token", "", name)));
    if (quicker) co_return made_before();
  }
  if (!committed) co_return std::unexpected(committed.error());
  response.set_token(core::to_text({secret, authority_.fingerprint()}));
  co_return response;
}

void JoinService::remove_old(store::Transaction& transaction) const {
  int removed = 0;
  for (const auto& [name, token] : context_.objects.view().tokens().all()) {
    if (!is_invitation(*token) || removed == kOldRemovedAtOnce) continue;
    if (core::from_timestamp(token->spec().expires_at()) + kRemembered > context_.clock.wall()) continue;
    store::remove(transaction, *token);
    ++removed;
  }
}

base::Result<std::shared_ptr<const v1::Token>> JoinService::find_invitation(const std::string& secret) const {
  const auto hash = auth::hash_token(secret);
  for (const auto& [name, token] : context_.objects.view().tokens().all()) {
    if (is_invitation(*token) && auth::equal_hashes(hash, token->spec().hash())) return token;
  }
  return base::fail(Code::kUnauthenticated, fmt::format("this server knows no such invitation: {}", kNewInvitation));
}

base::Result<> JoinService::check_clock(const v1::JoinRequest& request) const {
  const auto difference = core::from_timestamp(request.time()) - context_.clock.wall();
  if (std::chrono::abs(difference) <= kClockDifferenceMax) return {};
  return base::fail(
      Code::kFailedPrecondition,
      fmt::format("the clock of the joining machine is {} {} the server's: set the wrong one (`timedatectl set-ntp "
                  "true`), then join with the same line",
                  duration_text(std::chrono::abs(difference)), difference.count() > 0 ? "ahead of" : "behind"));
}

base::Co<v1::JoinResponse> JoinService::join(core::CallContext, v1::JoinRequest request) {
  CO_ASSIGN_OR_RETURN(const auto invitation, find_invitation(request.secret()));
  CO_RETURN_IF_ERROR(check_size(request));
  CO_ASSIGN_OR_RETURN(const auto asked, wire::tls::read_request(request.request()));
  CO_RETURN_IF_ERROR(check_clock(request));
  const std::string certificate_request = request.request();
  CO_ASSIGN_OR_RETURN(const auto node, co_await make_node(invitation, std::move(request), asked.key_fingerprint));
  v1::JoinResponse response;
  response.set_node_uid(node.meta().uid());
  response.set_node_name(node.meta().name());
  response.set_cluster_id(options_.cluster_id);
  CO_ASSIGN_OR_RETURN(*response.mutable_certificate(),
                      authority_.issue_to_node(certificate_request, node.meta().uid(), context_.clock.wall()));
  co_return response;
}

base::Co<v1::Node> JoinService::make_node(std::shared_ptr<const v1::Token> invitation, v1::JoinRequest request,
                                          std::string key) {
  for (int attempt = 0;; ++attempt) {
    const auto& view = context_.objects.view();
    const auto now = context_.clock.wall();
    // As it is now: somebody else may have taken it while this one waited.
    CO_ASSIGN_OR_RETURN(invitation, find_invitation(request.secret()));
    if (!invitation->spec().used_by().empty()) {
      const auto user = view.nodes().find_uid(invitation->spec().used_by());
      if (user && user->spec().key_fingerprint() == key) co_return *user;
      co_return base::fail(Code::kFailedPrecondition,
                           fmt::format("this invitation was used already, by {}: {}",
                                       user ? "node " + user->meta().name() : "a node that is gone", kNewInvitation));
    }
    const auto expires = core::from_timestamp(invitation->spec().expires_at());
    if (now >= expires)
      co_return base::fail(Code::kFailedPrecondition, fmt::format("this invitation expired {} ago: {}",
                                                                  duration_text(now - expires), kNewInvitation));
    v1::Node node;
    node.mutable_meta()->set_name(free_node_name(view, request.hostname()));
    node.mutable_meta()->set_uid(base::new_uid(context_.random));
    node.mutable_meta()->set_generation(1);
    *node.mutable_meta()->mutable_created_at() = core::to_timestamp(now);
    *node.mutable_spec()->mutable_labels() = request.labels();
    node.mutable_spec()->set_key_fingerprint(key);
    *node.mutable_status()->mutable_since() = core::to_timestamp(now);
    node.mutable_status()->set_message("it has joined, and its agent has not connected yet");
    v1::Token used = *invitation;
    used.mutable_spec()->set_used_by(node.meta().uid());
    store::Transaction transaction;
    store::create(transaction, node);
    store::put_spec(transaction, used);
    auto committed = co_await context_.objects.commit(std::move(transaction));
    if (committed) co_return node;
    if (committed.error().code != Code::kAborted || attempt >= kConflictsMax)
      co_return std::unexpected(committed.error());
  }
}

base::Co<v1::RenewResponse> JoinService::renew(core::CallContext, v1::RenewRequest request) {
  CO_ASSIGN_OR_RETURN(const auto asked, wire::tls::read_request(request.request()));
  for (const auto& [name, node] : context_.objects.view().nodes().all()) {
    if (node->spec().key_fingerprint() != asked.key_fingerprint) continue;
    v1::RenewResponse response;
    CO_ASSIGN_OR_RETURN(*response.mutable_certificate(),
                        authority_.issue_to_node(request.request(), node->meta().uid(), context_.clock.wall()));
    co_return response;
  }
  co_return base::fail(Code::kUnauthenticated,
                       "no node of this cluster has this key; if this machine was removed, let it join again with a "
                       "new `orchion node invite`");
}

void add_join_service(core::MethodTable& users, core::MethodTable& nodes, std::shared_ptr<JoinService> service) {
  const auto bind = binder(service);
  users.unary<v1::InviteNodeRequest, v1::InviteNodeResponse>("orchion.v1.NodeService.InviteNode",
                                                             bind(&JoinService::invite));
  nodes.unary<v1::JoinRequest, v1::JoinResponse>("orchion.v1.JoinService.Join", bind(&JoinService::join));
  nodes.unary<v1::RenewRequest, v1::RenewResponse>("orchion.v1.JoinService.Renew", bind(&JoinService::renew));
}

}  // namespace orchion::control::services
