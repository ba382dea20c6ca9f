#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"

namespace orchion::node::runtimes::bundle {

struct ContainerUser {
  std::uint32_t uid = 0;
  std::uint32_t gid = 0;
  std::vector<std::uint32_t> additional_gids;
  std::string home = "/";

  bool operator==(const ContainerUser&) const = default;
};

// "", "name", "uid", "name:group", "uid:gid" in the container's own files, as Docker reads them: a number needs no
// entry, a name does; the groups that name the user are added where no group is given. Pure.
base::Result<ContainerUser> resolve_user(std::string_view user, std::string_view passwd, std::string_view group);

// A group's number, by its name in the container's own file or as it stands.
base::Result<std::uint32_t> resolve_group(std::string_view name, std::string_view group);

}  // namespace orchion::node::runtimes::bundle
