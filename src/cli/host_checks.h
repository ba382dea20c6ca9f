#pragma once

// What orchion needs of the machine it runs on, looked at from outside: files of the kernel and programs in PATH.

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace orchion::cli {

struct Finding {
  bool good = true;
  std::string text;  // one sentence; what to do, too, where it isn't good

  bool operator==(const Finding&) const = default;
};

// Where it is looked; elsewhere than / in tests.
struct Host {
  std::filesystem::path proc = "/proc";
  std::filesystem::path cgroups = "/sys/fs/cgroup";
  std::filesystem::path data;                      // the data folder, which may not be there yet
  std::vector<std::filesystem::path> token_files;  // those of them that are there are looked at
  bool is_root = true;
};

// All of them, in the order in which they are printed. Blocks.
std::vector<Finding> check_host(const Host& host);

// Each of these is one of them.
Finding check_cgroups(const Host& host);
Finding check_overlay(const Host& host);
Finding check_forwarding(const Host& host);
Finding check_clock(std::int64_t now_seconds, std::int64_t built_seconds);
Finding check_disk(const std::filesystem::path& folder, std::uint64_t free_bytes, std::uint64_t total_bytes);
std::optional<Finding> check_token_file(const std::filesystem::path& file);
Finding check_port(const Host& host, std::uint16_t port);

// Lines for people: "✔ …" or "✖ …".
std::string findings_text(const std::vector<Finding>& findings);

}  // namespace orchion::cli
