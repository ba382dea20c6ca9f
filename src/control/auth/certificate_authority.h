#pragma once

// Vouches for the server and the nodes of one cluster.

#include <filesystem>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/error.h"
#include "control/auth/authority_folder.h"

namespace orchion::control::auth {

// A key and its certificate in the folder "authority" of the server's data folder, made on first run and good for ten
// years. Whoever has the key is the cluster: 0600. A value once opened; its members only read.
class CertificateAuthority {
 public:
  // Blocks for a few small files. kFailedPrecondition: others may read the key, or the two don't fit.
  static base::Result<CertificateAuthority> open(const std::filesystem::path& data_folder, std::string cluster_id,
                                                 base::WallTime now);

  const std::string& certificate() const { return authority_.certificate; }  // PEM
  const std::string& fingerprint() const { return authority_.fingerprint; }  // SHA-256, hexadecimal

  // A new key and certificate for the server, the authority's own at the end of the chain, so that who knows only its
  // fingerprint gets it. It ends with the authority: it lies beside that key, and a short life would protect nothing.
  struct ServerIdentity {
    std::string chain;
    std::string key;
  };
  base::Result<ServerIdentity> make_server_identity(base::WallTime now) const;

  // With which this server is known to the cluster's other servers; made anew each time it starts.
  base::Result<ServerIdentity> make_client_identity(const std::string& server, base::WallTime now) const;

  // For the key of a certificate signing request; good for a day.
  base::Result<std::string> issue_to_node(std::string_view request, const std::string& node_uid,
                                          base::WallTime now) const;

 private:
  CertificateAuthority(std::string cluster_id, Authority authority)
      : cluster_id_(std::move(cluster_id)), authority_(std::move(authority)) {}

  base::Result<std::string> issue_to_client(std::string_view request, const std::string& name, std::string uri,
                                            base::WallTime now, base::WallTime not_after) const;

  std::string cluster_id_;
  Authority authority_;
};

// How certificates name a server: "orchion://CLUSTER/server/ID".
std::string server_uri(const std::string& cluster_id, const std::string& server);

// How certificates name a node: "orchion://CLUSTER/node/UID".
std::string node_uri(const std::string& cluster_id, const std::string& node_uid);

}  // namespace orchion::control::auth
