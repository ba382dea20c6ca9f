#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "base/file.h"

namespace orchion::node::runtimes::oci {

// A program that runs OCI bundles, by the command line that runc has and others took over.
struct RuntimeBinary {
  std::string name;  // "crun"
  std::filesystem::path path;
  std::string version;
  // A copy in memory that nobody can write to any more. crun and runc make one of themselves at each start, so that no
  // container can change the host's program through /proc, unless they see that they run from one. Null where the
  // machine forbids programs in memory (vm.memfd_noexec): then the file itself is started.
  std::shared_ptr<const base::UniqueFd> image;

  bool is_crun() const { return name == "crun"; }
};

// Those that are installed of crun, runc, youki and runsc, in this order; kNotFound, with what to install, where none
// is. Blocks.
base::Result<std::vector<RuntimeBinary>> find_oci_runtimes();

// Whether there is any of them.
bool has_oci_runtime();

// One of them.
base::Result<RuntimeBinary> find_oci_runtime(std::string_view name);

}  // namespace orchion::node::runtimes::oci
