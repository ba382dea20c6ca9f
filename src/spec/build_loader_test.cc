#include "spec/build_loader.h"

#include <algorithm>

#include <gmock/gmock.h>

#include "spec/render.h"
#include "spec/test_folder.h"

namespace orchion::spec {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

BuildSpec build_in(const Folder& folder) {
  const auto stack = folder.load();
  EXPECT_TRUE(stack) << stack.error().message;
  if (!stack || stack->builds.size() != 1) {
    ADD_FAILURE() << "not one build";
    return {};
  }
  return stack->builds.front();
}

BuildSpec build_of(const std::string& compose) {
  return build_in(Folder(compose));
}

TEST(Build, NamesTheImageByStackAndService) {
  const Folder folder("services: {my_web: {build: ./src}}");
  const auto build = build_in(folder);
  EXPECT_EQ(build.service, "my-web");
  EXPECT_EQ(build.image, "shop-my-web");
  EXPECT_EQ(build.context, "/srv/shop/src");
  EXPECT_EQ(build.dockerfile, "");
  EXPECT_EQ(build.place, "compose.yaml:1:28");
  EXPECT_EQ(build.when, BuildSpec::When::kMissing);
  const auto container = folder.service("my-web").container();
  EXPECT_EQ(container.image(), "shop-my-web");
  EXPECT_EQ(container.pull_policy(), v1::PULL_NEVER) << "no registry has it";
}

TEST(Build, KeepsTheNameAndPolicyThatAreGiven) {
  const Folder folder("services: {web: {image: 'team/web:3', build: ., pull_policy: always}}");
  EXPECT_EQ(build_in(folder).image, "team/web:3");
  EXPECT_EQ(build_in(folder).when, BuildSpec::When::kOnRequest);
  EXPECT_EQ(folder.service("web").container().pull_policy(), v1::PULL_ALWAYS);
  EXPECT_EQ(build_of("services: {web: {build: ., pull_policy: build}}").when, BuildSpec::When::kAlways);
}

TEST(Build, FindsFilesFromTheContext) {
  const auto build = build_of("services: {web: {build: {context: ../lib, dockerfile: docker/web}}}");
  EXPECT_EQ(build.context, "/srv/lib");
  EXPECT_EQ(build.dockerfile, "/srv/lib/docker/web");
  const auto remote = build_of("services: {web: {build: {context: 'https://e.org/a.git#v1:sub', dockerfile: web}}}");
  EXPECT_EQ(remote.context, "https://e.org/a.git#v1:sub");
  EXPECT_EQ(remote.dockerfile, "web");
}

TEST(Build, TakesWhatHasNoValueFromTheEnvironment) {
  Folder folder(
      "services: {web: {build: {context: ., args: [A=1, B, C], labels: {x: y}, ulimits: {nofile: {soft: 5, "
      "hard: 9}}, extra_hosts: ['db:10.0.0.1']}}}");
  folder.options.environment["B"] = "of the shell";
  const auto build = build_in(folder);
  EXPECT_THAT(build.arguments,
              ElementsAre(BuildSpec::Argument{"A", "1"}, BuildSpec::Argument{"B", "of the shell", true}));
  EXPECT_THAT(build.labels, ElementsAre(BuildSpec::Pair{"x", "y"}));
  EXPECT_THAT(build.ulimits, ElementsAre(BuildSpec::Pair{"nofile", "5:9"}));
  EXPECT_THAT(build.extra_hosts, ElementsAre(BuildSpec::Pair{"db", "10.0.0.1"}));
}

TEST(Build, LooksItsSecretsUp) {
  Folder folder(
      "services: {web: {build: {context: ., secrets: [token, {source: key, target: id}]}}}\n"
      "secrets: {token: {environment: TOKEN}, key: {file: ./key}}");
  folder.add("key", "k");
  folder.options.environment["TOKEN"] = "t";
  const auto build = build_in(folder);
  EXPECT_THAT(build.secrets, ElementsAre(BuildSpec::Secret{"token", "", "TOKEN", "t"},
                                         BuildSpec::Secret{"id", "/srv/shop/key", "", ""}));
  EXPECT_EQ(folder.service("web").container().files_size(), 0) << "they are the build's alone";
}

TEST(Build, IsRenderedSoThatItLoadsAgainAsTheSame) {
  const std::string compose = R"(name: shop
services:
  api: {image: 'team/api:1', build: ., pull_policy: build}
  db: {image: 'team/db:1', build: ., pull_policy: never}
  web:
    build:
      context: ./src
      dockerfile: web.Dockerfile
      args: [A=$$1, B]
      target: run
      labels: {x: "y"}
      tags: ['shop:2']
      additional_contexts: {assets: ./assets}
      secrets: [token, key]
      ssh: [default]
      cache_from: [r/c]
      cache_to: [r/c]
      no_cache: true
      pull: true
      network: host
      extra_hosts: {db: 10.0.0.5}
      platforms: [linux/amd64]
      shm_size: 64m
      ulimits: {nofile: {soft: 5, hard: 9}}
secrets: {token: {environment: TOKEN}, key: {file: ./key}}
)";
  Folder folder(compose);
  folder.add("key", "k");
  folder.options.environment["TOKEN"] = "very secret";
  folder.options.environment["B"] = "of the shell";
  const auto stack = folder.load();
  ASSERT_TRUE(stack) << stack.error().message;
  const auto text = render(stack->name, stack->spec, stack->builds);
  EXPECT_THAT(text, testing::Not(HasSubstr("very secret")));
  EXPECT_THAT(text, testing::Not(HasSubstr("of the shell")));
  folder.add("compose.yaml", text);
  auto again = folder.load();
  ASSERT_TRUE(again) << again.error().message << text;
  EXPECT_EQ(again->builds.size(), 3u);
  for (auto& build : again->builds) {
    const auto before = std::ranges::find(stack->builds, build.service, &BuildSpec::service);
    ASSERT_NE(before, stack->builds.end());
    build.place = before->place;
    EXPECT_EQ(build, *before) << text;
  }
  for (const auto& service : stack->spec.services())
    EXPECT_EQ(service.spec().container().pull_policy(), folder.service(service.name()).container().pull_policy());
}

TEST(Build, SaysWhatIsWrongAndWhere) {
  EXPECT_EQ(error_of("services: {web: {build: {context: ., secrets: [s]}}}"),
            "compose.yaml:1:47: `s` isn't declared: add it under the top-level `secrets`");
  EXPECT_EQ(error_of("services: {web: {build: {context: ., platforms: [linux/amd64, linux/arm64]}}}"),
            "compose.yaml:1:49: an image is built for one platform: name one, or build the others with a service each");
  EXPECT_EQ(error_of("services: {web: {build: {context: ., dockerfile: a, dockerfile_inline: FROM scratch}}}"),
            "compose.yaml:1:72: there is a `dockerfile` too: keep one of them");
  EXPECT_THAT(error_of("services: {web: {build: {context: ., network: back}}}"),
              HasSubstr("use host, none or default"));
  EXPECT_THAT(error_of("services: {web: {build: {context: ., additional_contexts: {base: 'service:base'}}}}"),
              HasSubstr("`service:base` isn't supported: name that service's image"));
  EXPECT_THAT(error_of("services: {web: {build: {contxt: .}}}"), HasSubstr("did you mean `context`?"));
  EXPECT_EQ(error_of("services: {web: {image: a, pull_policy: build}}"),
            "compose.yaml:1:41: the service `web` has no `build`: describe it, or use missing");
}

}  // namespace
}  // namespace orchion::spec
