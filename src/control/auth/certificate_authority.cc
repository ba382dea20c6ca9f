#include "control/auth/certificate_authority.h"

#include <fmt/format.h>

#include "core/cluster_names.h"
#include "wire/tls/certificates.h"
#include "wire/tls/keys.h"

namespace orchion::control::auth {

namespace {

using std::chrono::hours;

constexpr auto kNodeLife = hours(24);

}  // namespace

base::Result<CertificateAuthority> CertificateAuthority::open(const std::filesystem::path& data_folder,
                                                              std::string cluster_id, base::WallTime now) {
  ASSIGN_OR_RETURN(auto authority, open_authority(data_folder / "authority",
                                                  {.common_name = core::cluster_domain(cluster_id),
                                                   .consequence = "every node must join again"},
                                                  now));
  return CertificateAuthority(std::move(cluster_id), std::move(authority));
}

base::Result<CertificateAuthority::ServerIdentity> CertificateAuthority::make_server_identity(
    base::WallTime now) const {
  ServerIdentity identity;
  ASSIGN_OR_RETURN(identity.key, wire::tls::make_key());
  const auto name = core::control_name(core::cluster_domain(cluster_id_));
  ASSIGN_OR_RETURN(const auto request, wire::tls::make_request(identity.key, name));
  wire::tls::CertificatePlan plan;
  plan.role = wire::tls::Role::kServer;
  plan.common_name = "control";
  plan.dns_names = {name};
  plan.not_before = now - kBackdated;
  plan.not_after = authority_.not_after;
  ASSIGN_OR_RETURN(identity.chain, wire::tls::issue({authority_.certificate, authority_.key}, request, plan));
  identity.chain += authority_.certificate;
  return identity;
}

base::Result<CertificateAuthority::ServerIdentity> CertificateAuthority::make_client_identity(
    const std::string& server, base::WallTime now) const {
  ServerIdentity identity;
  ASSIGN_OR_RETURN(identity.key, wire::tls::make_key());
  ASSIGN_OR_RETURN(const auto request, wire::tls::make_request(identity.key, server));
  ASSIGN_OR_RETURN(identity.chain,
                   issue_to_client(request, server, server_uri(cluster_id_, server), now, authority_.not_after));
  return identity;
}

base::Result<std::string> CertificateAuthority::issue_to_node(std::string_view request, const std::string& node_uid,
                                                              base::WallTime now) const {
  return issue_to_client(request, node_uid, node_uri(cluster_id_, node_uid), now, now - kBackdated + kNodeLife);
}

base::Result<std::string> CertificateAuthority::issue_to_client(std::string_view request, const std::string& name,
                                                                std::string uri, base::WallTime now,
                                                                base::WallTime not_after) const {
  wire::tls::CertificatePlan plan;
  plan.role = wire::tls::Role::kClient;
  plan.common_name = name;
  plan.uris = {std::move(uri)};
  plan.not_before = now - kBackdated;
  plan.not_after = not_after;
  return wire::tls::issue({authority_.certificate, authority_.key}, request, plan);
}

std::string server_uri(const std::string& cluster_id, const std::string& server) {
  return fmt::format("orchion://{}/server/{}", cluster_id, server);
}

std::string node_uri(const std::string& cluster_id, const std::string& node_uid) {
  return fmt::format("orchion://{}/node/{}", cluster_id, node_uid);
}

}  // namespace orchion::control::auth
