#include "tar/tree_root.h"

#include <cerrno>
#include <vector>

#include <fcntl.h>
#include <fmt/core.h>
#include <fmt/ranges.h>
#include <linux/openat2.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace orchion::tar {

base::UniqueFd TreeRoot::open(const std::string& path, std::uint64_t flags) const {
  open_how how{};
  how.flags = flags | O_CLOEXEC;
  how.resolve = RESOLVE_NO_MAGICLINKS | (links_ == Links::kInside ? RESOLVE_IN_ROOT : RESOLVE_BENEATH);
  while (true) {
    const auto fd =
        static_cast<int>(::syscall(SYS_openat2, folder_.get(), path.empty() ? "." : path.c_str(), &how, sizeof how));
    // EAGAIN: a rename elsewhere made the kernel unsure; it asks to be called again.
    if (fd >= 0 || (errno != EAGAIN && errno != EINTR)) return base::UniqueFd(fd);
  }
}

std::string clean(std::string_view path) {
  std::vector<std::string_view> parts;
  while (!path.empty()) {
    const auto slash = path.find('/');
    const auto part = path.substr(0, slash);
    path = slash == std::string_view::npos ? std::string_view() : path.substr(slash + 1);
    if (part == "..") {
      if (!parts.empty()) parts.pop_back();
    } else if (!part.empty() && part != ".") {
      parts.push_back(part);
    }
  }
  return fmt::format("{}", fmt::join(parts, "/"));
}

SplitPath split(const std::string& path) {
  const auto slash = path.rfind('/');
  if (slash == std::string::npos) return {"", path};
  return {path.substr(0, slash), path.substr(slash + 1)};
}

std::string in_quotes(std::string_view name) {
  constexpr std::size_t kShown = 200;
  std::string result = "\"";
  for (const char c : name.substr(0, kShown)) result += static_cast<unsigned char>(c) < 32 || c == 127 ? '?' : c;
  return result + (name.size() > kShown ? "…\"" : "\"");
}

std::unexpected<base::Error> fail_at(int error_number, std::string_view action, std::string_view name) {
  const auto what = fmt::format("cannot {} {}", action, in_quotes(name));
  const auto refuse = [&](base::Code code, std::string_view why) {
    return base::fail(code, what + ": " + std::string(why));
  };
  switch (error_number) {
    case ENOSPC:
    case EDQUOT: return refuse(base::Code::kResourceExhausted, "no space is left there, free some first");
    case EROFS: return refuse(base::Code::kFailedPrecondition, "it is read-only there");
    case EXDEV: return refuse(base::Code::kInvalidArgument, "a link leads out of the folder");
    case ELOOP: return refuse(base::Code::kFailedPrecondition, "links lead in a circle");
    case ENOTDIR: return refuse(base::Code::kFailedPrecondition, "something above it is no folder");
    case ENAMETOOLONG: return refuse(base::Code::kInvalidArgument, "the name is too long");
    case ENOSYS: return refuse(base::Code::kFailedPrecondition, "it takes a Linux kernel of 5.6 or newer (openat2)");
    default: return base::fail_errno(error_number, what);
  }
}

}  // namespace orchion::tar
