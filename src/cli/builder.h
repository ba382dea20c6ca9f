#pragma once

// The programs that make images from source, and what they are told. Pure, but for choose_builder().

#include <filesystem>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "base/error.h"
#include "spec/build_spec.h"

namespace orchion::cli {

enum class Builder { kBuildah, kPodman, kDocker };

std::string program_of(Builder builder);

// `wanted` is what the user said ("docker"), or empty: then the first there is, Docker first where its tasks run.
// `is_there` tells whether a program is on this machine. kFailedPrecondition says what to install.
base::Result<Builder> choose_builder(const std::string& wanted, const std::string& executor,
                                     const std::function<bool(const std::string&)>& is_there);

// What is said for one run, over what the file says.
struct BuildFlags {
  bool no_cache = false;
  bool pull = false;
  std::vector<std::string> arguments;  // NAME=value, or NAME for this shell's value
};

struct BuildFiles {
  std::filesystem::path id;          // where the builder writes what it made
  std::filesystem::path dockerfile;  // has what the Compose file holds inline, where it does
};

// A program's arguments, and what else it finds in its environment: what may be secret is there, or in files.
struct BuilderCall {
  std::vector<std::string> arguments;
  std::vector<std::pair<std::string, std::string>> environment;
};

// kFailedPrecondition: this builder can't.
base::Result<BuilderCall> build_call(Builder builder, const spec::BuildSpec& build, const BuildFlags& flags,
                                     const BuildFiles& files);

// Writes the image of that id, under the service's name for it, as an archive.
BuilderCall save_call(Builder builder, const std::string& id, const std::string& image,
                      const std::filesystem::path& archive);

}  // namespace orchion::cli
