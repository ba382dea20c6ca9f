#include "cli/builder.h"

#include <algorithm>
#include <cstdlib>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace orchion::cli {
namespace {

using spec::BuildSpec;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsSupersetOf;
using testing::Not;
using testing::Pair;

const BuildFiles kFiles{"/tmp/b/id", "/tmp/b/Dockerfile"};

BuildSpec web() {
  BuildSpec build;
  build.service = "web";
  build.image = "shop-web";
  build.place = "compose.yaml:3:5";
  build.context = "/srv/shop";
  return build;
}

std::function<bool(const std::string&)> there(std::vector<std::string> programs) {
  return [programs](const std::string& name) { return std::ranges::find(programs, name) != programs.end(); };
}

class BuilderCalls : public testing::Test {
 protected:
  void SetUp() override { ::unsetenv("BUILDAH_ISOLATION"); }
};

TEST_F(BuilderCalls, ABuilderIsChosenByWhatThereIs) {
  EXPECT_EQ(choose_builder("", "", there({"docker", "buildah"})), Builder::kBuildah);
  EXPECT_EQ(choose_builder("", "", there({"docker", "podman"})), Builder::kPodman);
  EXPECT_EQ(choose_builder("", "docker", there({"docker", "buildah"})), Builder::kDocker) << "its own images";
  EXPECT_EQ(choose_builder("", "docker", there({"buildah"})), Builder::kBuildah);
  EXPECT_EQ(choose_builder("docker", "", there({"docker", "buildah"})), Builder::kDocker);
  const auto none = choose_builder("", "", there({}));
  ASSERT_FALSE(none);
  EXPECT_EQ(none.error().code, base::Code::kFailedPrecondition);
  EXPECT_THAT(none.error().message, HasSubstr("install buildah"));
  EXPECT_THAT(choose_builder("docker", "", there({})).error().message, HasSubstr("there is no docker on this machine"));
  EXPECT_EQ(choose_builder("kaniko", "", there({})).error().code, base::Code::kInvalidArgument);
}

TEST_F(BuilderCalls, BuildahKeepsStepsAndAsksNoRegistryForWhatIsHere) {
  const auto call = build_call(Builder::kBuildah, web(), {}, kFiles);
  ASSERT_TRUE(call);
  EXPECT_THAT(call->arguments, ElementsAre("buildah", "build", "--iidfile", "/tmp/b/id", "-t", "shop-web", "--layers",
                                           "--format", "docker", "--pull=false", "--isolation", "chroot", "/srv/shop"));
  EXPECT_TRUE(call->environment.empty());
  EXPECT_EQ(build_call(Builder::kPodman, web(), {}, kFiles)->arguments.front(), "podman");
}

TEST_F(BuilderCalls, WhatIsSecretIsInNoArgument) {
  auto build = web();
  build.secrets = {{"token", "", "TOKEN", "very secret"}, {"key", "/srv/key", "", ""}};
  build.arguments = {{"VERSION", "1"}, {"PASS", "of the shell", true}};
  for (const auto builder : {Builder::kBuildah, Builder::kDocker}) {
    const auto call = build_call(builder, build, {}, kFiles);
    ASSERT_TRUE(call);
    EXPECT_THAT(call->arguments, IsSupersetOf({"VERSION=1", "PASS", "id=key,src=/srv/key"}));
    EXPECT_THAT(call->arguments, Not(Contains(HasSubstr("secret id"))));
    EXPECT_THAT(call->arguments, Not(Contains(HasSubstr("very secret"))));
    EXPECT_THAT(call->arguments, Not(Contains(HasSubstr("of the shell"))));
    EXPECT_THAT(call->environment, Contains(Pair("PASS", "of the shell")));
    EXPECT_THAT(call->environment, Contains(Pair(HasSubstr("ORCHION_BUILD_SECRET_"), "very secret")));
  }
}

TEST_F(BuilderCalls, FlagsCountMoreThanTheFile) {
  auto build = web();
  build.arguments = {{"VERSION", "1"}, {"OTHER", "2"}};
  const auto call = build_call(Builder::kDocker, build, {true, true, {"VERSION=3"}}, kFiles);
  ASSERT_TRUE(call);
  EXPECT_THAT(call->arguments, IsSupersetOf({"VERSION=3", "OTHER=2", "--no-cache", "--pull"}));
  EXPECT_THAT(call->arguments, Not(Contains("VERSION=1")));
  EXPECT_THAT(build_call(Builder::kBuildah, build, {false, true, {}}, kFiles)->arguments, Contains("--pull=always"));
}

TEST_F(BuilderCalls, EveryPartOfTheSectionIsPassedOn) {
  auto build = web();
  build.dockerfile = "/srv/shop/web.Dockerfile";
  build.labels = {{"a", "b"}};
  build.extra_hosts = {{"db", "10.0.0.5"}};
  build.ulimits = {{"nofile", "5:9"}};
  build.additional_contexts = {{"assets", "/srv/assets"}};
  build.ssh = {"default"};
  build.cache_from = {"type=registry,ref=127.0.0.1:5000/cache:1"};
  build.target = "run";
  build.network = "host";
  build.platform = "linux/arm64";
  build.shm_bytes = 64 << 20;
  const auto call = build_call(Builder::kBuildah, build, {}, kFiles);
  ASSERT_TRUE(call);
  EXPECT_THAT(call->arguments,
              IsSupersetOf({"/srv/shop/web.Dockerfile", "a=b", "db:10.0.0.5", "nofile=5:9", "assets=/srv/assets",
                            "default", "127.0.0.1:5000/cache", "run", "host", "linux/arm64", "67108864b"}));
  build.cache_from = {"type=local,src=/c"};
  const auto refused = build_call(Builder::kBuildah, build, {}, kFiles);
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().message, HasSubstr("compose.yaml:3:5: buildah keeps finished steps in repositories"));
  EXPECT_TRUE(build_call(Builder::kDocker, build, {}, kFiles));
}

TEST_F(BuilderCalls, AnImageIsSavedUnderItsWholeName) {
  EXPECT_THAT(save_call(Builder::kBuildah, "sha256:ab", "shop-web", "/tmp/b/image.tar").arguments,
              ElementsAre("buildah", "push", "--quiet", "sha256:ab",
                          "docker-archive:/tmp/b/image.tar:docker.io/library/shop-web:latest"));
  EXPECT_THAT(save_call(Builder::kDocker, "sha256:ab", "shop-web", "/tmp/b/image.tar").arguments,
              ElementsAre("docker", "save", "-o", "/tmp/b/image.tar", "shop-web"));
}

}  // namespace
}  // namespace orchion::cli
