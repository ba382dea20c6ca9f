#include "control/auth/token_authenticator.h"

#include <cerrno>
#include <chrono>

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include "base/file.h"
#include "base/read_line.h"
#include "control/auth/private_file.h"
#include "control/auth/token_text.h"

namespace orchion::control::auth {
namespace {

using base::Code;
using base::fail;

// Whoever has an administrator's token is this one.
constexpr const char* kAdmin = "admin";

// A node's token has the identity "node:NAME".
constexpr std::string_view kNodePrefix = "node:";

Identity identity_of(const v1::Token& token) {
  Identity identity{Identity::Kind::kUser,
                    token.spec().identity(),
                    {token.spec().permissions().begin(), token.spec().permissions().end()}};
  if (identity.name.starts_with(kNodePrefix)) {
    identity.kind = Identity::Kind::kNode;
    identity.name.erase(0, kNodePrefix.size());
  }
  return identity;
}

// kNotFound where there is no such file.
base::Result<std::string> read_token(const std::filesystem::path& file) {
  ASSIGN_OR_RETURN(std::string text, base::read_line(file));
  RETURN_IF_ERROR(check_private(file, "remove it, and a new token is made"));
  if (is_token(text)) return text;
  return fail(Code::kFailedPrecondition,
              fmt::format("{} holds no token; remove it, and a new one is made", file.string()));
}

base::Result<> sync_folder(const std::filesystem::path& folder) {
  const base::UniqueFd fd(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd || ::fsync(fd.get()) != 0) return base::fail_errno(errno, "syncing " + folder.string());
  return {};
}

v1::Token admin_token(const std::string& name, const base::Clock& clock) {
  v1::Token token;
  token.mutable_meta()->set_name(name);
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(clock.wall().time_since_epoch());
  token.mutable_meta()->mutable_created_at()->set_seconds(seconds.count());
  token.mutable_spec()->set_identity(kAdmin);
  token.mutable_spec()->add_permissions("*");
  return token;
}

}  // namespace

TokenAuthenticator::TokenAuthenticator(store::ObjectStore& objects, const base::Clock& clock,
                                       std::filesystem::path data_folder, std::string admin)
    : objects_(objects),
      clock_(clock),
      admin_(std::move(admin)),
      file_(data_folder / "admin-token"),
      new_file_(data_folder / "admin-token.new") {}

base::Co<std::filesystem::path> TokenAuthenticator::ensure_admin_token() {
  CO_RETURN_IF_ERROR(co_await settle());
  if (objects_.view().tokens().find(admin_)) co_return file_;
  auto kept = read_token(file_);
  if (!kept && kept.error().code != Code::kNotFound) co_return std::unexpected(kept.error());
  if (!kept) co_return co_await rotate_admin_token();
  CO_RETURN_IF_ERROR(co_await store_hash(hash_token(*kept)));
  co_return file_;
}

// The order makes each crash harmless: the file beside, the hash, the file in its place. Until the hash is in the store
// the old token works, afterwards settle() finds the new one.
base::Co<std::filesystem::path> TokenAuthenticator::rotate_admin_token() {
  CO_ASSIGN_OR_RETURN(const std::string token, make_token());
  CO_RETURN_IF_ERROR(base::write_file_durably(new_file_, token + "\n", 0600));
  CO_RETURN_IF_ERROR(co_await store_hash(hash_token(token)));
  CO_RETURN_IF_ERROR(publish());
  co_return file_;
}

base::Co<> TokenAuthenticator::settle() {
  const auto token = read_token(new_file_);
  if (!token && token.error().code == Code::kNotFound) co_return base::Result<>{};
  const auto known = objects_.view().tokens().find(admin_);
  if (token && known && equal_hashes(hash_token(*token), known->spec().hash())) co_return publish();
  co_return base::remove_tree(new_file_);
}

base::Co<> TokenAuthenticator::store_hash(std::string hash) {
  store::Transaction transaction;
  if (const auto known = objects_.view().tokens().find(admin_)) {
    v1::Token token = *known;
    token.mutable_spec()->set_hash(hash);
    token.mutable_meta()->set_generation(token.meta().generation() + 1);
    store::put_spec(transaction, token);
  } else {
    v1::Token token = admin_token(admin_, clock_);
    token.mutable_spec()->set_hash(hash);
    store::create(transaction, token);
  }
  CO_RETURN_IF_ERROR(co_await objects_.commit(std::move(transaction)));
  co_return base::Result<>{};
}

base::Result<> TokenAuthenticator::publish() const {
  if (::rename(new_file_.c_str(), file_.c_str()) != 0) return base::fail_errno(errno, "writing " + file_.string());
  return sync_folder(file_.parent_path());
}

base::Result<Identity> TokenAuthenticator::authenticate(std::string_view token) const {
  if (is_token(token)) {
    const std::string hash = hash_token(token);
    for (const auto& [name, object] : objects_.view().tokens().all()) {
      // An invitation is nobody's identity.
      if (object->meta().has_deleted_at() || object->spec().identity() == kInvitationIdentity) continue;
      if (equal_hashes(hash, object->spec().hash())) return identity_of(*object);
    }
  }
  return fail(Code::kUnauthenticated,
              fmt::format("this token is not valid here; use the one in {} on the server's machine, or ask the "
                          "administrator for a new one",
                          file_.string()));
}

}  // namespace orchion::control::auth
