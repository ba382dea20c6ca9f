#pragma once

// What the words and flags of a command say about one container that it runs.

#include <string>
#include <vector>

#include "base/error.h"
#include "v1/specs.pb.h"

namespace CLI {
class App;
}

namespace orchion::cli {

struct ContainerOptions {
  std::vector<std::string> command;  // empty: the image's
  std::string entrypoint;
  std::string user;
  std::string working_dir;
  std::string memory;
  std::string cpus;
  std::vector<std::string> environment;  // NAME=value, or NAME for this shell's value
  std::vector<std::string> mounts;       // of folders of the node
};

// The flags; `command` is the caller's, as the last of its words.
void add_container_options(CLI::App* command, ContainerOptions& options);

// The first that is set, as the user typed it; empty: none is.
std::string first_container_option(const ContainerOptions& options);

// Over what the container has already, from its image or its service.
base::Result<> apply_container_options(const ContainerOptions& options, v1::ContainerSpec& container);

// "nginx" of "docker.io/library/nginx:1.27@sha256:…".
std::string short_image_name(const std::string& image);

// Where a container goes that is run outside a project.
inline constexpr const char* kDefaultStack = "default";

}  // namespace orchion::cli
