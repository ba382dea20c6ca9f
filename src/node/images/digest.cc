#include "node/images/digest.h"

#include <cassert>
#include <cerrno>
#include <vector>

#include <fcntl.h>
#include <fmt/core.h>
#include <unistd.h>

#include "base/file.h"

namespace orchion::node::images {

namespace {

constexpr std::string_view kPrefix = "sha256:";

}  // namespace

bool is_hex_sha256(std::string_view text) {
  return text.size() == 64 && text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

bool is_digest(std::string_view text) {
  return text.starts_with(kPrefix) && is_hex_sha256(text.substr(kPrefix.size()));
}

std::string digest_hex(std::string_view digest) {
  assert(is_digest(digest));
  return std::string(digest.substr(kPrefix.size()));
}

std::string digest_of(std::string_view bytes) {
  Sha256 hash;
  hash.update(bytes);
  return hash.finish();
}

base::Result<std::string> digest_of_file(const std::filesystem::path& path) {
  const base::UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd) return base::fail_errno(errno, fmt::format("cannot open {}", path.string()));
  Sha256 hash;
  std::vector<char> buffer(256u << 10);
  while (true) {
    const auto n = ::read(fd.get(), buffer.data(), buffer.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return base::fail_errno(errno, fmt::format("cannot read {}", path.string()));
    if (n == 0) return hash.finish();
    hash.update({buffer.data(), static_cast<std::size_t>(n)});
  }
}

}  // namespace orchion::node::images
