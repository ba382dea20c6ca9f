#include "spec/file_system.h"

#include <iostream>

#include <fmt/core.h>

#include "base/file.h"

namespace orchion::spec {

using base::Code;
using base::Result;

namespace {

Result<std::string> too_large(const std::filesystem::path& path, std::size_t bytes_max) {
  return base::fail(Code::kResourceExhausted,
                    fmt::format("{} is larger than {} KiB: make it smaller", path.string(), bytes_max >> 10));
}

Result<std::string> read_standard_input(std::size_t bytes_max) {
  std::string text;
  char piece[4096];
  while (std::cin.read(piece, sizeof piece), std::cin.gcount() > 0) {
    text.append(piece, static_cast<std::size_t>(std::cin.gcount()));
    if (text.size() > bytes_max) return too_large("-", bytes_max);
  }
  return text;
}

}  // namespace

Result<std::string> DiskFileSystem::read(const std::filesystem::path& path, std::size_t bytes_max) const {
  if (path == "-") return read_standard_input(bytes_max);
  std::error_code ignored;
  if (std::filesystem::is_directory(path, ignored))
    return base::fail(Code::kInvalidArgument, fmt::format("{} is a folder: name a file in it", path.string()));
  return base::read_file(path, bytes_max);
}

bool DiskFileSystem::exists(const std::filesystem::path& path) const {
  std::error_code ignored;
  return std::filesystem::exists(path, ignored);
}

std::filesystem::path DiskFileSystem::resolve(const std::filesystem::path& path) const {
  std::error_code error;
  auto resolved = std::filesystem::weakly_canonical(std::filesystem::absolute(path, error), error);
  return error ? path.lexically_normal() : resolved;
}

Result<std::string> MemoryFileSystem::read(const std::filesystem::path& path, std::size_t bytes_max) const {
  const auto found = files.find(path.lexically_normal());
  if (found == files.end()) return base::fail(Code::kNotFound, fmt::format("{} does not exist", path.string()));
  if (found->second.size() > bytes_max) return too_large(path, bytes_max);
  return found->second;
}

}  // namespace orchion::spec
