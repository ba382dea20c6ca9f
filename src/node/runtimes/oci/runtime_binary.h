#pragma once

#include <filesystem>
#include <string>

#include "base/error.h"

namespace orchion::node::runtimes::oci {

struct RuntimeBinary {
  enum class Kind { kCrun, kRunc };
  Kind kind = Kind::kCrun;
  std::filesystem::path path;
  std::string version;

  const char* name() const { return kind == Kind::kCrun ? "crun" : "runc"; }
};

// crun, else runc; kNotFound with what to install. Blocks.
base::Result<RuntimeBinary> find_oci_runtime();

// The same for one of them.
base::Result<RuntimeBinary> find_oci_runtime(RuntimeBinary::Kind kind);

}  // namespace orchion::node::runtimes::oci
