#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/error.h"

namespace orchion::node::runtimes::bundle {

// Docker's default set plus `add` minus `drop`, as "CAP_…", sorted. Names come with or without "CAP_", in any case;
// "ALL" is every capability. An unknown one is kInvalidArgument.
base::Result<std::vector<std::string>> effective_capabilities(const std::vector<std::string>& add,
                                                              const std::vector<std::string>& drop);

// Every capability but `drop`, by number; names as above.
base::Result<std::uint64_t> capability_mask_without(const std::vector<std::string>& drop);

// All that this process could hand on, as "CAP_…": it may itself have been given fewer than there are.
std::vector<std::string> available_capabilities();

}  // namespace orchion::node::runtimes::bundle
