#pragma once

#include <filesystem>
#include <map>
#include <string>

#include "base/error.h"

namespace orchion::spec {

// What the loader reads from; files in memory take its place in tests.
class FileSystem {
 public:
  virtual ~FileSystem() = default;

  // kNotFound where there is none, kResourceExhausted above `bytes_max`.
  virtual base::Result<std::string> read(const std::filesystem::path& path, std::size_t bytes_max) const = 0;
  virtual bool exists(const std::filesystem::path& path) const = 0;

  // Absolute, symbolic links and `..` resolved as far as the path exists.
  virtual std::filesystem::path resolve(const std::filesystem::path& path) const = 0;
};

// The machine's own. The path "-" reads standard input, once.
class DiskFileSystem final : public FileSystem {
 public:
  base::Result<std::string> read(const std::filesystem::path& path, std::size_t bytes_max) const override;
  bool exists(const std::filesystem::path& path) const override;
  std::filesystem::path resolve(const std::filesystem::path& path) const override;
};

// Files by their absolute path; no links.
class MemoryFileSystem final : public FileSystem {
 public:
  std::map<std::filesystem::path, std::string> files;

  base::Result<std::string> read(const std::filesystem::path& path, std::size_t bytes_max) const override;
  bool exists(const std::filesystem::path& path) const override { return files.contains(path.lexically_normal()); }
  std::filesystem::path resolve(const std::filesystem::path& path) const override { return path.lexically_normal(); }
};

}  // namespace orchion::spec
