#pragma once

// What one kind of container puts into its bundles; everything else about them is common.

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

#include "base/error.h"
#include "node/runtimes/runtime.h"
#include "node/shim/record.h"

namespace orchion::node::runtimes::bundle {

struct BundleOptions {
  std::filesystem::path state_folder;  // forgotten at boot ("/run/orchion-x")
  std::filesystem::path data_folder;   // kept: bundles, writable layers, logs; on a file system overlayfs can write to
  std::string cluster_short_id;        // of whoever lists processes
  std::string cgroup_parent;           // "/orchion-ID": removed with all in it when the last bundle goes
};

// Where the things of one container are.
struct BundlePlace {
  std::string id;
  std::filesystem::path folder;        // the bundle: the shim's working folder
  std::filesystem::path files;         // on a tmpfs, made when something has to be in it
  std::filesystem::path mounts;        // for shims to cover in namespaces of their own; made where that is needed
  std::filesystem::path shims;         // where the shim program is installed
  std::filesystem::path runtime_root;  // "runtime_root/ID" is there while the kernel may hold something of it
  std::string cgroup;                  // "/orchion-ID/CONTAINER"
};

// All calls block; several threads at once.
class BundleMaker {
 public:
  virtual ~BundleMaker() = default;

  virtual Capabilities capabilities() const = 0;

  // kInvalidArgument for what no container of this kind can have.
  virtual base::Result<> check(const ContainerConfig& config) const = 0;

  // Everything in the bundle's folder, which is there, but the settings.
  virtual base::Result<> fill(const BundlePlace& place, const ContainerConfig& config) = 0;

  // What a boot forgets; for a bundle that was filled before.
  virtual base::Result<> refill(const BundlePlace& place, const ContainerConfig& config) = 0;

  // What the shim has to know beside what it always does.
  virtual void add_settings(const BundlePlace& place, const ContainerConfig& config,
                            shim::RecordWriter& settings) const = 0;

  // Into an exec's own folder: what the shim starts in the running container whose first process is `pid`.
  virtual base::Result<> fill_exec(const BundlePlace& place, std::int64_t pid, const ExecConfig& config,
                                   const std::filesystem::path& folder) const = 0;

  // What the shim said when what it was to start could not be: a word of shim::kReport… and its text.
  virtual base::Error start_failure(std::string_view report) const = 0;

  // What the shim executes in place of the program that the bundle's settings name, as an open file of its content;
  // −1: the program itself.
  virtual int program_image(const BundlePlace&) const { return -1; }
};

}  // namespace orchion::node::runtimes::bundle
