#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "spec/build_spec.h"
#include "spec/context.h"
#include "spec/node.h"

namespace orchion::spec {

// `service` has a `build`, as a map. Its secrets' sources are filled in by fill_build_secrets().
BuildSpec load_build(const std::string& name, const Node& service, LoadContext& context);

// Looks the secrets up that builds name; `root` is the whole file.
void fill_build_secrets(const Node& root, std::vector<BuildSpec>& builds, LoadContext& context);

// "shop-web": what an image is called that the file gives no name.
std::string built_image_name(std::string_view stack, std::string_view service);

}  // namespace orchion::spec
