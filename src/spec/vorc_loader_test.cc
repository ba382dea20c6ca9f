#include "spec/vorc_loader.h"

#include <gmock/gmock.h>

#include "spec/test_folder.h"

namespace orchion::spec {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

Folder vorc(const std::string& text) {
  Folder folder;
  folder.add("vorc.json", text);
  return folder;
}

void expect_same(const std::string& json, const std::string& compose) {
  SCOPED_TRACE(json);
  const auto ours = vorc(json).load();
  const auto theirs = Folder(compose).load();
  ASSERT_TRUE(ours) << ours.error().message;
  ASSERT_TRUE(theirs) << theirs.error().message;
  EXPECT_EQ(ours->name, theirs->name);
  EXPECT_EQ(ours->spec.DebugString(), theirs->spec.DebugString());
  EXPECT_EQ(ours->warnings.size(), theirs->warnings.size());
}

TEST(Vorc, SaysWhatTheEqualComposeFileSays) {
  expect_same(R"({"services": {"web": {"image": "nginx"}}})", "services: {web: {image: nginx}}");
  expect_same(
      "{\n\t\"services\": {\n\t\t\"web\": {\n\t\t\t\"image\": \"nginx:1\",\n\t\t\t\"ports\": [\"8080:80\"]\n\t\t}\n"
      "\t}\n}\n",
      "services: {web: {image: nginx:1, ports: ['8080:80']}}");
  expect_same(R"({"services": {"web": {"image": "a", "environment": {"K": "V", "N": 1, "T": true, "E": ""}},
                               "db": {"image": "b", "ports": ["127.0.0.1:5432:5432"], "environment": ["A=b=c", "B="]}}})",
              "services: {web: {image: a, environment: {K: V, N: 1, T: true, E: ''}}, "
              "db: {image: b, ports: ['127.0.0.1:5432:5432'], environment: ['A=b=c', 'B=']}}");
  expect_same(R"({"services": {"my_db": {"image": "b"}}})", "services: {my_db: {image: b}}");
}

TEST(Vorc, KnowsNoVariables) {
  auto folder = vorc(R"({"services": {"web": {"image": "a", "environment": {"PRICE": "$HOME ${5"}}}})");
  const auto stack = folder.load();
  ASSERT_TRUE(stack) << stack.error().message;
  EXPECT_THAT(stack->spec.DebugString(), HasSubstr("$HOME ${5"));
  EXPECT_THAT(stack->warnings, testing::IsEmpty());
}

TEST(Vorc, IsFoundWhereThereIsNoComposeFile) {
  auto folder = vorc(R"({"services": {"web": {"image": "a"}}})");
  EXPECT_EQ(folder.load()->name, "shop");
  EXPECT_EQ(*find_stack_name(folder.files, folder.options), "shop");
  folder.add("docker-compose.yml", "services: {other: {image: b}}");
  EXPECT_EQ(folder.load()->spec.services(0).name(), "other");
  folder.options.files = {"../shop/vorc.json"};
  EXPECT_EQ(folder.load()->spec.services(0).name(), "web");
}

TEST(Vorc, MaySayItsNameOnTheCommandLine) {
  auto folder = vorc(R"({"services": {"web": {"image": "a"}}})");
  folder.options.stack_name = "mine";
  EXPECT_EQ(folder.load()->name, "mine");
}

TEST(Vorc, WhatItDoesNotKnowIsNamedWithItsPlace) {
  EXPECT_EQ(vorc("{\n  \"services\": {\"web\": {\"image\": \"a\",\n    \"build\": \".\"}}}").error(),
            "vorc.json:3:5: `build` isn't a key of a service in vorc.json: remove it, or call the file compose.yaml, "
            "which may say more");
  EXPECT_THAT(vorc(R"({"services": {"web": {"imgae": "a", "x-y": 1}}, "volumes": {}})").error(),
              AllOf(HasSubstr("vorc.json:1:23: `imgae` isn't a key of a service in vorc.json: did you mean `image`?"),
                    HasSubstr("`x-y` isn't a key"), HasSubstr("`volumes` isn't a key of vorc.json: remove it")));
  EXPECT_THAT(vorc(R"({"services": {"web": {"image": "a", "ports": [{"target": 80}]}}})").error(),
              AllOf(StartsWith("vorc.json:1:47: a port is a text like \"8080:80\", not a map"), Not(HasSubstr("\n"))));
}

TEST(Vorc, BrokenFilesAreRefusedLikeComposeFiles) {
  EXPECT_THAT(vorc("{}").error(), HasSubstr("has no `services`"));
  EXPECT_THAT(vorc(R"({"services": {}})").error(), HasSubstr("has no `services`"));
  EXPECT_THAT(vorc(R"({"services": []})").error(), HasSubstr("vorc.json:1:14"));
  EXPECT_THAT(vorc(R"({"services": {"web": "nginx"}})").error(), HasSubstr("vorc.json:1:22"));
  EXPECT_THAT(vorc(R"({"services": {"web": {}}})").error(), HasSubstr("`image`"));
  EXPECT_THAT(vorc(R"({"services": {"web": {"image": "a", "ports": ["x:80"]}}})").error(), HasSubstr("vorc.json:1:47"));
  EXPECT_THAT(vorc(R"({"services": {"web": {"image": "a", "ports": "80:80"}}})").error(), HasSubstr("vorc.json:1:46"));
  EXPECT_THAT(vorc(R"({"services": {"my db": {"image": "a"}}})").error(),
              HasSubstr("vorc.json:1:15: `my db` can't be a name here"));
  EXPECT_THAT(vorc(R"({"services": {"a": {"image": "a"}, "a": {"image": "b"}}})").error(),
              HasSubstr("stands here twice"));
  EXPECT_THAT(vorc("{\"services\": {").error(), HasSubstr("vorc.json:"));
}

}  // namespace
}  // namespace orchion::spec
