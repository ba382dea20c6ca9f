#include "node/runtimes/engine/container_files.h"

#include <cerrno>
#include <charconv>
#include <optional>

#include <fmt/core.h>
#include <linux/magic.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <unistd.h>

#include "base/file.h"
#include "node/shim/gate/gate.h"

namespace orchion::node::runtimes::engine {

namespace {

using base::Code;
using base::Result;

std::string resolv_conf(const ContainerConfig& config) {
  std::string text;
  for (const auto& server : config.nameservers) text += "nameserver " + server + "\n";
  const auto add = [&](const char* word, const std::vector<std::string>& values) {
    if (values.empty()) return;
    text += word;
    for (const auto& value : values) text += " " + value;
    text += "\n";
  };
  add("search", config.search_domains);
  add("options", config.dns_options);
  if (config.nameservers.empty()) text += base::read_file("/etc/resolv.conf", 1u << 16).value_or("");
  return text;
}

std::string hosts_file(const ContainerConfig& config) {
  std::string text =
      "127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\nfe00::0\tip6-localnet\nff02::1\tip6-allnodes\n"
      "ff02::2\tip6-allrouters\n";
  for (const auto& [name, address] : config.hosts) text += address + "\t" + name + "\n";
  for (const auto& [name, address] : config.extra_hosts) text += address + "\t" + name + "\n";
  return text;
}

struct Owner {
  std::uint32_t uid = 0;
  std::uint32_t gid = 0;
};

// "", "uid" or "uid:gid".
std::optional<Owner> numeric_user(std::string_view user) {
  Owner owner;
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

Result<> mount_in_memory(const std::filesystem::path& folder) {
  RETURN_IF_ERROR(base::make_folders(folder));
  if (::chmod(folder.c_str(), 0700) != 0)
    return base::fail_errno(errno, fmt::format("cannot close {}", folder.string()));
  struct statfs info{};
  if (::statfs(folder.c_str(), &info) != 0)
    return base::fail_errno(errno, fmt::format("cannot look at {}", folder.string()));
  if (info.f_type != TMPFS_MAGIC &&
      ::mount("tmpfs", folder.c_str(), "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, "size=2m,mode=0700") != 0)
    return base::fail_errno(errno, fmt::format("cannot mount a tmpfs for secrets on {}", folder.string()));
  return {};
}

}  // namespace

Result<> write_network_files(const ContainerConfig& config, const std::filesystem::path& folder) {
  RETURN_IF_ERROR(base::write_file(folder / "resolv.conf", resolv_conf(config), 0644));
  RETURN_IF_ERROR(base::write_file(folder / "hosts", hosts_file(config), 0644));
  return base::write_file(folder / "hostname", config.hostname + "\n", 0644);
}

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
  RETURN_IF_ERROR(mount_in_memory(folder));
  const auto owner = user.value_or(Owner{});
  for (std::size_t i = 0; i < config.files.size(); ++i) {
    const auto& file = config.files[i];
    const auto path = folder / std::to_string(i);
    RETURN_IF_ERROR(base::write_file(path, file.bytes, 0600));
    if (::chown(path.c_str(), file.uid.value_or(owner.uid), file.gid.value_or(owner.gid)) != 0 ||
        ::chmod(path.c_str(), file.mode) != 0)
      return base::fail_errno(errno, fmt::format("cannot set the owner of {}", path.string()));
  }
  return {};
}

Result<> remove_secret_files(const std::filesystem::path& folder) {
  if (::access(folder.c_str(), F_OK) != 0) return {};
  ::umount2(folder.c_str(), MNT_DETACH);  // EINVAL where nothing is mounted
  return base::remove_tree(folder);
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
