#include "control/auth/node_authenticator.h"

#include <algorithm>

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
    // A node that hears of its removal ends what it runs. A store that was begun anew knows of none: that is no
    // removal.
    if (!node && !was_removed(uid))
      return base::fail(Code::kUnauthenticated,
                        "this node isn't known here: restore the server's state, or let the node join again with a new "
                        "`orchion node invite`; what runs on it runs on");
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

bool NodeAuthenticator::was_removed(const std::string& uid) const {
  return std::ranges::any_of(objects_.view().events().all(), [&](const auto& entry) {
    return entry.second->reason() == "NodeRemoved" && entry.second->subject_uid() == uid;
  });
}

}  // namespace orchion::control::auth
