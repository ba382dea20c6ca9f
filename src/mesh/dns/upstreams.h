#pragma once

// The host's own resolvers, as its resolv.conf names them.

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace orchion::mesh::dns {

struct Upstream {
  std::string address;  // IPv4 or IPv6, perhaps with a scope
  std::uint16_t port = 53;

  bool operator==(const Upstream&) const = default;
};

// At most the first three, as the C library has it. Pure.
std::vector<Upstream> parse_resolv_conf(std::string_view text);

// Reads the file again whenever it has changed. Blocks for as long as a small local file does.
class ResolvConf {
 public:
  explicit ResolvConf(std::filesystem::path path) : path_(std::move(path)) {}
  const std::vector<Upstream>& upstreams();

 private:
  const std::filesystem::path path_;
  std::filesystem::file_time_type changed_{};
  std::vector<Upstream> upstreams_;
};

}  // namespace orchion::mesh::dns
