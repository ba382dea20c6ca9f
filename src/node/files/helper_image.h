#pragma once

#include "base/file.h"

namespace orchion::node::files {

// The program of program/, as embedded in this one, in a file of memory that can be executed by its descriptor. Blocks.
base::Result<base::UniqueFd> open_helper_image();

}  // namespace orchion::node::files
