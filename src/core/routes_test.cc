#include "core/routes.h"

#include <functional>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace orchion::core {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

v1::ServiceSpec routed() {
  v1::ServiceSpec spec;
  spec.mutable_container()->add_networks()->set_network("default");
  auto& route = *spec.add_routes();
  route.set_name("main");
  route.add_hosts("a.test");
  route.set_path("/api");
  route.set_port(80);
  return spec;
}

std::string wrong(const std::function<void(v1::ServiceSpec&, v1::HttpRoute&)>& change) {
  auto spec = routed();
  change(spec, *spec.mutable_routes(0));
  Violations violations;
  check_routes(spec, "/spec", violations);
  return violations.empty() ? "" : violations.front().pointer + " " + violations.front().detail;
}

TEST(Routes, WhatIsRightPasses) {
  EXPECT_EQ(wrong([](auto&, auto&) {}), "");
  EXPECT_EQ(wrong([](auto&, auto& route) { route.set_network("default"); }), "");
}

TEST(Routes, WhatIsWrongIsSaidWithItsPlace) {
  using S = v1::ServiceSpec;
  using R = v1::HttpRoute;
  EXPECT_THAT(wrong([](S&, R& r) { r.set_name("A"); }), HasSubstr("/spec/routes/0/name"));
  EXPECT_THAT(wrong([](S&, R& r) { r.add_hosts("b_c"); }), HasSubstr("/spec/routes/0/hosts/1 \"b_c\" is no host"));
  EXPECT_THAT(wrong([](S&, R& r) { r.add_hosts("a.test"); }), HasSubstr("a second time"));
  EXPECT_THAT(wrong([](S&, R& r) { r.set_path("api"); }), HasSubstr("is no path"));
  EXPECT_THAT(wrong([](S&, R& r) { r.set_port(0); }), HasSubstr("/spec/routes/0/port 0 is no port"));
  EXPECT_THAT(wrong([](S&, R& r) { r.set_tls(R::OWN_CERTIFICATE); }), HasSubstr("/certificate is empty"));
  EXPECT_THAT(wrong([](S&, R& r) { r.mutable_certificate()->set_pem("x"); }), HasSubstr("means nothing"));
  EXPECT_THAT(wrong([](S&, R& r) { r.set_plain_too(true); }), HasSubstr("says nothing without TLS"));
  EXPECT_THAT(wrong([](S&, R& r) {
                r.clear_hosts();
                r.set_tls(R::INTERNAL_AUTHORITY);
              }),
              HasSubstr("vouches for names"));
  EXPECT_THAT(wrong([](S&, R& r) { r.set_network("back"); }), HasSubstr("isn't in the network \"back\""));
  EXPECT_THAT(wrong([](S& s, R&) { s.mutable_container()->set_network_mode(v1::HOST_NETWORK); }),
              HasSubstr("needs a network"));
  EXPECT_THAT(wrong([](S& s, R& r) { *s.add_routes() = r; }), HasSubstr("another route named main"));
}

TEST(Routes, HostsAndPaths) {
  for (const auto* host : {"localhost", "a.test", "*.a.test", "xn--bcher-kva.test"}) EXPECT_TRUE(is_route_host(host));
  for (const auto* host : {"", "*", "*.", "a.*.test", "A.test", "a..b", "a/b", "a:80"})
    EXPECT_FALSE(is_route_host(host));
  for (const auto* path : {"/", "/a/b", "/%20", "/~a;b=c,d!$&'()*+@:"}) EXPECT_TRUE(is_route_path(path));
  for (const auto* path : {"", "a", "/a b", "/a#b", "/a?b", "/%2", "/%zz", "/\"", "/\n", "/\xc3\xa4"})
    EXPECT_FALSE(is_route_path(path)) << path;
}

TEST(Routes, KeysAreTheRequestsThatARouteTakes) {
  auto route = routed().routes(0);
  EXPECT_THAT(route_keys(route), ElementsAre("a.test/api/ (priority 0)"));
  route.set_path("/api/");
  EXPECT_THAT(route_keys(route), ElementsAre("a.test/api/ (priority 0)"));
  route.set_exact(true);
  route.add_hosts("b.test");
  EXPECT_THAT(route_keys(route), ElementsAre("a.test/api/ exactly (priority 0)", "b.test/api/ exactly (priority 0)"));
}

TEST(Routes, AddressesAreWhatABrowserAsks) {
  auto route = routed().routes(0);
  EXPECT_THAT(route_addresses(route, 80, 443), ElementsAre("http://a.test/api"));
  EXPECT_THAT(route_addresses(route, 8080, 443), ElementsAre("http://a.test:8080/api"));
  route.set_tls(v1::HttpRoute::INTERNAL_AUTHORITY);
  EXPECT_THAT(route_addresses(route, 8080, 443), ElementsAre("https://a.test/api"));
  route.clear_hosts();
  route.clear_path();
  EXPECT_THAT(route_addresses(route, 0, 0), ElementsAre("https://*/"));
}

}  // namespace
}  // namespace orchion::core
