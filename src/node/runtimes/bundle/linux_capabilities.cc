#include "node/runtimes/bundle/linux_capabilities.h"

#include <algorithm>
#include <cctype>
#include <iterator>
#include <set>

#include <fmt/core.h>
#include <sys/prctl.h>

namespace orchion::node::runtimes::bundle {

namespace {

// Source: capabilities(7), in the order of the kernel's numbers.
constexpr const char* kAll[] = {"CHOWN",
                                "DAC_OVERRIDE",
                                "DAC_READ_SEARCH",
                                "FOWNER",
                                "FSETID",
                                "KILL",
                                "SETGID",
                                "SETUID",
                                "SETPCAP",
                                "LINUX_IMMUTABLE",
                                "NET_BIND_SERVICE",
                                "NET_BROADCAST",
                                "NET_ADMIN",
                                "NET_RAW",
                                "IPC_LOCK",
                                "IPC_OWNER",
                                "SYS_MODULE",
                                "SYS_RAWIO",
                                "SYS_CHROOT",
                                "SYS_PTRACE",
                                "SYS_PACCT",
                                "SYS_ADMIN",
                                "SYS_BOOT",
                                "SYS_NICE",
                                "SYS_RESOURCE",
                                "SYS_TIME",
                                "SYS_TTY_CONFIG",
                                "MKNOD",
                                "LEASE",
                                "AUDIT_WRITE",
                                "AUDIT_CONTROL",
                                "SETFCAP",
                                "MAC_OVERRIDE",
                                "MAC_ADMIN",
                                "SYSLOG",
                                "WAKE_ALARM",
                                "BLOCK_SUSPEND",
                                "AUDIT_READ",
                                "PERFMON",
                                "BPF",
                                "CHECKPOINT_RESTORE"};

// Source: https://docs.docker.com/engine/containers/run/#runtime-privilege-and-linux-capabilities
constexpr const char* kDefault[] = {
    "CHOWN",  "DAC_OVERRIDE", "FSETID",  "FOWNER",           "MKNOD",      "NET_RAW", "SETGID",
    "SETUID", "SETFCAP",      "SETPCAP", "NET_BIND_SERVICE", "SYS_CHROOT", "KILL",    "AUDIT_WRITE"};

// The names that one word stands for, without "CAP_".
base::Result<std::vector<std::string>> expand(std::string word) {
  std::transform(word.begin(), word.end(), word.begin(), [](unsigned char c) { return std::toupper(c); });
  if (word == "ALL") return std::vector<std::string>(std::begin(kAll), std::end(kAll));
  if (word.starts_with("CAP_")) word.erase(0, 4);
  if (std::find(std::begin(kAll), std::end(kAll), word) == std::end(kAll))
    return base::fail(base::Code::kInvalidArgument,
                      fmt::format("there is no capability {}: see capabilities(7) for their names", word));
  return std::vector<std::string>{word};
}

}  // namespace

base::Result<std::vector<std::string>> effective_capabilities(const std::vector<std::string>& add,
                                                              const std::vector<std::string>& drop) {
  // "drop ALL, add X" means X alone, and "add ALL, drop X" all but X: ALL comes first, single names win.
  const auto is_all = [](const std::string& word) { return word == "ALL" || word == "all"; };
  const bool drops_all = std::any_of(drop.begin(), drop.end(), is_all);
  std::set<std::string> names;
  if (!drops_all) names.insert(std::begin(kDefault), std::end(kDefault));
  for (const auto& word : add) {
    ASSIGN_OR_RETURN(const auto expanded, expand(word));
    names.insert(expanded.begin(), expanded.end());
  }
  for (const auto& word : drop) {
    if (is_all(word)) continue;
    ASSIGN_OR_RETURN(const auto expanded, expand(word));
    for (const auto& name : expanded) names.erase(name);
  }
  std::vector<std::string> result;
  for (const auto& name : names) result.push_back("CAP_" + name);
  return result;
}

base::Result<std::uint64_t> capability_mask_without(const std::vector<std::string>& drop) {
  std::uint64_t mask = ~std::uint64_t{0};
  for (const auto& word : drop) {
    ASSIGN_OR_RETURN(const auto names, expand(word));
    if (names.size() == std::size(kAll)) return 0;
    for (const auto& name : names)
      mask &= ~(std::uint64_t{1} << (std::find(std::begin(kAll), std::end(kAll), name) - std::begin(kAll)));
  }
  return mask;
}

std::vector<std::string> available_capabilities() {
  std::vector<std::string> result;
  for (std::size_t number = 0; number < std::size(kAll); ++number)
    if (::prctl(PR_CAPBSET_READ, number) == 1) result.push_back(std::string("CAP_") + kAll[number]);
  std::sort(result.begin(), result.end());
  return result;
}

}  // namespace orchion::node::runtimes::bundle
