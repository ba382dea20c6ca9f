#include "control/services/route_rules.h"

#include <gmock/gmock.h>

#include "control/services/services_fixture_test.h"
#include "wire/tls/certificates.h"
#include "wire/tls/keys.h"

namespace orchion::control::services {
namespace {

using testing::HasSubstr;

v1::StackSpec stack_with(const std::string& service, const std::string& host, int priority = 0) {
  v1::StackSpec spec;
  auto& named = *spec.add_services();
  named.set_name(service);
  auto& route = *named.mutable_spec()->add_routes();
  route.set_name("main");
  route.add_hosts(host);
  route.set_priority(priority);
  return spec;
}

std::string certificate_of(const std::string& key) {
  wire::tls::CertificatePlan plan;
  plan.common_name = "a.test";
  plan.role = wire::tls::Role::kAuthority;
  plan.not_before = base::WallTime{std::chrono::seconds(1'800'000'000)};
  plan.not_after = plan.not_before + std::chrono::hours(24);
  return wire::tls::make_authority(key, plan).value();
}

class RouteRulesTest : public ServicesFixture {
 protected:
  RouteRulesTest() {
    v1::Stack shop;
    shop.mutable_meta()->set_name("shop");
    *shop.mutable_spec() = stack_with("web", "a.test");
    store::Transaction transaction;
    store::create(transaction, shop);
    commit(std::move(transaction));
  }

  std::string refusal(const std::string& stack, const v1::StackSpec& spec) {
    const auto result = check_route_rules(view(), stack, spec);
    return result ? "" : result.error().message;
  }
};

TEST_F(RouteRulesTest, TheSameRequestsOfAnotherStackAreItsOwn) {
  EXPECT_THAT(refusal("blog", stack_with("site", "a.test")),
              HasSubstr("blog/site wants the requests of a.test/ (priority 0), which are shop/web's"));
  EXPECT_EQ(refusal("blog", stack_with("site", "b.test")), "");
  EXPECT_EQ(refusal("blog", stack_with("site", "a.test", 1)), "");
  EXPECT_EQ(refusal("shop", stack_with("renamed", "a.test")), "") << "its own manifest is replaced";
}

TEST_F(RouteRulesTest, TwoServicesOfOneStackToo) {
  auto spec = stack_with("one", "c.test");
  *spec.add_services() = stack_with("two", "c.test").services(0);
  EXPECT_THAT(refusal("blog", spec),
              HasSubstr("blog/two wants the requests of c.test/ (priority 0), which are blog/one's"));
}

TEST_F(RouteRulesTest, ACertificateHasItsKey) {
  const auto key = wire::tls::make_key().value();
  const auto other = wire::tls::make_key().value();
  const auto refused = [&](const std::string& pem) {
    auto spec = stack_with("site", "d.test");
    auto& route = *spec.mutable_services(0)->mutable_spec()->mutable_routes(0);
    route.set_tls(v1::HttpRoute::OWN_CERTIFICATE);
    route.mutable_certificate()->set_pem(pem);
    route.mutable_certificate()->set_origin("file:/a.pem");
    return refusal("blog", spec);
  };
  EXPECT_EQ(refused(certificate_of(key) + key), "");
  EXPECT_THAT(refused("nothing"), HasSubstr("(file:/a.pem) can't be used: there is no certificate"));
  EXPECT_THAT(refused(certificate_of(key)), HasSubstr("there is no private key"));
  EXPECT_THAT(refused(certificate_of(key) + other), HasSubstr("the key isn't that of the first certificate"));
  EXPECT_THAT(refused(certificate_of(key) + other), testing::Not(HasSubstr("BEGIN")));
}

}  // namespace
}  // namespace orchion::control::services
