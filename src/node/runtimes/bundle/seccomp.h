#pragma once

// The distribution's default seccomp profile: written for Docker, translated for the runtime binaries.

#include <cstdint>
#include <filesystem>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"

namespace orchion::node::runtimes::bundle {

struct SeccompArgument {
  std::uint32_t index = 0;
  std::uint64_t value = 0;
  std::uint64_t value_two = 0;
  std::string op;  // "SCMP_CMP_EQ"
};

struct SeccompRule {
  std::vector<std::string> names;
  std::string action;  // "SCMP_ACT_ALLOW"
  std::uint32_t error_number = 1;
  std::vector<SeccompArgument> arguments;  // all must hold
};

// The profile as it applies to one architecture and one set of capabilities.
struct SeccompFilter {
  std::string default_action;
  std::uint32_t default_error_number = 1;
  std::vector<std::string> architectures;  // "SCMP_ARCH_X86_64"
  std::vector<SeccompRule> rules;
};

// `architecture` as Go names it ("amd64"). Pure. kInvalidArgument where the profile isn't one.
// Source: https://docs.docker.com/engine/security/seccomp/
base::Result<SeccompFilter> translate_seccomp_profile(std::string_view profile_json,
                                                      const std::vector<std::string>& capabilities,
                                                      std::string_view architecture);

// The OCI runtime specification's linux.seccomp object.
std::string seccomp_json(const SeccompFilter& filter);

// What the kernel runs. Names that this libseccomp doesn't know are left out, as the runtimes do.
base::Result<std::string> compile_seccomp(const SeccompFilter& filter);

// This machine's architecture as Go names it.
std::string_view host_architecture();

// The profile of this machine, compiled once per set of capabilities and kept on disk. Thread-safe; blocks.
class SeccompProfiles {
 public:
  // `cache_folder` is made when needed. kNotFound with what to install where there is no profile.
  static base::Result<std::string> load_default_profile();
  SeccompProfiles(std::string profile_json, std::filesystem::path cache_folder)
      : profile_json_(std::move(profile_json)), cache_folder_(std::move(cache_folder)) {}

  // For crun: BPF, base64.
  base::Result<std::string> bpf_base64(const std::vector<std::string>& capabilities);
  // For runc: JSON.
  base::Result<std::string> json(const std::vector<std::string>& capabilities);

 private:
  base::Result<std::string> cached(const std::vector<std::string>& capabilities, std::string_view kind);
  base::Result<std::string> make(const std::vector<std::string>& capabilities, std::string_view kind) const;

  const std::string profile_json_;
  const std::filesystem::path cache_folder_;
  std::mutex mutex_;
  std::map<std::string, std::string> made_;  // kind and capabilities → content
};

}  // namespace orchion::node::runtimes::bundle
