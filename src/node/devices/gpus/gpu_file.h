#pragma once

// A file that describes GPUs that nothing else tells of:
//
//   gpus:
//     - id: accelerator-0
//       model: Example Accelerator 1
//       memory: 24GiB
//       vendor: example                          # where that matters to who asks for one
//       devices: [/dev/accel/accel0]             # what its container needs of the node; or
//       cdi: example.com/accelerator=0           # the name of a CDI file's device

#include <string_view>
#include <vector>

#include "base/error.h"
#include "node/devices/gpus/gpu.h"

namespace orchion::node::devices::gpus {

// kInvalidArgument says what is wrong, and where. An id stands once.
base::Result<std::vector<LocalGpu>> parse_gpu_file(std::string_view text);

}  // namespace orchion::node::devices::gpus
