#pragma once

// VOrchestrator's files: `{"services": {NAME: {"image": "…", "ports": ["8080:80"], "environment": {"K": "V"}}}}`.
// What they may say is a part of Compose, so that the tree goes on as a Compose file's; but they know no variables: a
// `$` in them is a `$`.

#include <string_view>

#include "spec/node.h"
#include "spec/problems.h"

namespace orchion::spec {

// Found in a folder that has no Compose file.
inline constexpr std::string_view kVorcFile = "vorc.json";

// Whether a file of that name, with or without its folder, is VOrchestrator's.
bool is_vorc_file(std::string_view name);

// Adds a problem for each key and form in the file's tree that VOrchestrator doesn't know; what is wrong with the rest
// the loader says, as of every file.
void check_vorc(const Node& root, Problems& problems);

}  // namespace orchion::spec
