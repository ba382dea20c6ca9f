#include "control/auth/node_authenticator.h"

#include "control/auth/certificate_authority.h"
#include "wire/tls/certificates.h"

namespace orchion::control::auth {

using base::Code;

base::Result<Identity> NodeAuthenticator::authenticate(std::string_view pem) const {
  ASSIGN_OR_RETURN(const auto certificate, wire::tls::read_certificate(pem));
  const auto prefix = node_uri(cluster_id_, "");
  const auto servers = server_uri(cluster_id_, "");
  for (const auto& uri : certificate.uris) {
    // Who has the authority's key made it for itself.
    if (uri.starts_with(servers))
      return Identity{Identity::Kind::kUser, server_identity(uri.substr(servers.size())), {"*"}};
    if (!uri.starts_with(prefix)) continue;
    const auto uid = uri.substr(prefix.size());
    const auto node = objects_.view().nodes().find_uid(uid);
    if (node && node->spec().key_fingerprint() == certificate.key_fingerprint)
      return Identity{Identity::Kind::kNode, node_identity(uid), {}};
    return base::fail(Code::kUnauthenticated,
                      "this node was removed from the cluster: stop its agent (`orchion agent --stop`), and let it "
                      "join again with a new `orchion node invite` where it shall come back");
  }
  return base::fail(Code::kUnauthenticated,
                    "this certificate names no node of this cluster: join with `orchion node invite`");
}

}  // namespace orchion::control::auth
