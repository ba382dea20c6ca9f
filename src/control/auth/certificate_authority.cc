#include "control/auth/certificate_authority.h"

#include <fmt/format.h>

#include "base/file.h"
#include "control/auth/private_file.h"
#include "core/cluster_names.h"
#include "wire/tls/certificates.h"
#include "wire/tls/keys.h"

namespace orchion::control::auth {

using base::Code;

namespace {

using std::chrono::hours;

// Clocks of different machines are never quite the same.
constexpr auto kBackdated = std::chrono::minutes(5);

constexpr auto kAuthorityLife = hours(24 * 3653);
constexpr auto kNodeLife = hours(24);

base::Result<std::string> read_or_make_key(const std::filesystem::path& file) {
  auto key = base::read_file(file);
  if (key) {
    RETURN_IF_ERROR(check_private(file,
                                  "restore both files of this folder from a backup and `chmod 600` them, or "
                                  "remove the folder: then every node must join again"));
    return key;
  }
  if (key.error().code != Code::kNotFound) return key;
  ASSIGN_OR_RETURN(key, wire::tls::make_key());
  RETURN_IF_ERROR(base::write_file_durably(file, *key, 0600));
  return key;
}

base::Result<std::string> read_or_make_certificate(const std::filesystem::path& file, const std::string& key,
                                                   const std::string& cluster_id, base::WallTime now) {
  auto certificate = base::read_file(file);
  if (certificate || certificate.error().code != Code::kNotFound) return certificate;
  wire::tls::CertificatePlan plan;
  plan.role = wire::tls::Role::kAuthority;
  plan.common_name = core::cluster_domain(cluster_id);
  plan.not_before = now - kBackdated;
  plan.not_after = now + kAuthorityLife;
  ASSIGN_OR_RETURN(certificate, wire::tls::make_authority(key, plan));
  RETURN_IF_ERROR(base::write_file_durably(file, *certificate, 0644));
  return certificate;
}

}  // namespace

base::Result<CertificateAuthority> CertificateAuthority::open(const std::filesystem::path& data_folder,
                                                              std::string cluster_id, base::WallTime now) {
  const auto folder = data_folder / "authority";
  RETURN_IF_ERROR(base::make_folders(folder));
  ASSIGN_OR_RETURN(auto key, read_or_make_key(folder / "key.pem"));
  ASSIGN_OR_RETURN(auto certificate, read_or_make_certificate(folder / "certificate.pem", key, cluster_id, now));
  const auto known = wire::tls::read_certificate(certificate);
  const auto fingerprint = wire::tls::key_fingerprint(key);
  if (!known || !fingerprint || known->key_fingerprint != *fingerprint)
    return base::fail(Code::kFailedPrecondition,
                      fmt::format("the key and the certificate in {0} are damaged or don't fit: restore both from a "
                                  "backup, or remove {0}: then every node must join again",
                                  folder.string()));
  return CertificateAuthority(std::move(cluster_id), std::move(key), std::move(certificate), known->fingerprint,
                              known->not_after);
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
  plan.not_after = not_after_;
  ASSIGN_OR_RETURN(identity.chain, wire::tls::issue({certificate_, key_}, request, plan));
  identity.chain += certificate_;
  return identity;
}

base::Result<std::string> CertificateAuthority::issue_to_node(std::string_view request, const std::string& node_uid,
                                                              base::WallTime now) const {
  wire::tls::CertificatePlan plan;
  plan.role = wire::tls::Role::kClient;
  plan.common_name = node_uid;
  plan.uris = {node_uri(cluster_id_, node_uid)};
  plan.not_before = now - kBackdated;
  plan.not_after = now - kBackdated + kNodeLife;
  return wire::tls::issue({certificate_, key_}, request, plan);
}

std::string node_uri(const std::string& cluster_id, const std::string& node_uid) {
  return fmt::format("orchion://{}/node/{}", cluster_id, node_uid);
}

}  // namespace orchion::control::auth
