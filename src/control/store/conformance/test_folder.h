#pragma once

#include <filesystem>

#include "base/random.h"

namespace orchion::control::store {

// A new name in the temporary folder; what is made there goes with it.
class TestFolder {
 public:
  TestFolder() {
    auto random = base::Random::from_system();
    path_ = std::filesystem::temp_directory_path() / ("orchion-store-" + random.text(12));
  }
  ~TestFolder() { std::filesystem::remove_all(path_); }
  TestFolder(const TestFolder&) = delete;
  TestFolder& operator=(const TestFolder&) = delete;

  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

}  // namespace orchion::control::store
