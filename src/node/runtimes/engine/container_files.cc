#include "node/runtimes/engine/container_files.h"

#include <cerrno>
#include <charconv>
#include <optional>

#include <fmt/core.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "node/runtimes/memory_files.h"
#include "node/shim/gate/gate.h"

namespace orchion::node::runtimes::engine {

namespace {

using base::Code;
using base::Result;

std::optional<FileOwner> numeric_user(std::string_view user) {
  FileOwner owner;
  if (user.empty() || user == "root") return owner;
  const auto colon = user.find(':');
  const auto number = [](std::string_view text, std::uint32_t& value) {
    const auto* end = text.data() + text.size();
    const auto read = std::from_chars(text.data(), end, value);
    return read.ec == std::errc() && read.ptr == end;
  };
  if (!number(user.substr(0, colon), owner.uid)) return std::nullopt;
  if (colon != std::string_view::npos && !number(user.substr(colon + 1), owner.gid)) return std::nullopt;
  return owner;
}

}  // namespace

Result<> write_secret_files(const ContainerConfig& config, const std::filesystem::path& folder) {
  if (config.files.empty()) return {};
  const auto user = numeric_user(config.user);
  for (const auto& file : config.files) {
    if (!user && (!file.uid || !file.gid))
      return base::fail(Code::kInvalidArgument,
                        fmt::format("{} has no owner, and '{}' is known to the image alone: write the user, or the "
                                    "file's uid and gid, as numbers",
                                    file.target.string(), config.user));
  }
  return write_memory_files(folder, config.files, user.value_or(FileOwner{}));
}

Result<> make_gate_folder(const std::filesystem::path& program, const std::filesystem::path& folder) {
  RETURN_IF_ERROR(base::make_folders(folder));
  // Whatever the umask: any user of the container goes through it.
  if (::chmod(folder.c_str(), 0755) != 0)
    return base::fail_errno(errno, fmt::format("cannot open {} for the container", folder.string()));
  const auto link = folder / shim::kGateProgram;
  if (::link(program.c_str(), link.c_str()) != 0 && errno != EEXIST)
    return base::fail_errno(errno, fmt::format("cannot put the gate into {}", folder.string()));
  return {};
}

}  // namespace orchion::node::runtimes::engine
