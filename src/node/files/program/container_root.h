#pragma once

#include <string>

#include "tar/tree_root.h"

namespace orchion::node::files {

// What a container's first process sees as "/", and where it stands in it.
struct ContainerRoot {
  tar::TreeRoot root;
  std::string working_folder;  // as the container calls it, "/srv/app"
};

// Opens that of process `pid`, which `pidfd` is of, and joins its user namespace, as root of it, where it isn't this
// process's. kFailedPrecondition: the process has ended. One thread only.
base::Result<ContainerRoot> enter_container(pid_t pid, int pidfd);

}  // namespace orchion::node::files
