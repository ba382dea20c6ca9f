#pragma once

#include <string>
#include <string_view>

#include "base/error.h"

namespace orchion::node::images {

// An errno of the store's file system; a full disk says what to do about it.
std::unexpected<base::Error> fail_disk(int error_number, std::string_view action);

// A name out of an archive, fit for a message: control bytes replaced, quoted, cut.
std::string in_quotes(std::string_view name);

}  // namespace orchion::node::images
