#include "control/auth/node_authenticator.h"

#include "control/auth/certificate_authority.h"
#include "wire/tls/certificates.h"

namespace orchion::control::auth {

using base::Code;

base::Result<Identity> NodeAuthenticator::authenticate(std::string_view pem) const {
  ASSIGN_OR_RETURN(const auto certificate, wire::tls::read_certificate(pem));
  const auto prefix = node_uri(cluster_id_, "");
  for (const auto& uri : certificate.uris) {
    if (!uri.starts_with(prefix)) continue;
    const auto uid = uri.substr(prefix.size());
    const auto node = objects_.view().nodes().find_uid(uid);
    if (!node)
      return base::fail(Code::kNotFound,
                        "this node was removed from the cluster: stop its agent (`orchion agent --stop`), and let it "
                        "join again with a new `orchion node invite` where it shall come back");
    if (node->spec().key_fingerprint() == certificate.key_fingerprint)
      return Identity{Identity::Kind::kNode, node_identity(uid), {}};
    return base::fail(Code::kUnauthenticated,
                      "this node has another key than this certificate's: let it join again with a new `orchion node "
                      "invite`");
  }
  return base::fail(Code::kUnauthenticated,
                    "this certificate names no node of this cluster: join with `orchion node invite`");
}

}  // namespace orchion::control::auth
