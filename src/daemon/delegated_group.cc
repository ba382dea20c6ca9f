#include "daemon/delegated_group.h"

#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <thread>

#include <fmt/core.h>

#include "base/file.h"
#include "base/process.h"

namespace orchion::daemon {

namespace {

namespace fs = std::filesystem;
using base::Code;

constexpr const char* kTop = "/sys/fs/cgroup";
constexpr std::string_view kHolderLeaf = "/holder";
constexpr auto kMoveLimit = std::chrono::seconds(5);
constexpr auto kMoveLook = std::chrono::milliseconds(10);

std::string group_of(pid_t process) {
  return unified_group(base::read_file(fmt::format("/proc/{}/cgroup", process)).value_or(""));
}

base::Result<> write_group(const std::string& group, const char* file, const std::string& text) {
  const auto path = kTop + group + "/" + file;
  std::ofstream out(path);
  out << text << std::flush;
  if (out) return {};
  return base::fail(Code::kFailedPrecondition, fmt::format("cannot write {} to {}", text, path));
}

// A call of the user's systemd.
base::Result<> call_systemd(const char* method, std::vector<std::string> arguments) {
  base::Command command{.arguments = {"busctl", "--user", "call", "org.freedesktop.systemd1",
                                      "/org/freedesktop/systemd1", "org.freedesktop.systemd1.Manager", method},
                        .limit = std::chrono::seconds(10)};
  for (auto& argument : arguments) command.arguments.push_back(std::move(argument));
  RETURN_IF_ERROR(base::run_checked(command));
  return {};
}

base::Result<std::string> wait_for_move(pid_t process, const std::string& unit) {
  const auto deadline = std::chrono::steady_clock::now() + kMoveLimit;
  while (std::chrono::steady_clock::now() < deadline) {
    auto group = group_of(process);
    if (group.find("/" + unit) != std::string::npos) return group;
    std::this_thread::sleep_for(kMoveLook);
  }
  return base::fail(Code::kFailedPrecondition, fmt::format("systemd did not move process {} to {}", process, unit));
}

// Controllers are for groups that hold groups, not processes: the holder goes into one of its own.
base::Result<std::string> make_scope(pid_t holder) {
  const auto unit = fmt::format("orchion-{}.scope", holder);
  RETURN_IF_ERROR(call_systemd(
      "StartTransientUnit", {"ssa(sv)a(sa(sv))", unit, "fail", "3", "Description", "s", "Containers of orchion", "PIDs",
                             "au", "1", std::to_string(holder), "Delegate", "b", "true", "0"}));
  ASSIGN_OR_RETURN(auto group, wait_for_move(holder, unit));
  RETURN_IF_ERROR(join_holder(group, holder));
  std::istringstream words(base::read_file(kTop + group + "/cgroup.controllers").value_or(""));
  for (std::string word; words >> word;) RETURN_IF_ERROR(write_group(group, "cgroup.subtree_control", "+" + word));
  return group;
}

// Who moves a process needs to own the nearest group that holds both places: systemd alone has those of a login.
base::Result<> come_near(const std::string& group) {
  const auto own = group_of(::getpid());
  if (own.starts_with(group + "/") || own.find("/user@") != std::string::npos) return {};
  const auto unit = fs::path(group).filename().string();
  RETURN_IF_ERROR(call_systemd("AttachProcessesToUnit", {"ssau", unit, "/agent", "1", std::to_string(::getpid())}));
  RETURN_IF_ERROR(wait_for_move(::getpid(), unit));
  return {};
}

}  // namespace

std::string unified_group(std::string_view text) {
  const auto start = text.starts_with("0::") ? 0 : text.find("\n0::");
  if (start == text.npos) return {};
  text.remove_prefix(text.find("::", start) + 2);
  return std::string(text.substr(0, text.find('\n')));
}

base::Result<> join_holder(const std::string& group, pid_t process) {
  const auto leaf = group + std::string(kHolderLeaf);
  RETURN_IF_ERROR(base::make_folders(kTop + leaf, 0755));
  return write_group(leaf, "cgroup.procs", std::to_string(process));
}

base::Result<std::string> find_delegated_group(pid_t holder) {
  if (::access("/sys/fs/cgroup/cgroup.controllers", F_OK) != 0)
    return base::fail(Code::kFailedPrecondition, "this machine doesn't have cgroup v2 alone");
  auto group = group_of(holder);
  if (group.ends_with(kHolderLeaf)) {
    group.resize(group.size() - kHolderLeaf.size());
  } else {
    ASSIGN_OR_RETURN(group, make_scope(holder));
  }
  RETURN_IF_ERROR(come_near(group));
  return group;
}

}  // namespace orchion::daemon
