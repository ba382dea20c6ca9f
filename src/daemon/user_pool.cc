#include "daemon/user_pool.h"

#include <cstdlib>

#include "base/file.h"

namespace orchion::daemon {

namespace {

// Not that of `containers`: Podman takes from it, and would not know of us.
constexpr char kOwner[] = "orchion";

}  // namespace

base::Result<node::runtimes::bundle::UserPool> read_user_pool() {
  namespace bundle = node::runtimes::bundle;
  const char* said = std::getenv("ORCHION_USERS");
  if (said != nullptr && *said != '\0') return bundle::parse_user_pool(said);
  const auto users = bundle::find_subordinate_users(base::read_file("/etc/subuid").value_or(""), kOwner);
  const auto groups = bundle::find_subordinate_users(base::read_file("/etc/subgid").value_or(""), kOwner);
  return users && users == groups ? *users : bundle::UserPool();
}

}  // namespace orchion::daemon
