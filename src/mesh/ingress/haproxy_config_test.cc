#include "mesh/ingress/haproxy_config.h"

#include <cstdlib>
#include <filesystem>

#include <gtest/gtest.h>

#include "base/file.h"
#include "base/process.h"
#include "base/random.h"

namespace orchion::mesh::ingress {
namespace {

RoutedService routed(const std::string& service, const std::string& host, const std::string& path,
                     std::vector<Server> servers = {}) {
  RoutedService out;
  out.route.set_stack("shop");
  out.route.set_service(service);
  auto& route = *out.route.mutable_route();
  route.set_name("main");
  if (!host.empty()) route.add_hosts(host);
  route.set_path(path);
  route.set_port(8080);
  out.servers = std::move(servers);
  return out;
}

HaproxySettings settings() {
  return {.http = "0.0.0.0:80", .https = "0.0.0.0:443", .folder = "/run/i"};
}

// The contents of all maps, in the order in which they are asked.
std::string maps_of(const Config& config) {
  std::string text;
  for (const auto& [name, content] : config.files)
    if (name.ends_with(".map")) text += content + "--\n";
  return text;
}

TEST(HaproxyConfig, ServersAndCertificatesArentStructure) {
  auto one = routed("web", "a.test", "", {{"t1", "10.0.0.2"}});
  one.route.mutable_route()->set_tls(v1::HttpRoute::OWN_CERTIFICATE);
  one.route.mutable_route()->mutable_certificate()->set_pem("one");
  auto other = one;
  other.servers = {{"t2", "10.0.0.3"}, {"t3", "10.0.0.4"}};
  other.route.mutable_route()->mutable_certificate()->set_pem("two");
  const auto a = make_config(settings(), {one});
  const auto b = make_config(settings(), {other});
  EXPECT_EQ(a.structure, b.structure);
  EXPECT_NE(a.text, b.text);
  EXPECT_EQ(b.backends.at("shop.web.main").servers.at("t3"), (ServerLine{"10.0.0.4", 8080, false}));
  EXPECT_EQ(b.certificates.at("certificates/shop.web.main.pem"), "two");
}

TEST(HaproxyConfig, EverythingElseIsStructure) {
  const auto base = make_config(settings(), {routed("web", "a.test", "/x")}).structure;
  EXPECT_NE(make_config(settings(), {routed("web", "b.test", "/x")}).structure, base);
  EXPECT_NE(make_config(settings(), {routed("web", "a.test", "/y")}).structure, base);
  auto strip = routed("web", "a.test", "/x");
  strip.route.mutable_route()->set_strip_path(true);
  EXPECT_NE(make_config(settings(), {strip}).structure, base);
  auto sticky = routed("web", "a.test", "/x");
  sticky.route.mutable_route()->set_sticky(true);
  EXPECT_NE(make_config(settings(), {sticky}).structure, base);
  auto moved = settings();
  moved.http = "0.0.0.0:81";
  EXPECT_NE(make_config(moved, {routed("web", "a.test", "/x")}).structure, base);
}

TEST(HaproxyConfig, KeysEndAtASegment) {
  auto exact = routed("c", "a.test", "/api/");
  exact.route.mutable_route()->set_exact(true);
  const auto config = make_config(settings(), {routed("a", "a.test", ""), routed("b", "a.test", "/api/"), exact,
                                               routed("d", "*.a.test", "/api"), routed("e", "", "/any")});
  EXPECT_EQ(maps_of(config),
            "a.test/api/ shop.c.main\n--\n"
            "a.test/ shop.a.main\na.test/api/ shop.b.main\n--\n"
            ".a.test/api/ shop.d.main\n--\n"
            "/any/ shop.e.main\n--\n");
}

TEST(HaproxyConfig, HigherPrioritiesAreAskedFirst) {
  auto first = routed("b", "", "/");
  first.route.mutable_route()->set_priority(5);
  const auto config = make_config(settings(), {routed("a", "a.test", "/long/path"), first});
  EXPECT_EQ(maps_of(config), "/ shop.b.main\n--\na.test/long/path/ shop.a.main\n--\n");
}

TEST(HaproxyConfig, PlainRequestsOfATlsRouteAreSentOn) {
  auto secure = routed("a", "a.test", "");
  secure.route.mutable_route()->set_tls(v1::HttpRoute::INTERNAL_AUTHORITY);
  secure.route.mutable_route()->mutable_certificate()->set_pem("pem");
  const auto config = make_config(settings(), {secure});
  EXPECT_EQ(maps_of(config), "a.test/ redirect\n--\na.test/ shop.a.main\n--\n");
  secure.route.mutable_route()->set_plain_too(true);
  EXPECT_EQ(maps_of(make_config(settings(), {secure})), "a.test/ shop.a.main\n--\na.test/ shop.a.main\n--\n");
}

// Whatever routes there may be: the program itself is the judge.
TEST(HaproxyConfig, HaproxyTakesWhatIsWritten) {
  ASSERT_TRUE(base::find_program("haproxy")) << "install haproxy";
  const auto folder = std::filesystem::temp_directory_path() / ("haproxy-config-" + std::to_string(::getpid()));
  auto random = base::Random(20261123);
  const auto pick = [&](std::uint64_t n) { return random.next() % n; };
  std::string pem = base::run_checked({.arguments = {"openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                                                     "ec_paramgen_curve:P-256", "-nodes", "-keyout", "-", "-out", "-",
                                                     "-days", "9", "-subj", "/CN=a.test"}})
                        .value();
  for (int round = 0; round < 60; ++round) {
    std::vector<RoutedService> services;
    for (auto i = pick(12); i > 0; --i) {
      constexpr const char* kHosts[] = {"", "a.test", "*.a.test", "xn--bcher-kva.test", "localhost"};
      constexpr const char* kPaths[] = {"", "/", "/api", "/a/b.c/", "/~x%20y;z=1,2", "/'()*+$&!@:"};
      auto one = routed("s" + std::to_string(pick(9)), kHosts[pick(5)], kPaths[pick(6)]);
      auto& route = *one.route.mutable_route();
      route.set_exact(pick(3) == 0);
      route.set_priority(static_cast<int>(pick(5)) - 2);
      route.set_sticky(pick(2) == 0);
      route.set_strip_path(pick(2) == 0);
      route.set_service_has_tls(pick(4) == 0);
      route.set_plain_too(pick(2) == 0);
      route.set_tls(static_cast<v1::HttpRoute::Tls>(pick(3)));
      if (route.tls() != v1::HttpRoute::PLAIN && pick(4) > 0) route.mutable_certificate()->set_pem(pem);
      for (auto n = pick(4); n > 0; --n)
        one.servers.push_back({"01TASK" + std::to_string(n), "10.0.0." + std::to_string(n)});
      services.push_back(std::move(one));
    }
    const HaproxySettings where{.http = "127.0.0.1:18080", .https = "127.0.0.1:18443", .folder = folder.string()};
    const auto config = make_config(where, services);
    ASSERT_TRUE(base::make_folders(folder / config.structure));
    ASSERT_TRUE(base::make_folders(folder / "certificates"));
    ASSERT_TRUE(base::make_folders(empty_folder(where)));
    for (const auto& [name, content] : config.files) ASSERT_TRUE(base::write_file(folder / name, content));
    for (const auto& [name, content] : config.certificates) ASSERT_TRUE(base::write_file(folder / name, content));
    ASSERT_TRUE(base::write_file(folder / "haproxy.cfg", config.text));
    const auto said = base::run_process({.arguments = {"haproxy", "-c", "-f", (folder / "haproxy.cfg").string()}});
    ASSERT_TRUE(said) << said.error().message;
    ASSERT_EQ(said->exit_code, 0) << said->standard_error << config.text;
    // That there is no certificate yet is all it may wonder about.
    const auto warning = said->standard_error.find("[WARNING]");
    if (warning != std::string::npos) {
      ASSERT_TRUE(config.certificates.empty()) << said->standard_error << config.text;
      ASSERT_NE(said->standard_error.find("no SSL certificate specified", warning), std::string::npos);
      ASSERT_EQ(said->standard_error.find("[WARNING]", warning + 1), std::string::npos) << said->standard_error;
    }
    ASSERT_TRUE(base::remove_tree(folder));
  }
}

}  // namespace
}  // namespace orchion::mesh::ingress
