#pragma once

// Containers by crun or runc, without a daemon: a shim stays with each.

#include <memory>

#include "node/runtimes/bundle/bundle_runtime.h"
#include "node/runtimes/oci/oci_options.h"

namespace orchion::node::runtimes::oci {

class OciRuntime final : public bundle::BundleRuntime {
 public:
  // Installs the shim, reads how cgroups are mounted and the seccomp profile. Needs root. Blocks. `pool` must
  // outlive the runtime.
  static base::Result<std::unique_ptr<OciRuntime>> open(base::Executor executor, base::WorkerPool& pool,
                                                        OciOptions options);

  // The containers themselves, as any instance with these options finds them. Blocks.
  static base::Result<std::shared_ptr<bundle::BundleStore>> open_store(OciOptions options);

 private:
  using BundleRuntime::BundleRuntime;
};

}  // namespace orchion::node::runtimes::oci
