#include "node/runtimes/bundle/seccomp.h"

#include <linux/filter.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/file.h"
#include "node/runtimes/bundle/linux_capabilities.h"
#include "node/runtimes/conformance/busybox_root.h"

namespace orchion::node::runtimes::bundle {
namespace {

constexpr std::string_view kProfile = R"({
  "defaultAction": "SCMP_ACT_ERRNO", "defaultErrnoRet": 38,
  "archMap": [{"architecture": "SCMP_ARCH_X86_64", "subArchitectures": ["SCMP_ARCH_X86"]},
              {"architecture": "SCMP_ARCH_AARCH64", "subArchitectures": ["SCMP_ARCH_ARM"]}],
  "syscalls": [
    {"names": ["read", "write", "nosuchcall"], "action": "SCMP_ACT_ALLOW", "args": []},
    {"names": ["mount"], "action": "SCMP_ACT_ALLOW", "includes": {"caps": ["CAP_SYS_ADMIN"]}},
    {"names": ["mount"], "action": "SCMP_ACT_ERRNO", "errnoRet": 1, "excludes": {"caps": ["CAP_SYS_ADMIN"]}},
    {"names": ["arch_prctl"], "action": "SCMP_ACT_ALLOW", "includes": {"arches": ["amd64"]}},
    {"names": ["personality"], "action": "SCMP_ACT_ALLOW",
     "args": [{"index": 0, "value": 8, "valueTwo": 0, "op": "SCMP_CMP_EQ"}]}]})";

std::vector<std::string> names(const SeccompFilter& filter, std::string_view action) {
  std::vector<std::string> result;
  for (const auto& rule : filter.rules) {
    if (rule.action == action) result.insert(result.end(), rule.names.begin(), rule.names.end());
  }
  return result;
}

TEST(Seccomp, RulesFollowCapabilitiesAndArchitecture) {
  const auto plain = translate_seccomp_profile(kProfile, {}, "amd64");
  ASSERT_TRUE(plain.has_value()) << plain.error().message;
  EXPECT_EQ(plain->default_error_number, 38u);
  EXPECT_EQ(plain->architectures, (std::vector<std::string>{"SCMP_ARCH_X86_64", "SCMP_ARCH_X86"}));
  EXPECT_THAT(names(*plain, "SCMP_ACT_ALLOW"), testing::Contains("arch_prctl"));
  EXPECT_THAT(names(*plain, "SCMP_ACT_ERRNO"), testing::ElementsAre("mount"));
  const auto admin = translate_seccomp_profile(kProfile, {"CAP_SYS_ADMIN"}, "arm64");
  EXPECT_THAT(names(*admin, "SCMP_ACT_ALLOW"), testing::Contains("mount"));
  EXPECT_THAT(names(*admin, "SCMP_ACT_ALLOW"), testing::Not(testing::Contains("arch_prctl")));
  EXPECT_EQ(translate_seccomp_profile("[]", {}, "amd64").error().code, base::Code::kInvalidArgument);
  EXPECT_EQ(translate_seccomp_profile("{}", {}, "amd64").error().code, base::Code::kInvalidArgument);
}

TEST(Seccomp, TheDistributionsProfileCompiles) {
  const auto profile = SeccompProfiles::load_default_profile();
  ASSERT_TRUE(profile.has_value()) << profile.error().message;
  const auto filter = translate_seccomp_profile(*profile, *effective_capabilities({}, {}), host_architecture());
  ASSERT_TRUE(filter.has_value());
  const auto bpf = compile_seccomp(*filter);
  ASSERT_TRUE(bpf.has_value()) << bpf.error().message;
  EXPECT_EQ(bpf->size() % sizeof(sock_filter), 0u);
  EXPECT_GT(bpf->size() / sizeof(sock_filter), 100u);
  EXPECT_LE(bpf->size() / sizeof(sock_filter), 4096u) << "the kernel takes no more";
}

TEST(Seccomp, IsCompiledOnceAndKeptOnDisk) {
  const TestFolder folder;
  const auto profile = SeccompProfiles::load_default_profile();
  ASSERT_TRUE(profile.has_value());
  const auto capabilities = *effective_capabilities({}, {});
  SeccompProfiles first(*profile, folder.path() / "seccomp");
  const auto made = first.bpf_base64(capabilities);
  ASSERT_TRUE(made.has_value()) << made.error().message;
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::directory_iterator(folder.path() / "seccomp"))
    files.push_back(entry.path());
  ASSERT_EQ(files.size(), 1u);
  // Another process finds the file and believes it.
  ASSERT_TRUE(base::write_file(files[0], "kept").has_value());
  SeccompProfiles second(*profile, folder.path() / "seccomp");
  EXPECT_EQ(*second.bpf_base64(capabilities), "kept");
  EXPECT_EQ(*first.bpf_base64(capabilities), *made) << "in memory from then on";
  EXPECT_NE(*second.bpf_base64(*effective_capabilities({"SYS_ADMIN"}, {})), "kept")
      << "other capabilities, other rules";
}

}  // namespace
}  // namespace orchion::node::runtimes::bundle
