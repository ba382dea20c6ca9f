// `x-orchion: {routes: …}` of a service, and the labels of Traefik.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "spec/loader.h"
#include "spec/render.h"
#include "spec/test_folder.h"

namespace orchion::spec {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

std::string with_routes(const std::string& routes, const std::string& more = "expose: ['80']") {
  return "services: {web: {image: a, " + more + ", x-orchion: {routes: " + routes + "}}}";
}

std::string with_labels(const std::string& labels, const std::string& more = "") {
  return "services:\n  web:\n    image: a\n" + more + "    labels:\n" + labels;
}

const v1::ServiceSpec& service(const v1::StackSpec& stack) {
  return stack.services(0).spec();
}

TEST(RoutesLoader, ARouteWithAllThereIs) {
  const auto stack = loaded(
      "services:\n"
      "  web:\n"
      "    image: a\n"
      "    networks: [front]\n"
      "    x-orchion:\n"
      "      routes:\n"
      "        - {name: shop, hosts: [Shop.example.com, '*.example.com'], path: /api, port: 8080, network: front,\n"
      "           priority: -2, tls: internal, plain_too: true, strip_path: true, sticky: true, service_tls: true}\n"
      "        - {path: /x, exact: true, port: 81}\n"
      "networks: {front: }\n");
  ASSERT_EQ(service(stack).routes_size(), 2);
  const auto& route = service(stack).routes(0);
  EXPECT_EQ(route.name(), "shop");
  EXPECT_THAT(route.hosts(), ElementsAre("shop.example.com", "*.example.com"));
  EXPECT_EQ(route.path(), "/api");
  EXPECT_EQ(route.port(), 8080u);
  EXPECT_EQ(route.network(), "front");
  EXPECT_EQ(route.priority(), -2);
  EXPECT_EQ(route.tls(), v1::HttpRoute::INTERNAL_AUTHORITY);
  EXPECT_TRUE(route.plain_too() && route.strip_path() && route.sticky() && route.service_has_tls());
  EXPECT_EQ(service(stack).routes(1).name(), "main-2");
  EXPECT_TRUE(service(stack).routes(1).exact());
  EXPECT_EQ(loaded(render("shop", stack)).DebugString(), stack.DebugString()) << "written and read again";
}

TEST(RoutesLoader, ThePortIsTheOnlyOneThereIs) {
  EXPECT_EQ(service(loaded(with_routes("[{host: a.test}]"))).routes(0).port(), 80u);
  EXPECT_EQ(service(loaded(with_routes("[{host: a.test}]", "ports: ['9000:81', '53:53/udp']"))).routes(0).port(), 81u);
  EXPECT_THAT(Folder(with_routes("[{host: a.test}]", "ports: ['80', '81']")).error(),
              HasSubstr("the route `main` has no port, and the service has 80, 81: say which one it means"));
  EXPECT_THAT(Folder(with_routes("[{host: a.test}]", "user: x")).error(), HasSubstr("say on which one it listens"));
}

TEST(RoutesLoader, WhatMakesNoSense) {
  const auto error = [](const std::string& route) { return Folder(with_routes("[" + route + "]")).error(); };
  EXPECT_THAT(error("{host: 'a b'}"), HasSubstr("`a b` isn't a host"));
  EXPECT_THAT(error("{host: 'a.*.b'}"), HasSubstr("isn't a host"));
  EXPECT_THAT(error("{host: a, hosts: [b]}"), HasSubstr("keep one"));
  EXPECT_THAT(error("{path: api}"), HasSubstr("`api` isn't a path"));
  EXPECT_THAT(error("{path: '/a\"b'}"), HasSubstr("isn't a path"));
  EXPECT_THAT(error("{exact: true}"), HasSubstr("`exact` says nothing without a `path`"));
  EXPECT_THAT(error("{strip_path: true}"), HasSubstr("`strip_path` says nothing"));
  EXPECT_THAT(error("{plain_too: true}"), HasSubstr("`plain_too` says nothing"));
  EXPECT_THAT(error("{tls: internal}"), HasSubstr("vouches for names"));
  EXPECT_THAT(error("{host: a, tls: letsencrypt}"), HasSubstr("isn't a kind of TLS"));
  EXPECT_THAT(error("{host: a, tls: {key: k}}"), HasSubstr("names no `certificate`"));
  EXPECT_THAT(error("{host: a, tls: {certificate: ./none.pem}}"), HasSubstr("there is no file ./none.pem"));
  EXPECT_THAT(error("{host: a, network: back}"), HasSubstr("isn't in the network `back` of its route `main`"));
  EXPECT_THAT(error("{hots: [a]}"), HasSubstr("did you mean `host`"));
  EXPECT_THAT(Folder(with_routes("[{host: a.test, port: 80}]", "network_mode: host")).error(),
              HasSubstr("needs a network"));
}

TEST(RoutesLoader, ACertificateIsReadWhereItIs) {
  Folder folder(with_routes("[{host: a.test, tls: {certificate: ./a.pem, key: ./a.key}}]"));
  folder.add("a.pem", "CERTIFICATE").add("a.key", "KEY\n");
  const auto stack = folder.load().value().spec;
  const auto& route = service(stack).routes(0);
  EXPECT_EQ(route.tls(), v1::HttpRoute::OWN_CERTIFICATE);
  EXPECT_EQ(route.certificate().pem(), "CERTIFICATE\nKEY\n");
  EXPECT_EQ(route.certificate().origin(), "file:/srv/shop/a.pem,/srv/shop/a.key");
  EXPECT_THAT(render("shop", stack), HasSubstr("certificate: /srv/shop/a.pem"));
  EXPECT_THAT(render("shop", stack), testing::Not(HasSubstr("CERTIFICATE")));
}

TEST(TraefikLoader, TheUsualLabels) {
  const auto stack =
      loaded(with_labels("      - traefik.enable=true\n"
                         "      - traefik.http.routers.My_Web.rule=Host(`a.test`) || Host(`b.test`)\n"
                         "      - traefik.http.routers.My_Web.entrypoints=websecure\n"
                         "      - traefik.http.routers.My_Web.tls.certresolver=le\n"
                         "      - traefik.http.routers.My_Web.priority=7\n"
                         "      - traefik.http.services.my.loadbalancer.server.port=8080\n"
                         "      - traefik.http.services.my.loadbalancer.server.scheme=https\n"
                         "      - traefik.http.services.my.loadbalancer.sticky.cookie=true\n"
                         "      - traefik.docker.network=default\n"));
  ASSERT_EQ(service(stack).routes_size(), 1);
  const auto& route = service(stack).routes(0);
  EXPECT_EQ(route.name(), "my-web");
  EXPECT_THAT(route.hosts(), ElementsAre("a.test", "b.test"));
  EXPECT_EQ(route.tls(), v1::HttpRoute::INTERNAL_AUTHORITY);
  EXPECT_FALSE(route.plain_too());
  EXPECT_EQ(route.priority(), 7);
  EXPECT_EQ(route.port(), 8080u);
  EXPECT_EQ(route.network(), "default");
  EXPECT_TRUE(route.service_has_tls());
  EXPECT_TRUE(route.sticky());
}

TEST(TraefikLoader, APlainRouterBesideASecureOneIsOneRoute) {
  const std::string both =
      "      traefik.http.routers.p.rule: Host(`a.test`)\n"
      "      traefik.http.routers.p.entrypoints: web\n"
      "      traefik.http.routers.s.rule: Host(`a.test`)\n"
      "      traefik.http.routers.s.entrypoints: websecure\n"
      "      traefik.http.routers.s.tls: 'true'\n"
      "      traefik.http.services.w.loadbalancer.server.port: '80'\n";
  auto stack = loaded(with_labels(both));
  ASSERT_EQ(service(stack).routes_size(), 1);
  EXPECT_TRUE(service(stack).routes(0).plain_too());
  stack = loaded(with_labels(both + "      traefik.http.routers.p.middlewares: sec@docker\n"
                                    "      traefik.http.middlewares.sec.redirectscheme.scheme: https\n"));
  ASSERT_EQ(service(stack).routes_size(), 1);
  EXPECT_EQ(service(stack).routes(0).name(), "s");
  EXPECT_FALSE(service(stack).routes(0).plain_too());
}

TEST(TraefikLoader, StripPrefixAndLabelsOfDeploy) {
  const auto stack = loaded(
      "services:\n  web:\n    image: a\n    expose: ['80']\n    deploy:\n      labels:\n"
      "        traefik.http.routers.w.rule: Host(`a.test`) && (PathPrefix(`/a`) || PathPrefix(`/b`))\n"
      "        traefik.http.routers.w.middlewares: cut\n"
      "        traefik.http.middlewares.cut.stripprefix.prefixes: /a, /b\n");
  ASSERT_EQ(service(stack).routes_size(), 2);
  EXPECT_EQ(service(stack).routes(1).name(), "w-2");
  for (const auto& route : service(stack).routes()) EXPECT_TRUE(route.strip_path());
}

TEST(TraefikLoader, WhatIsNotUnderstoodIsNotDropped) {
  const std::string good =
      "      - traefik.http.routers.w.rule=Host(`a.test`)\n"
      "      - traefik.http.services.w.loadbalancer.server.port=80\n";
  const auto error = [&](const std::string& label) {
    return Folder(with_labels(good + "      - " + label + "\n")).error();
  };
  EXPECT_THAT(error("traefik.http.routers.w.rulesyntax=v3"),
              HasSubstr(":7:9: the label `traefik.http.routers.w.rulesyntax` isn't understood"));
  EXPECT_THAT(error("traefik.tcp.routers.w.rule=HostSNI(`*`)"), HasSubstr("isn't understood"));
  EXPECT_THAT(error("traefik.http.routers.w.entrypoints=admin"), HasSubstr("the entrypoint `admin` isn't there"));
  EXPECT_THAT(error("traefik.http.routers.w.middlewares=auth@file"), HasSubstr("the middleware `auth`"));
  EXPECT_THAT(error("traefik.http.routers.w.service=other"), HasSubstr("isn't among these labels"));
  EXPECT_THAT(error("traefik.http.routers.v.tls=true"), HasSubstr("the router `v` has no rule"));
  EXPECT_THAT(error("traefik.docker.network=back"), HasSubstr("isn't in the network `back`"));
  EXPECT_THAT(error("traefik.http.services.w.loadbalancer.server.scheme=h2c"), HasSubstr("use http or https"));
  EXPECT_THAT(Folder(with_labels("      - traefik.enable=true\n")).error(), HasSubstr("name no router"));
}

TEST(TraefikLoader, WhatIsSwitchedOffIsNobodys) {
  const auto stack = loaded(with_labels("      - traefik.enable=false\n      - traefik.tcp.routers.w.rule=x\n"));
  EXPECT_EQ(service(stack).routes_size(), 0);
}

}  // namespace
}  // namespace orchion::spec
