#include "cli/host_checks.h"

#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <chrono>
#include <fstream>
#include <sstream>

#include <fmt/core.h>

#include "base/file.h"
#include "base/process.h"
#include "base/subordinate_ids.h"
#include "core/quantities.h"

namespace orchion::cli {

namespace {

namespace fs = std::filesystem;

std::string text_of(const fs::path& file) {
  std::ifstream in(file);
  std::stringstream out;
  out << in.rdbuf();
  return out.str();
}

std::string first_line(const std::string& text) {
  return text.substr(0, text.find('\n'));
}

Finding check_runtime() {
  for (const auto* name : {"crun", "runc"}) {
    if (!base::find_program(name)) continue;
    const auto version = base::run_checked({.arguments = {name, "--version"}, .limit = std::chrono::seconds(5)});
    if (version) return {true, "runtime: " + first_line(*version)};
    return {false, fmt::format("{} doesn't run ({}): install it again", name, version.error().message)};
  }
  return {false, "there is no runtime: install crun (apt install crun)"};
}

Finding check_program(const std::string& name, const std::string& without) {
  const auto found = base::find_program(name);
  if (found) return {true, fmt::format("{}: {}", name, *found)};
  return {false, fmt::format("there is no {}: without it {} (apt install {})", name, without, name)};
}

Finding check_nftables(const Host& host) {
  if (!base::find_program("nft"))
    return {false, "there is no nft: without nftables there are no published ports (apt install nftables)"};
  // Without root the rules are in a namespace of one's own, which isn't there yet.
  if (!host.is_root) return {true, "nftables is installed"};
  const auto listed = base::run_process({.arguments = {"nft", "list", "tables"}, .limit = std::chrono::seconds(5)});
  if (listed && listed->exit_code == 0) return {true, "nftables answers"};
  return {false, "nftables can't be asked: run this as root, on a kernel with nf_tables"};
}

Finding check_root(const Host& host) {
  if (host.is_root) return {true, "running as root"};
  for (const auto* program : {"newuidmap", "newgidmap", "slirp4netns"})
    if (!base::find_program(program))
      return {false,
              fmt::format("there is no {}: without root containers need it (apt install uidmap slirp4netns)", program)};
  const auto ids = base::find_subordinate_ids();
  if (!ids) return {false, ids.error().message};
  return {true, "not running as root: containers are this user's own"};
}

Finding check_space(const Host& host) {
  auto folder = fs::absolute(host.data);
  std::error_code error;
  while (!fs::exists(folder, error) && folder.has_parent_path() && folder != folder.parent_path())
    folder = folder.parent_path();
  struct statvfs space{};
  if (::statvfs(folder.c_str(), &space) != 0)
    return {false, fmt::format("the free space of {} can't be told: name another folder with --data", folder.string())};
  return check_disk(folder, static_cast<std::uint64_t>(space.f_bavail) * space.f_frsize,
                    static_cast<std::uint64_t>(space.f_blocks) * space.f_frsize);
}

// This program is younger than the clock should ever be.
Finding check_clock_of_this_machine(const Host& host) {
  struct stat program{};
  const bool known = ::stat((host.proc / "self/exe").c_str(), &program) == 0;
  return check_clock(::time(nullptr), known ? program.st_mtim.tv_sec : 0);
}

// The inode of the socket that is bound to `port`, as one of the kernel's tables has it: "sl local_address …", the
// address in hexadecimal, the state in the fourth column and the inode in the tenth.
std::optional<std::string> socket_on(const fs::path& table, std::uint16_t port, const std::string& state) {
  std::istringstream lines(text_of(table));
  const auto suffix = fmt::format(":{:04X}", port);
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words(line);
    std::vector<std::string> columns;
    for (std::string word; words >> word;) columns.push_back(word);
    if (columns.size() > 9 && columns[1].ends_with(suffix) && columns[3] == state) return columns[9];
  }
  return std::nullopt;
}

std::string owner_of(const fs::path& proc, const std::string& inode) {
  const auto wanted = "socket:[" + inode + "]";
  std::error_code error;
  for (const auto& process : fs::directory_iterator(proc, error)) {
    const auto pid = process.path().filename().string();
    if (pid.find_first_not_of("0123456789") != std::string::npos) continue;
    std::error_code gone;
    for (const auto& fd : fs::directory_iterator(process.path() / "fd", gone))
      if (fs::read_symlink(fd.path(), gone).string() == wanted)
        return fmt::format("{} (pid {})", first_line(text_of(process.path() / "comm")), pid);
  }
  return "";
}

}  // namespace

Finding check_cgroups(const Host& host) {
  const auto controllers = first_line(text_of(host.cgroups / "cgroup.controllers"));
  std::error_code error;
  if (fs::exists(host.cgroups / "cgroup.controllers", error)) {
    for (const auto* needed : {"cpu", "memory", "pids"})
      if (fmt::format(" {} ", controllers).find(fmt::format(" {} ", needed)) == std::string::npos)
        return {false, fmt::format("cgroup v2 lacks the controller {}: without it there are no such limits", needed)};
    return {true, "cgroup v2: " + controllers};
  }
  if (fs::exists(host.cgroups / "memory", error)) return {true, "cgroup v1"};
  return {false, fmt::format("there are no cgroups in {}: mount them", host.cgroups.string())};
}

Finding check_overlay(const Host& host) {
  if (text_of(host.proc / "filesystems").find("\toverlay\n") != std::string::npos) return {true, "overlayfs is there"};
  return {false, "the kernel has no overlayfs: modprobe overlay"};
}

Finding check_forwarding(const Host& host) {
  const auto file = host.proc / "sys/net/ipv4/ip_forward";
  if (first_line(text_of(file)) == "1") return {true, "ip_forward is on"};
  if (::access(file.c_str(), W_OK) == 0) return {true, "ip_forward is off: the first network switches it on"};
  return {false, "ip_forward is off and can't be switched on: sysctl net.ipv4.ip_forward=1"};
}

Finding check_clock(std::int64_t now_seconds, std::int64_t built_seconds) {
  if (now_seconds + 60 >= built_seconds) return {true, "the clock is later than this program"};
  return {false, "the clock stands before this program was installed: set it, or certificates aren't valid yet"};
}

Finding check_disk(const fs::path& folder, std::uint64_t free_bytes, std::uint64_t total_bytes) {
  const auto text = fmt::format("{} of {} are free below {}", core::format_bytes(static_cast<std::int64_t>(free_bytes)),
                                core::format_bytes(static_cast<std::int64_t>(total_bytes)), folder.string());
  if (free_bytes >= (1u << 30)) return {true, text};
  return {false, text + ": `orchion image prune` removes what no task uses"};
}

std::optional<Finding> check_token_file(const fs::path& file) {
  struct stat status{};
  if (::stat(file.c_str(), &status) != 0) return std::nullopt;
  if ((status.st_mode & 077) == 0) return Finding{true, file.string() + " is its owner's alone"};
  return Finding{false, fmt::format("others may read the token in {0}: chmod 600 {0}", file.string())};
}

Finding check_port(const Host& host, std::uint16_t port) {
  constexpr const char* kListening = "0A";
  constexpr const char* kBound = "07";
  for (const auto* table : {"tcp", "tcp6", "udp", "udp6"}) {
    const auto inode = socket_on(host.proc / "net" / table, port, *table == 't' ? kListening : kBound);
    if (!inode) continue;
    const auto owner = owner_of(host.proc, *inode);
    if (owner.starts_with("orchion ")) return {true, fmt::format("port {} is of {}", port, owner)};
    return {false, fmt::format("port {} is taken by {}: end it, or choose others with --http, --grpc and --nodes", port,
                               owner.empty() ? "another user's process" : owner)};
  }
  return {true, fmt::format("port {} is free", port)};
}

std::vector<Finding> check_host(const Host& host) {
  std::vector<Finding> findings;
  for (const auto& file : host.token_files)
    if (auto finding = check_token_file(file)) findings.push_back(std::move(*finding));
  findings.push_back(check_root(host));
  findings.push_back(check_runtime());
  findings.push_back(check_cgroups(host));
  findings.push_back(check_overlay(host));
  findings.push_back(check_nftables(host));
  findings.push_back(check_forwarding(host));
  findings.push_back(check_program("skopeo", "images can't be pulled"));
  findings.push_back(check_clock_of_this_machine(host));
  findings.push_back(check_space(host));
  for (const std::uint16_t port : {4600, 4601, 4602, 4603}) findings.push_back(check_port(host, port));
  return findings;
}

std::string findings_text(const std::vector<Finding>& findings) {
  std::string out;
  for (const auto& finding : findings) out += fmt::format("{} {}\n", finding.good ? "✔" : "✖", finding.text);
  return out;
}

}  // namespace orchion::cli
