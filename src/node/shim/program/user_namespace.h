#pragma once

// Users of a container's own, as the kernel has them: a namespace whose numbers are a range of the node's, and mounts
// on which the owners of files are moved by that range.

#include <cstdint>

namespace orchion::node::shim {

struct UserRange {
  std::int64_t first = 0;  // the node's number of user and group 0 inside
  std::int64_t count = 0;
};

// A user namespace that nothing runs in, as a descriptor for map_owners(); −1 and errno where there is none.
int make_user_namespace(UserRange range);

// A mount of `path`, and where `recursive` of all that is mounted below, that is nowhere yet (a descriptor): what there
// belongs to 0 belongs to the range's first on it, and so on. `namespace_fd` −1: owners as they are. −1 and errno.
int clone_mount(const char* path, bool recursive, int namespace_fd);

// Adds attributes (MOUNT_ATTR_…) to the mount itself, not to those below it. False and errno.
bool add_attributes(int mount, std::uint64_t attributes);

// Puts it at `path`, whose links are followed. False and errno.
bool attach_mount(int mount, const char* path);

}  // namespace orchion::node::shim
