#pragma once

#include <string_view>

namespace orchion::node::shim {

// Mounts everything that a container with users of its own sees, as kUsersFile in the working folder says: its root
// and its binds with the owners moved into its range, devices that it owns, a sysfs of its network; and sets what of
// the network is to be set, which its own root may not. In the shim's own mount namespace. What failed is reported;
// false then.
bool mount_for_own_users(int layers);

// "orchion-shim try-users FIRST COUNT BIND…": whether the owners of what is to be bound, each as in kUsersFile, can be
// moved by this node's kernel. 0; or 1, and why not on standard output.
int try_users(int count, char** arguments);

// An input that has ended; −1 where there is none. In place of /dev/null: crun gives a container's standard streams to
// its root, and that would be the node's own device.
int open_ended_input();

bool is_null_device(int fd);

}  // namespace orchion::node::shim
