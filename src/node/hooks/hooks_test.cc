#include "node/hooks/hook_folder.h"

#include <gmock/gmock.h>

#include "base/file.h"
#include "node/hooks/node_hook.h"
#include "node/runtimes/conformance/busybox_root.h"

namespace orchion::node::hooks {
namespace {

using base::Code;
using testing::HasSubstr;

std::string file_with(const std::string& when, const std::string& stages = R"(["createRuntime"])") {
  return R"({"version": "1.0.0", "hook": {"path": "/bin/h", "args": ["h", "x"], "env": ["A=b"], "timeout": 3}, "when": )" +
         when + R"(, "stages": )" + stages + "}";
}

bool applies(const std::string& when, const runtimes::ContainerConfig& config) {
  const auto hook = parse_node_hook(file_with(when));
  EXPECT_TRUE(hook.has_value()) << hook.error().message;
  return hook && matches(*hook, config);
}

TEST(NodeHook, AppliesWhereAllItsConditionsHold) {
  runtimes::ContainerConfig config;
  config.arguments = {"/usr/bin/nginx", "-g"};
  config.annotations = {{"com.example.key", "yes"}};
  EXPECT_TRUE(applies(R"({"always": true})", config));
  EXPECT_FALSE(applies(R"({"always": false, "commands": ["nginx"]})", config));
  EXPECT_FALSE(applies("{}", config)) << "nothing is said, nothing is meant";
  EXPECT_TRUE(applies(R"({"commands": ["^/bin/sh$", "nginx$"]})", config));
  EXPECT_FALSE(applies(R"({"commands": ["-g"]})", config)) << "only the program's name counts";
  EXPECT_TRUE(applies(R"({"annotations": {"^com\\.example\\.": "^y"}})", config));
  EXPECT_FALSE(applies(R"({"annotations": {"^com\\.example\\.": "^n"}})", config));
  EXPECT_FALSE(applies(R"({"annotations": {"key": "y"}, "commands": ["sh"]})", config));
  EXPECT_FALSE(applies(R"({"hasBindMounts": true})", config));
  config.mounts = {{.type = runtimes::MountPoint::Type::kTmpfs, .target = "/t"}};
  EXPECT_FALSE(applies(R"({"hasBindMounts": true})", config));
  config.mounts.push_back({.source = "/a", .target = "/b"});
  EXPECT_TRUE(applies(R"({"hasBindMounts": true})", config));
  EXPECT_FALSE(applies(R"({"always": true, "hasBindMounts": false})", config));
}

TEST(NodeHook, WhatIsWrongIsSaid) {
  const auto error_of = [](const std::string& text) {
    const auto hook = parse_node_hook(text);
    EXPECT_FALSE(hook.has_value());
    return hook ? std::string() : hook.error().message;
  };
  EXPECT_THAT(error_of("{"), HasSubstr("oci-hooks(5)"));
  EXPECT_THAT(error_of(R"({"version": "0.1.0"})"), HasSubstr("1.0.0"));
  EXPECT_THAT(error_of(file_with(R"({"always": true})", "[]")), HasSubstr("no stages"));
  EXPECT_THAT(error_of(file_with(R"({"always": true})", R"(["later"])")), HasSubstr("`later`"));
  EXPECT_THAT(error_of(file_with(R"({"commands": ["("]})")), HasSubstr("regular expression"));
  EXPECT_THAT(error_of(file_with(R"({"sometimes": true})")), HasSubstr("`sometimes`"));
  EXPECT_THAT(error_of(file_with(R"({"always": 1})")), HasSubstr("oci-hooks(5)"));
  EXPECT_THAT(error_of(R"({"version": "1.0.0", "hook": {"path": "h"}, "when": {}, "stages": ["poststop"]})"),
              HasSubstr("absolute"));
}

TEST(HookFolder, HooksComeByNameOncePerStage) {
  runtimes::TestFolder folder;
  runtimes::ContainerConfig config;
  ASSERT_TRUE(add_node_hooks(folder.path() / "none", config).has_value());
  EXPECT_TRUE(config.hooks.empty());
  const auto write = [&](const char* name, const std::string& text) {
    ASSERT_TRUE(base::write_file(folder.path() / name, text).has_value());
  };
  write("b.json", file_with(R"({"always": true})"));
  write("a.json", file_with(R"({"always": true})", R"(["prestart", "poststop"])"));
  write("other.txt", "not read");
  ASSERT_TRUE(add_node_hooks(folder.path(), config).has_value());
  ASSERT_EQ(config.hooks.size(), 3u);
  EXPECT_EQ(config.hooks[0].stage, "prestart");
  EXPECT_EQ(config.hooks[1].stage, "poststop");
  EXPECT_EQ(config.hooks[2].stage, "createRuntime");
  EXPECT_EQ(config.hooks[2].path, "/bin/h");
  EXPECT_THAT(config.hooks[2].arguments, testing::ElementsAre("h", "x"));
  EXPECT_EQ(config.hooks[2].timeout_s, 3);
  write("c.json", "[]");
  const auto refused = add_node_hooks(folder.path(), config);
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().code, Code::kFailedPrecondition);
  EXPECT_THAT(refused.error().message, HasSubstr("c.json can't be used"));
}

}  // namespace
}  // namespace orchion::node::hooks
