#pragma once

#include <string>
#include <string_view>

#include "node/images/content_store.h"

namespace orchion::node::images {

// A reference as it is kept on the disk; what its configuration says is read from the blob again.
std::string write_reference_record(const StoredImage& image);
base::Result<StoredImage> parse_reference_record(std::string_view json);

}  // namespace orchion::node::images
