#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "core/image_reference.h"
#include "node/images/registry_failure.h"

namespace orchion::node::images {

// What this node says of registries, beside what skopeo and Docker find in their own places.
struct RegistryFiles {
  std::filesystem::path credentials;  // as Docker's config.json; need not exist
  std::filesystem::path mirrors;      // registries.conf(5), instead of the machine's where it exists
};

// skopeo, run for one image: with its credentials, in a file of its own that goes with it, and the configuration of
// registries. Blocks; one thread.
class Skopeo {
 public:
  // Finds the credentials for the reference's registry and writes them below `temp`, which is the caller's alone.
  static base::Result<Skopeo> prepare(const RegistryFiles& files, Direction direction,
                                      const core::ImageReference& reference, const std::filesystem::path& temp);

  struct Call {
    std::vector<std::string> arguments;  // after the global options and the command's own for credentials
    std::string command;                 // "copy", "inspect"
    base::Duration limit;
    std::function<base::Result<>()> watch;  // see base::Command
  };
  // What it printed. An error says what its last words mean for the user; kDeadlineExceeded: the limit.
  base::Result<std::string> run(Call call) const;

  const core::ImageReference& reference() const { return reference_; }

 private:
  Skopeo() = default;

  Direction direction_ = Direction::kPull;
  core::ImageReference reference_;
  std::filesystem::path temp_;
  std::filesystem::path authfile_;
  std::filesystem::path mirrors_;  // empty: the machine's
  std::filesystem::path credentials_source_;
};

}  // namespace orchion::node::images
