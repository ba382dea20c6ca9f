#include "spec/network_policy_loader.h"

#include <gmock/gmock.h>
#include <google/protobuf/util/message_differencer.h>
#include <gtest/gtest.h>

#include "spec/render.h"
#include "spec/test_folder.h"

namespace orchion::spec {
namespace {

using testing::HasSubstr;

constexpr const char* kShop = R"(
services:
  my_web: {image: a}
  proxy: {image: a}
x-orchion:
  network_default: deny
  network_policies:
    web-in:
      service: my_web
      labels: {tier: front}
      ingress:
        - from:
            - service: proxy
            - {stack: other, service: x}
            - {range: 10.0.0.0/8, except: [10.9.0.0/16]}
          ports: [80, "5432/tcp", "8000-8100/udp"]
        - {}
      egress:
        - to: [{name: "*.example.com"}]
          ports: [443/tcp]
    alone: {ingress: []}
    silent:
      service: proxy
      egress:
)";

std::string with(const std::string& policies, const std::string& more = "") {
  return "{services: {web: {image: a}}, x-orchion: {" + more + "network_policies: {" + policies + "}}}";
}

TEST(NetworkPolicyLoader, ReadsEveryKey) {
  const auto stack = loaded(kShop);
  ASSERT_EQ(stack.network_policies_size(), 4);
  EXPECT_EQ(stack.network_policies(0).name(), "default-deny");
  EXPECT_TRUE(stack.network_policies(0).spec().ingress() && stack.network_policies(0).spec().egress());

  const auto& web = stack.network_policies(1).spec();
  EXPECT_EQ(web.service(), "my-web") << "as it is called here";
  EXPECT_EQ(web.labels().at("tier"), "front");
  ASSERT_EQ(web.from_size(), 2);
  ASSERT_EQ(web.from(0).peers_size(), 3);
  EXPECT_EQ(web.from(0).peers(0).service(), "proxy");
  EXPECT_EQ(web.from(0).peers(1).stack(), "other");
  EXPECT_EQ(web.from(0).peers(2).address_range(), "10.0.0.0/8");
  EXPECT_EQ(web.from(0).peers(2).except(0), "10.9.0.0/16");
  ASSERT_EQ(web.from(0).ports_size(), 3);
  EXPECT_EQ(web.from(0).ports(0).protocol(), "");
  EXPECT_EQ(web.from(0).ports(1).protocol(), "tcp");
  EXPECT_EQ(web.from(0).ports(2).last(), 8100u);
  EXPECT_TRUE(web.from(1).peers().empty()) << "anybody";
  EXPECT_EQ(web.to(0).peers(0).name(), "*.example.com");

  EXPECT_TRUE(stack.network_policies(2).spec().ingress());
  EXPECT_FALSE(stack.network_policies(2).spec().egress());
  EXPECT_TRUE(stack.network_policies(3).spec().egress()) << "a key with nothing behind it holds";
}

TEST(NetworkPolicyLoader, IsWrittenBack) {
  const auto first = loaded(kShop);
  const auto text = render("shop", first);
  EXPECT_THAT(text, HasSubstr("network_default: deny"));
  const auto again = loaded(text);
  google::protobuf::util::MessageDifferencer differ;
  differ.set_repeated_field_comparison(google::protobuf::util::MessageDifferencer::AS_SET);
  std::string difference;
  differ.ReportDifferencesToString(&difference);
  EXPECT_TRUE(differ.Compare(first, again)) << difference << text;
}

TEST(NetworkPolicyLoader, SaysWhatIsWrongAndWhere) {
  EXPECT_EQ(error_of("services: {web: {image: a}}\nx-orchion:\n  network_policies:\n    p:\n      ingress:\n"
                     "        - from: [{range: 10.0.0.1/8}]\n"),
            "compose.yaml:6:26: \"10.0.0.1/8\" is an address in a range: the range is 10.0.0.0/8");
  EXPECT_THAT(error_of(with("p: {}")), HasSubstr("holds for no direction"));
  EXPECT_THAT(error_of(with("p: {service: db, ingress: []}")), HasSubstr("there is no service or job `db`"));
  EXPECT_THAT(error_of(with("p: {ingress: [{from: [{service: db}]}]}")), HasSubstr("no service or job `db`"));
  EXPECT_THAT(error_of(with("p: {ingress: [{from: [{name: a.example.com}]}]}")), HasSubstr("write a range"));
  EXPECT_THAT(error_of(with("p: {ingress: [{ports: [http]}]}")), HasSubstr("`http` is no port of a policy"));
  EXPECT_THAT(error_of(with("p: {ingress: [{ports: [90-80]}]}")), HasSubstr("`90-80` is no port of a policy"));
  EXPECT_THAT(error_of(with("p: {ingress: [{ports: [80/sctp]}]}")), HasSubstr("`80/sctp` is no port"));
  EXPECT_THAT(error_of(with("p: {ingress: [{to: []}]}")), HasSubstr("`to` isn't a key of a rule of ingress"));
  EXPECT_THAT(error_of(with("p: {egress: [{to: [{range: 10.0.0.0/8, service: web}]}]}")), HasSubstr("mixes tasks"));
  EXPECT_THAT(error_of(with("P 1: {ingress: []}")), HasSubstr("`P 1` can't name a network policy"));
  EXPECT_THAT(error_of(with("p: {ingress: []}", "network_default: closed, ")), HasSubstr("use deny, or allow"));
  EXPECT_THAT(error_of(with("default-deny: {ingress: []}", "network_default: deny, ")), HasSubstr("rename it"));
}

TEST(NetworkPolicyLoader, WhatIsNotActiveOpensNothing) {
  const auto stack = loaded(
      "{services: {web: {image: a}, debug: {image: a, profiles: [debug]}}, x-orchion: {network_policies: {"
      "p: {service: web, ingress: [{from: [{service: debug}]}]}, q: {service: debug, ingress: []}}}}");
  ASSERT_EQ(stack.network_policies_size(), 1) << "one about nobody is left out";
  EXPECT_TRUE(stack.network_policies(0).spec().ingress());
  EXPECT_TRUE(stack.network_policies(0).spec().from().empty()) << "a rule without its peers would allow anybody";
}

TEST(NetworkPolicyLoader, JobsAreMeantAndIncludedFilesBringTheirs) {
  Folder folder(
      "{services: {web: {image: a}}, include: [inc.yaml], x-orchion: {jobs: {j: {image: a}}, network_policies: {p: "
      "{service: j, egress: []}}}}");
  folder.add("inc.yaml",
             "{services: {db: {image: w}}, x-orchion: {network_default: deny, network_policies: {q: "
             "{service: db, ingress: []}}}}");
  const auto stack = folder.load();
  ASSERT_TRUE(stack) << stack.error().message;
  ASSERT_EQ(stack->spec.network_policies_size(), 3);
  EXPECT_EQ(stack->spec.network_policies(0).name(), "default-deny");
  EXPECT_EQ(stack->spec.network_policies(1).spec().service(), "j");
  EXPECT_EQ(stack->spec.network_policies(2).spec().service(), "db");
}

}  // namespace
}  // namespace orchion::spec
