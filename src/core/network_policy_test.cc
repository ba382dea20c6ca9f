#include "core/network_policy.h"

#include <gmock/gmock.h>
#include <google/protobuf/text_format.h>
#include <gtest/gtest.h>

#include "core/difference.h"
#include "core/fingerprint.h"
#include "core/policy_labels.h"

namespace orchion::core {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

v1::PolicyAssignment policy(const std::string& stack, const std::string& name, const std::string& spec) {
  v1::PolicyAssignment out;
  out.set_stack(stack);
  out.set_name(name);
  EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(spec, out.mutable_spec())) << spec;
  return out;
}

PolicyEnd task(const std::string& stack, const std::string& service, std::map<std::string, std::string> labels = {}) {
  return {.kind = PolicyEnd::Kind::kTask, .task = {stack, service, std::move(labels)}};
}

PolicyEnd address(const std::string& text) {
  return {.kind = PolicyEnd::Kind::kAddress, .address = *parse_ip_address(text)};
}

PolicyEnd host(const std::string& name) {
  return {.kind = PolicyEnd::Kind::kName, .name = name};
}

const std::vector<v1::PolicyAssignment> kShop = {
    policy("shop", "db-only", R"(service: "db" ingress: true
                                 from { peers { service: "web" } ports { protocol: "tcp" port: 5432 } })"),
    policy("shop", "web-in", R"(service: "web" ingress: true
                                from { peers { stack: "edge" service: "proxy" } ports { port: 80 } }
                                from { peers { labels { key: "team" value: "ops" } } })"),
    policy("shop", "out", R"(service: "web" egress: true
                             to { peers { service: "db" } }
                             to { peers { address_range: "10.0.0.0/8" except: "10.9.0.0/16" } }
                             to { peers { name: "*.example.com" } ports { protocol: "tcp" port: 443 last: 445 } })"),
};

TEST(NetworkPolicy, WithoutAnyAllIsOpen) {
  const auto verdict = evaluate({task("a", "x"), task("b", "y"), 80}, {});
  EXPECT_TRUE(verdict.allowed);
  EXPECT_EQ(verdict.message, "allowed: no policy is about a/x (egress) or b/y (ingress)");
  EXPECT_THAT(verdict.policies, IsEmpty());
}

TEST(NetworkPolicy, BothEndsMustAllow) {
  const auto both = evaluate({task("shop", "web"), task("shop", "db"), 5432}, kShop);
  EXPECT_TRUE(both.allowed);
  EXPECT_EQ(both.message, "allowed by policy shop/out, rule 1 (egress), and by policy shop/db-only, rule 1 (ingress)");
  EXPECT_THAT(both.policies, ElementsAre("shop/out", "shop/db-only"));

  const auto wrong_port = evaluate({task("shop", "web"), task("shop", "db"), 5433}, kShop);
  EXPECT_FALSE(wrong_port.allowed);
  EXPECT_EQ(wrong_port.message,
            "refused: shop/db is under policy shop/db-only (ingress), whose one rule allows shop/web at tcp 5432");
  EXPECT_THAT(wrong_port.policies, ElementsAre("shop/db-only"));

  EXPECT_FALSE(evaluate({task("shop", "web"), task("shop", "db"), 5432, true}, kShop).allowed) << "udp";
  EXPECT_FALSE(evaluate({task("shop", "job"), task("shop", "db"), 5432}, kShop).allowed);

  const auto out = evaluate({task("shop", "web"), task("shop", "cache"), 6379}, kShop);
  EXPECT_EQ(out.message,
            "refused: shop/web is under policy shop/out (egress), whose 3 rules allow shop/db, "
            "10.0.0.0/8 without 10.9.0.0/16, *.example.com at tcp 443-445");
}

TEST(NetworkPolicy, PeersAreOfStacksServicesAndLabels) {
  EXPECT_TRUE(evaluate({task("edge", "proxy"), task("shop", "web"), 80, true}, kShop).allowed);
  EXPECT_FALSE(evaluate({task("shop", "proxy"), task("shop", "web"), 80}, kShop).allowed) << "of its own stack";
  EXPECT_TRUE(evaluate({task("shop", "any", {{"team", "ops"}}), task("shop", "web"), 22}, kShop).allowed);
  EXPECT_FALSE(evaluate({task("edge", "any", {{"team", "ops"}}), task("shop", "web"), 22}, kShop).allowed);
  const std::vector all = {policy("shop", "open", R"(ingress: true from { peers { stack: "*" service: "probe" } })")};
  EXPECT_TRUE(evaluate({task("far", "probe"), task("shop", "db"), 1}, all).allowed);
  EXPECT_FALSE(evaluate({address("192.0.2.1"), task("shop", "db"), 1}, all).allowed) << "nobody outside is a task";
}

TEST(NetworkPolicy, RangesAndNamesMeanWhoIsOutside) {
  EXPECT_TRUE(evaluate({task("shop", "web"), address("10.1.2.3"), 1}, kShop).allowed);
  EXPECT_FALSE(evaluate({task("shop", "web"), address("10.9.2.3"), 1}, kShop).allowed);
  EXPECT_TRUE(evaluate({task("shop", "web"), host("API.example.com."), 444}, kShop).allowed);
  EXPECT_FALSE(evaluate({task("shop", "web"), host("example.com"), 443}, kShop).allowed);
  EXPECT_FALSE(evaluate({task("shop", "web"), host("api.example.com"), 446}, kShop).allowed);
  EXPECT_FALSE(evaluate({task("shop", "web"), host("badexample.com"), 443}, kShop).allowed);
  const std::vector anybody = {policy("shop", "open", R"(ingress: true from { ports { protocol: "tcp" port: 80 } })")};
  EXPECT_EQ(evaluate({address("::1"), task("shop", "db"), 80}, anybody).message, "allowed by policy shop/open, rule 1");
  EXPECT_EQ(evaluate({address("::1"), task("shop", "db"), 81}, anybody).message,
            "refused: shop/db is under policy shop/open (ingress), whose one rule allows anybody at tcp 80");
}

TEST(NetworkPolicy, TheDefaultRefusesAndOthersAddToIt) {
  auto policies = kShop;
  policies.push_back(policy("shop", "default", "ingress: true egress: true"));
  EXPECT_TRUE(evaluate({task("shop", "web"), task("shop", "db"), 5432}, policies).allowed);
  const auto refused = evaluate({task("shop", "cache"), task("shop", "db"), 5432}, policies);
  EXPECT_EQ(refused.message, "refused: shop/cache is under policy shop/default (egress), which allows nobody");
  const auto in = evaluate({task("edge", "x"), task("shop", "db"), 5432}, policies);
  EXPECT_EQ(
      in.message,
      "refused: shop/db is under policies shop/db-only, shop/default (ingress), whose one rule allows shop/web at "
      "tcp 5432");
  EXPECT_TRUE(evaluate({task("edge", "x"), task("edge", "y"), 1}, policies).allowed) << "another stack's";
}

TEST(NetworkPolicy, IsAboutLabels) {
  const std::vector labelled = {policy("shop", "p", R"(labels { key: "tier" value: "back" } ingress: true)")};
  EXPECT_FALSE(evaluate({task("a", "x"), task("shop", "db", {{"tier", "back"}, {"b", "c"}}), 1}, labelled).allowed);
  EXPECT_TRUE(evaluate({task("a", "x"), task("shop", "db", {{"tier", "front"}}), 1}, labelled).allowed);
  v1::ServiceSpec spec;
  (*spec.mutable_labels())["tier"] = "front";
  (*spec.mutable_labels())["own"] = "1";
  (*spec.mutable_container()->mutable_labels())["tier"] = "back";
  const auto labels = policy_labels(spec);
  EXPECT_EQ(labels.size(), 2u);
  EXPECT_EQ(labels.at("own"), "1");
  EXPECT_EQ(labels.at("tier"), "back");
}

struct Wrong {
  const char* spec;
  const char* at;
  const char* says;
};

TEST(NetworkPolicyValidation, SaysWhatIsWrongAndWhere) {
  const Wrong cases[] = {
      {"", "", "holds for no direction: give it `ingress`, `egress` or both"},
      {R"(service: "nope" ingress: true)", "/service", "the stack has no service \"nope\""},
      {"ingress: true to { }", "/to", "has rules, and the policy doesn't hold for egress: set it, or remove them"},
      {R"(ingress: true from { peers { address_range: "10.0.0.1/8" } })", "/from/0/peers/0/addressRange",
       "\"10.0.0.1/8\" is an address in a range: the range is 10.0.0.0/8"},
      {R"(ingress: true from { peers { address_range: "10.0.0.0/8" except: "11.0.0.0/16" } })",
       "/from/0/peers/0/except/0", "11.0.0.0/16 isn't within 10.0.0.0/8"},
      {R"(ingress: true from { peers { except: "11.0.0.0/16" } })", "/from/0/peers/0/except",
       "needs a range that it is an exception from"},
      {R"(egress: true to { peers { service: "web" name: "a.example.com" } })", "/to/0/peers/0",
       "mixes tasks, a range and a name: make each a peer of its own"},
      {R"(ingress: true from { peers { name: "a.example.com" } })", "/from/0/peers/0/name",
       "who comes in is known by address, not by name: write a range"},
      {R"(egress: true to { peers { name: "a.*.com" } })", "/to/0/peers/0/name",
       "\"a.*.com\" is no name of a host: write it like api.example.com or *.example.com"},
      {R"(egress: true to { peers { name: "10.0.0.1" } })", "/to/0/peers/0/name",
       "\"10.0.0.1\" is no name of a host: write it like api.example.com or *.example.com"},
      {R"(egress: true to { peers { service: "other" } })", "/to/0/peers/0/service",
       "the stack has no service \"other\""},
      {R"(egress: true to { peers { stack: "No" } })", "/to/0/peers/0/stack",
       "\"No\" can't name a stack: 1 to 63 of a-z, 0-9 and '-', neither first nor last a '-'"},
      {R"(egress: true to { ports { protocol: "sctp" port: 1 } })", "/to/0/ports/0/protocol",
       "\"sctp\" is neither tcp nor udp; leave it out for both"},
      {"egress: true to { ports { port: 0 } }", "/to/0/ports/0/port", "must be 1 to 65535"},
      {"egress: true to { ports { port: 80 last: 79 } }", "/to/0/ports/0/last", "must be 80 to 65535"},
      {R"(egress: true labels { key: "" value: "x" })", "/labels", "has a label without a name"},
  };
  for (const auto& wrong : cases) {
    Violations violations;
    check_network_policy(policy("shop", "p", wrong.spec).spec(), {"web"}, "", violations);
    ASSERT_EQ(violations.size(), 1u) << wrong.spec;
    EXPECT_EQ(violations[0].pointer, wrong.at) << wrong.spec;
    EXPECT_EQ(violations[0].detail, wrong.says) << wrong.spec;
  }
  for (const auto& right : kShop) {
    Violations violations;
    check_network_policy(right.spec(), {"web", "db"}, "", violations);
    EXPECT_TRUE(violations.empty()) << violations[0].detail;
  }
}

v1::StackSpec stack_with(const std::string& policies) {
  v1::StackSpec spec;
  EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(
      R"(services { name: "web" spec { container { image: "web" } } })" + policies, &spec));
  return spec;
}

TEST(NetworkPolicyValidation, IsPartOfTheStack) {
  EXPECT_TRUE(validate_stack("shop", stack_with(R"(network_policies { name: "p" spec { ingress: true } })")));
  const auto twice = validate_stack("shop", stack_with(R"(network_policies { name: "p" spec { ingress: true } }
                                                          network_policies { name: "p" spec { egress: true } })"));
  EXPECT_EQ(twice.error().message,
            "the stack shop is not valid: /spec/networkPolicies/1/name there is another network policy named p");
  const auto unknown =
      validate_stack("shop", stack_with(R"(network_policies { name: "p" spec { service: "db" ingress: true } })"));
  EXPECT_EQ(unknown.error().message,
            "the stack shop is not valid: /spec/networkPolicies/0/spec/service the stack has no service \"db\"");
}

TEST(NetworkPolicyDifference, NamesTheRuleThatChanges) {
  const auto before = stack_with(R"(network_policies { name: "p" spec { ingress: true
                                      from { ports { port: 80 } } from { ports { port: 81 } } } })");
  auto after = before;
  after.mutable_network_policies(0)->mutable_spec()->mutable_from(0)->mutable_ports(0)->set_port(8080);
  const auto plan = difference(before, after);
  ASSERT_EQ(plan.changes_size(), 2);
  EXPECT_EQ(plan.changes(0).action(), v1::Change::NONE) << "no task is replaced";
  EXPECT_EQ(plan.changes(1).kind(), "NetworkPolicy");
  EXPECT_EQ(plan.changes(1).action(), v1::Change::UPDATE);
  ASSERT_EQ(plan.changes(1).fields_size(), 1);
  EXPECT_EQ(plan.changes(1).fields(0).path(), "from[1].ports[1].port");
  EXPECT_EQ(plan.changes(1).fields(0).after(), "8080");
  EXPECT_EQ(difference(before, stack_with("")).changes(1).action(), v1::Change::REMOVE);
  EXPECT_EQ(difference(stack_with(""), before).changes(1).action(), v1::Change::CREATE);
}

}  // namespace
}  // namespace orchion::core
