#pragma once

// Bearer tokens: whose they are, and the administrator's own in a file of the data folder.

#include <filesystem>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "control/auth/permissions.h"
#include "control/store/object_store.h"

namespace orchion::control::auth {

// The identity of Token objects that are invitations to join: no bearer's.
inline constexpr char kInvitationIdentity[] = "invitation";

// Tokens are Token objects of the store, which keep only the hash; one whose object is removed stops working at once.
// Belongs to the control loop, as the ObjectStore does. Both references outlive it.
class TokenAuthenticator {
 public:
  // `objects` has been started. `data_folder` exists. `admin` names the Token object of the administrator's token in
  // that folder; servers that share a store have one each.
  TokenAuthenticator(store::ObjectStore& objects, const base::Clock& clock, std::filesystem::path data_folder,
                     std::string admin = "admin");

  // Before serving; blocks for a few small files. Where the store knows no administrator's token one is made, or the
  // one in the file adopted: a data folder whose store was begun anew keeps its token. Also ends what a crash left
  // half done. Returns the file's path. The file may be missing where the token was made before: see
  // rotate_admin_token().
  base::Co<std::filesystem::path> ensure_admin_token();

  // Replaces the administrator's token and its file; the old one stops working. Returns the file's path.
  base::Co<std::filesystem::path> rotate_admin_token();

  // Whose `token` this is. kUnauthenticated: nobody's, with what to do. Never logs or returns the text.
  base::Result<Identity> authenticate(std::string_view token) const;

 private:
  base::Co<> settle();
  base::Co<> store_hash(std::string hash);
  base::Result<> publish() const;

  store::ObjectStore& objects_;
  const base::Clock& clock_;
  std::string admin_;
  std::filesystem::path file_;
  std::filesystem::path new_file_;  // holds a token until its hash is in the store
};

}  // namespace orchion::control::auth
