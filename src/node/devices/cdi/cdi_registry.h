#pragma once

// The devices that this node's vendors describe.

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "base/error.h"
#include "node/devices/cdi/cdi_spec.h"

namespace orchion::node::devices::cdi {

// What was read at one moment. A value.
class Registry {
 public:
  // Of two folders that describe the same device the later counts. Every *.json, *.yaml and *.yml in the folders, none
  // of which has to be there. A file with anything wrong in it is kept as that: its devices are not there. Blocks.
  static Registry read(const std::vector<std::filesystem::path>& folders);

  // Names of all devices, in order.
  std::vector<std::string> devices() const;

  // What the named devices do to a container, in that order; what a file has for all its devices comes once, before the
  // first. kFailedPrecondition names a device that isn't there, or in two files that count the same.
  base::Result<std::vector<Edits>> resolve(const std::vector<std::string>& names) const;

 private:
  struct File {
    std::filesystem::path path;
    std::size_t folder = 0;
    Spec spec;
  };
  void read_file(const std::filesystem::path& path, std::size_t folder);
  base::Result<const File*> find(const std::string& name) const;
  base::Error unknown(const std::string& name) const;

  std::vector<std::filesystem::path> folders_;
  std::vector<File> files_;
  std::vector<std::string> failures_;  // "PATH: what is wrong"
};

}  // namespace orchion::node::devices::cdi
