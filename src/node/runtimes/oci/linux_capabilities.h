#pragma once

#include <string>
#include <vector>

#include "base/error.h"

namespace orchion::node::runtimes::oci {

// Docker's default set plus `add` minus `drop`, as "CAP_…", sorted. Names come with or without "CAP_", in any case;
// "ALL" is every capability. An unknown one is kInvalidArgument.
base::Result<std::vector<std::string>> effective_capabilities(const std::vector<std::string>& add,
                                                              const std::vector<std::string>& drop);

}  // namespace orchion::node::runtimes::oci
