#pragma once

// Named volumes of this machine: folders that outlive their containers.

#include <filesystem>
#include <string>
#include <vector>

#include "base/co.h"

namespace orchion::node::volumes {

class Volumes {
 public:
  virtual ~Volumes() = default;

  // The folder of this volume's data, made where there is none.
  virtual base::Co<std::filesystem::path> ensure(std::string uid) = 0;
  virtual base::Co<> remove(std::string uid) = 0;
  virtual base::Co<std::vector<std::string>> list() = 0;
};

}  // namespace orchion::node::volumes
