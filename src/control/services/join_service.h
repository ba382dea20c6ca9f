#pragma once

#include <memory>
#include <string>

#include "control/auth/certificate_authority.h"
#include "control/services/context.h"
#include "core/methods.h"
#include "v1/control.pb.h"
#include "v1/joining.pb.h"

namespace orchion::control::services {

struct JoinOptions {
  std::string cluster_id;
  // Where other machines reach the door for nodes: "192.168.1.5:4603"; empty: there is none.
  std::string address;
  // What to type so that there is one.
  std::string advice;
};

// Lets machines in: makes invitations, takes them, renews certificates.
class JoinService {
 public:
  // `authority` outlives it.
  JoinService(ServiceContext context, const auth::CertificateAuthority& authority, JoinOptions options)
      : context_(context), authority_(authority), options_(std::move(options)) {}

  // With dry_run nothing is made and the answer has no token. kFailedPrecondition: other machines can't reach this
  // server. kAlreadyExists: the caller's idempotency key has made one; its token is kept nowhere, only its hash.
  base::Co<v1::InviteNodeResponse> invite(core::CallContext call, v1::InviteNodeRequest request);

  // Takes the invitation and makes the node in one transaction. The same key may say it again: its answer was lost.
  // kUnauthenticated: no such invitation; kFailedPrecondition: used, expired, or the machine's clock is wrong.
  base::Co<v1::JoinResponse> join(core::CallContext call, v1::JoinRequest request);

  // kUnauthenticated: no node has this key.
  base::Co<v1::RenewResponse> renew(core::CallContext call, v1::RenewRequest request);

 private:
  base::Result<std::shared_ptr<const v1::Token>> find_invitation(const std::string& secret) const;
  base::Result<> check_clock(const v1::JoinRequest& request) const;
  base::Co<v1::Node> make_node(std::shared_ptr<const v1::Token> invitation, v1::JoinRequest request, std::string key);
  void remove_old(store::Transaction& transaction) const;

  ServiceContext context_;
  const auth::CertificateAuthority& authority_;
  JoinOptions options_;
};

// Inviting is for `users`, the rest for `nodes`.
void add_join_service(core::MethodTable& users, core::MethodTable& nodes, std::shared_ptr<JoinService> service);

}  // namespace orchion::control::services
