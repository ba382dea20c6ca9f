#include "control/auth/shared_identity.h"

#include <vector>

#include <fmt/format.h>

#include "base/file.h"
#include "base/log.h"
#include "base/random.h"
#include "base/read_line.h"
#include "control/auth/certificate_authority.h"
#include "control/auth/private_file.h"
#include "control/auth/route_authority.h"
#include "control/auth/token_text.h"
#include "wire/tls/sealed_box.h"

namespace orchion::control::auth {

using base::Code;
using base::fail;

namespace {

constexpr char kEntry[] = "cluster/identity";
constexpr char kPurpose[] = "orchion cluster identity 1";

struct Part {
  const char* file;
  int mode;
  std::string* (v1::ClusterIdentity::*text)();
};

// The id last: a folder that has it has all.
constexpr Part kParts[] = {
    {"authority/key.pem", 0600, &v1::ClusterIdentity::mutable_authority_key},
    {"authority/certificate.pem", 0644, &v1::ClusterIdentity::mutable_authority_certificate},
    {"route-authority/key.pem", 0600, &v1::ClusterIdentity::mutable_route_authority_key},
    {"route-authority/certificate.pem", 0644, &v1::ClusterIdentity::mutable_route_authority_certificate},
    {"cluster-id", 0644, &v1::ClusterIdentity::mutable_cluster_id},
};

base::Result<v1::ClusterIdentity> make_identity(const std::filesystem::path& data_folder, base::WallTime now) {
  auto random = base::Random::from_system();
  const auto known = base::read_line(data_folder / "cluster-id");
  if (!known && known.error().code != Code::kNotFound) return std::unexpected(known.error());
  const auto id = known ? *known : base::new_uid(random);
  RETURN_IF_ERROR(CertificateAuthority::open(data_folder, id, now));
  RETURN_IF_ERROR(RouteAuthority::open(data_folder, id, now));
  if (!known) RETURN_IF_ERROR(base::write_file_durably(data_folder / "cluster-id", id + "\n"));
  return read_identity(data_folder);
}

// kNotFound: there is none.
base::Result<std::string> read_secret(const std::filesystem::path& file) {
  ASSIGN_OR_RETURN(auto text, base::read_line(file));
  RETURN_IF_ERROR(check_private(
      file, fmt::format("`chmod 600 {}`, and make a new cluster if others may have read it", file.string())));
  if (is_token(text)) return text;
  return fail(
      Code::kFailedPrecondition,
      fmt::format("{} holds no cluster's secret: copy the file again from a server that has it", file.string()));
}

base::Result<std::string> ensure_secret(const std::filesystem::path& file) {
  auto known = read_secret(file);
  if (known || known.error().code != Code::kNotFound) return known;
  ASSIGN_OR_RETURN(auto secret, make_token());
  RETURN_IF_ERROR(base::write_file_durably(file, secret + "\n", 0600));
  return secret;
}

base::Result<> take_identity(const std::filesystem::path& data_folder, const std::string& sealed) {
  const auto file = data_folder / "cluster-secret";
  const auto secret = read_secret(file);
  if (!secret && secret.error().code == Code::kNotFound)
    return fail(Code::kFailedPrecondition,
                fmt::format("this store is a cluster's, whose servers share a secret: copy the file cluster-secret of "
                            "another server's data folder to {}, and `chmod 600` it",
                            file.string()));
  if (!secret) return std::unexpected(secret.error());
  const auto opened = wire::tls::open_sealed(*secret, kPurpose, sealed);
  v1::ClusterIdentity identity;
  if (!opened || !identity.ParseFromString(*opened))
    return fail(Code::kFailedPrecondition,
                fmt::format("{} is not the secret of the cluster that is in this store: copy the file from a server "
                            "that uses it, or name another store",
                            file.string()));
  return write_identity(data_folder, identity);
}

}  // namespace

base::Result<v1::ClusterIdentity> read_identity(const std::filesystem::path& data_folder) {
  v1::ClusterIdentity identity;
  for (const auto& part : kParts) {
    ASSIGN_OR_RETURN(*(identity.*part.text)(), base::read_file(data_folder / part.file));
  }
  ASSIGN_OR_RETURN(*identity.mutable_cluster_id(), base::read_line(data_folder / "cluster-id"));
  return identity;
}

base::Result<> write_identity(const std::filesystem::path& data_folder, const v1::ClusterIdentity& identity) {
  auto wanted = identity;
  wanted.set_cluster_id(identity.cluster_id() + "\n");
  std::vector<const Part*> missing;
  for (const auto& part : kParts) {
    const auto known = base::read_file(data_folder / part.file);
    if (!known && known.error().code != Code::kNotFound) return std::unexpected(known.error());
    if (!known) missing.push_back(&part);
    if (known && *known != *(wanted.*part.text)())
      return fail(
          Code::kFailedPrecondition,
          fmt::format("the data folder {} is another cluster's: use an empty one with --data", data_folder.string()));
  }
  for (const auto* part : missing) {
    const auto file = data_folder / part->file;
    RETURN_IF_ERROR(base::make_folders(file.parent_path()));
    RETURN_IF_ERROR(base::write_file_durably(file, *(wanted.*part->text)(), part->mode));
  }
  return {};
}

base::Co<> share_identity(store::Store& store, std::filesystem::path data_folder, base::WallTime now) {
  for (;;) {
    CO_ASSIGN_OR_RETURN(const auto known, co_await store.get(kEntry));
    if (known) co_return take_identity(data_folder, known->value);
    CO_ASSIGN_OR_RETURN(const auto identity, make_identity(data_folder, now));
    CO_ASSIGN_OR_RETURN(const auto secret, ensure_secret(data_folder / "cluster-secret"));
    store::Transaction transaction;
    transaction.expect(kEntry, 0);
    CO_ASSIGN_OR_RETURN(auto sealed, wire::tls::seal(secret, kPurpose, identity.SerializeAsString()));
    transaction.put(kEntry, std::move(sealed));
    const auto written = co_await store.commit(std::move(transaction));
    if (written) {
      base::log::info("more servers join with a copy of the file {}", (data_folder / "cluster-secret").string());
      co_return base::Result<>{};
    }
    // Another server was there first.
    if (written.error().code != Code::kAborted) co_return std::unexpected(written.error());
  }
}

}  // namespace orchion::control::auth
