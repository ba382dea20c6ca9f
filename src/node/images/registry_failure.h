#pragma once

#include <filesystem>
#include <string_view>

#include "base/error.h"
#include "core/image_reference.h"

namespace orchion::node::images {

enum class Direction { kPull, kPush };

// What skopeo's last words mean for the user. `talk` is its standard error; `credentials` the file that those it had
// came from, empty where it had none. Pure.
base::Error explain_failure(Direction direction, const core::ImageReference& reference,
                            const std::filesystem::path& credentials, std::string_view talk);

// Nothing came for so long. kUnavailable.
base::Error explain_stall(const core::ImageReference& reference, std::string_view waited);

}  // namespace orchion::node::images
