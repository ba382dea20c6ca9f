#pragma once

// A GPU of this machine.

#include <string>
#include <vector>

#include "v1/objects.pb.h"

namespace orchion::node::devices::gpus {

struct LocalGpu {
  v1::Gpu gpu;                            // as the API describes it; its `cdi_name` is empty here
  std::vector<std::string> cdi_names;     // under which its vendor's files may know it, the best first
  std::vector<std::string> device_nodes;  // what a container needs of it where no file knows it: "/dev/dri/renderD128"
  bool needs_cdi = false;                 // device files alone are of no use to a container: its libraries are needed
};

}  // namespace orchion::node::devices::gpus
