#include "control/auth/authority_folder.h"

#include <fmt/format.h>

#include "base/file.h"
#include "control/auth/private_file.h"
#include "wire/tls/certificates.h"
#include "wire/tls/keys.h"

namespace orchion::control::auth {

using base::Code;

namespace {

constexpr auto kAuthorityLife = std::chrono::hours(24 * 3653);

base::Result<std::string> read_or_make_key(const std::filesystem::path& file, const AuthorityPlan& plan) {
  auto key = base::read_file(file);
  if (key) {
    RETURN_IF_ERROR(check_private(file, fmt::format("restore both files of this folder from a backup and `chmod 600` "
                                                    "them, or remove the folder: then {}",
                                                    plan.consequence)));
    return key;
  }
  if (key.error().code != Code::kNotFound) return key;
  ASSIGN_OR_RETURN(key, wire::tls::make_key());
  RETURN_IF_ERROR(base::write_file_durably(file, *key, 0600));
  return key;
}

base::Result<std::string> read_or_make_certificate(const std::filesystem::path& file, const std::string& key,
                                                   const AuthorityPlan& wanted, base::WallTime now) {
  auto certificate = base::read_file(file);
  if (certificate || certificate.error().code != Code::kNotFound) return certificate;
  wire::tls::CertificatePlan plan;
  plan.role = wire::tls::Role::kAuthority;
  plan.common_name = wanted.common_name;
  plan.not_before = now - kBackdated;
  plan.not_after = now + kAuthorityLife;
  ASSIGN_OR_RETURN(certificate, wire::tls::make_authority(key, plan));
  RETURN_IF_ERROR(base::write_file_durably(file, *certificate, 0644));
  return certificate;
}

}  // namespace

base::Result<Authority> open_authority(const std::filesystem::path& folder, const AuthorityPlan& plan,
                                       base::WallTime now) {
  RETURN_IF_ERROR(base::make_folders(folder));
  ASSIGN_OR_RETURN(auto key, read_or_make_key(folder / "key.pem", plan));
  ASSIGN_OR_RETURN(auto certificate, read_or_make_certificate(folder / "certificate.pem", key, plan, now));
  const auto known = wire::tls::read_certificate(certificate);
  const auto fingerprint = wire::tls::key_fingerprint(key);
  if (!known || !fingerprint || known->key_fingerprint != *fingerprint)
    return base::fail(Code::kFailedPrecondition,
                      fmt::format("the key and the certificate in {0} are damaged or don't fit: restore both from a "
                                  "backup, or remove {0}: then {1}",
                                  folder.string(), plan.consequence));
  return Authority{std::move(key), std::move(certificate), known->fingerprint, known->not_after};
}

}  // namespace orchion::control::auth
