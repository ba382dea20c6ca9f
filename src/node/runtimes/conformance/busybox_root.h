#pragma once

#include <filesystem>

namespace orchion::node::runtimes {

// A folder below the system's temporary one, with a random name; removed with all that is in it.
class TestFolder {
 public:
  TestFolder();
  ~TestFolder();
  TestFolder(const TestFolder&) = delete;
  TestFolder& operator=(const TestFolder&) = delete;

  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

// Fills `folder` with a root file system of the distribution's static busybox: a shell, its tools, two users.
void make_busybox_root(const std::filesystem::path& folder);

}  // namespace orchion::node::runtimes
