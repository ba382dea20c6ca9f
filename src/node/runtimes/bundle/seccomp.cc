#include "node/runtimes/bundle/seccomp.h"

#include <cerrno>
#include <memory>

#include <fmt/core.h>
#include <seccomp.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/file.h"
#include "node/runtimes/bundle/digest.h"

namespace orchion::node::runtimes::bundle {

namespace {

constexpr const char* kProfilePaths[] = {"/etc/containers/seccomp.json", "/usr/share/containers/seccomp.json"};

// Part of every cache key: raise it when the translation or the compiler's settings change.
constexpr int kTranslation = 1;

std::uint32_t to_action(const std::string& action, std::uint32_t error_number) {
  if (action == "SCMP_ACT_ALLOW") return SCMP_ACT_ALLOW;
  if (action == "SCMP_ACT_LOG") return SCMP_ACT_LOG;
  if (action == "SCMP_ACT_KILL" || action == "SCMP_ACT_KILL_THREAD") return SCMP_ACT_KILL_THREAD;
  if (action == "SCMP_ACT_TRAP") return SCMP_ACT_TRAP;
  if (action == "SCMP_ACT_ERRNO") return SCMP_ACT_ERRNO(error_number);
  return SCMP_ACT_KILL_PROCESS;  // also for what we don't know: the strict side
}

scmp_compare to_compare(const std::string& op) {
  if (op == "SCMP_CMP_NE") return SCMP_CMP_NE;
  if (op == "SCMP_CMP_LT") return SCMP_CMP_LT;
  if (op == "SCMP_CMP_LE") return SCMP_CMP_LE;
  if (op == "SCMP_CMP_GE") return SCMP_CMP_GE;
  if (op == "SCMP_CMP_GT") return SCMP_CMP_GT;
  if (op == "SCMP_CMP_MASKED_EQ") return SCMP_CMP_MASKED_EQ;
  return SCMP_CMP_EQ;
}

std::unexpected<base::Error> failed(int result, std::string_view action) {
  return base::fail_errno(-result, fmt::format("cannot compile the seccomp profile: {}", action));
}

struct ReleaseFilter {
  void operator()(void* context) const { seccomp_release(context); }
};
using FilterContext = std::unique_ptr<void, ReleaseFilter>;

base::Result<> add_architectures(void* context, const SeccompFilter& filter) {
  for (const auto& name : filter.architectures) {
    // "SCMP_ARCH_X86_64" is "x86_64" to the resolver.
    std::string lower;
    for (const char c : name.substr(std::string_view("SCMP_ARCH_").size()))
      lower.push_back(c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c);
    const auto token = seccomp_arch_resolve_name(lower.c_str());
    if (token == 0) continue;
    const int added = seccomp_arch_add(context, token);
    if (added < 0 && added != -EEXIST) return failed(added, name);
  }
  return {};
}

base::Result<> add_rule(void* context, const SeccompRule& rule, std::uint32_t default_action) {
  const auto action = to_action(rule.action, rule.error_number);
  if (action == default_action) return {};
  std::vector<scmp_arg_cmp> arguments;
  for (const auto& argument : rule.arguments)
    arguments.push_back({argument.index, to_compare(argument.op), argument.value, argument.value_two});
  for (const auto& name : rule.names) {
    const int syscall = seccomp_syscall_resolve_name(name.c_str());
    if (syscall == __NR_SCMP_ERROR) continue;
    const int added =
        seccomp_rule_add_array(context, action, syscall, static_cast<unsigned>(arguments.size()), arguments.data());
    if (added < 0 && added != -EEXIST) return failed(added, name);
  }
  return {};
}

base::Result<std::string> export_bpf(void* context) {
  const base::UniqueFd file(::memfd_create("seccomp", MFD_CLOEXEC));
  if (!file) return base::fail_errno(errno, "cannot make a memory file");
  if (const int exported = seccomp_export_bpf(context, file.get()); exported < 0) return failed(exported, "export");
  ::lseek(file.get(), 0, SEEK_SET);
  return base::read_file(fmt::format("/proc/self/fd/{}", file.get()));
}

}  // namespace

base::Result<std::string> compile_seccomp(const SeccompFilter& filter) {
  const auto default_action = to_action(filter.default_action, filter.default_error_number);
  const FilterContext context(seccomp_init(default_action));
  if (!context) return base::fail(base::Code::kInternal, "libseccomp refuses the profile's default action");
  // The process can't gain privileges anyway (no_new_privs is the container's own), and a search tree is
  // quicker than a list on every call it makes.
  seccomp_attr_set(context.get(), SCMP_FLTATR_CTL_OPTIMIZE, 2);
  RETURN_IF_ERROR(add_architectures(context.get(), filter));
  for (const auto& rule : filter.rules) RETURN_IF_ERROR(add_rule(context.get(), rule, default_action));
  return export_bpf(context.get());
}

base::Result<std::string> SeccompProfiles::load_default_profile() {
  for (const auto* path : kProfilePaths) {
    auto profile = base::read_file(path, 1u << 20);
    if (profile || profile.error().code != base::Code::kNotFound) return profile;
  }
  return base::fail(base::Code::kNotFound, fmt::format("there is no default seccomp profile at {}: install it "
                                                       "(apt install golang-github-containers-common)",
                                                       kProfilePaths[1]));
}

base::Result<std::string> SeccompProfiles::bpf_base64(const std::vector<std::string>& capabilities) {
  return cached(capabilities, "bpf");
}

base::Result<std::string> SeccompProfiles::json(const std::vector<std::string>& capabilities) {
  return cached(capabilities, "json");
}

base::Result<std::string> SeccompProfiles::make(const std::vector<std::string>& capabilities,
                                                std::string_view kind) const {
  ASSIGN_OR_RETURN(const auto filter, translate_seccomp_profile(profile_json_, capabilities, host_architecture()));
  if (kind == "json") return seccomp_json(filter);
  ASSIGN_OR_RETURN(const auto bpf, compile_seccomp(filter));
  return base64(bpf);
}

base::Result<std::string> SeccompProfiles::cached(const std::vector<std::string>& capabilities, std::string_view kind) {
  std::string key(kind);
  for (const auto& capability : capabilities) key += " " + capability;
  const std::lock_guard lock(mutex_);
  if (const auto found = made_.find(key); found != made_.end()) return found->second;
  const auto* version = seccomp_version();
  const auto name = short_digest(fmt::format("{} {}.{}.{} {} {}\n{}", kTranslation, version->major, version->minor,
                                             version->micro, host_architecture(), key, profile_json_));
  const auto path = cache_folder_ / name;
  if (auto kept = base::read_file(path, 1u << 20); kept && !kept->empty()) return made_[key] = *std::move(kept);
  ASSIGN_OR_RETURN(auto content, make(capabilities, kind));
  RETURN_IF_ERROR(base::make_folders(cache_folder_));
  RETURN_IF_ERROR(base::write_file_durably(path, content));
  return made_[key] = std::move(content);
}

}  // namespace orchion::node::runtimes::bundle
