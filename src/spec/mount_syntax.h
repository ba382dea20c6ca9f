#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include "base/error.h"
#include "v1/specs.pb.h"

namespace orchion::spec {

// Against what paths on the host are resolved.
struct HostFolders {
  std::filesystem::path project;
  std::string home;  // empty: not known, `~` is refused
};

// An absolute, normal path from one that begins with `/`, `.` or `~`.
base::Result<std::string> resolve_host_path(std::string_view path, const HostFolders& folders);

// An absolute path inside a container, in normal form.
base::Result<std::string> normal_target(std::string_view path);

bool is_propagation(std::string_view word);

// "/run:size=64m,mode=1777", as `tmpfs` of a service has it.
base::Result<v1::Mount> parse_tmpfs(std::string_view text);

// "SOURCE:TARGET[:OPTIONS]", as Compose's short syntax; "TARGET" alone is a volume without a source. kInvalidArgument
// without a place.
base::Result<v1::Mount> parse_mount(std::string_view text, const HostFolders& folders);

}  // namespace orchion::spec
