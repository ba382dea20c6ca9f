#include "core/validation.h"

#include <functional>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/defaults.h"

namespace orchion::core {
namespace {

v1::StackSpec shop() {
  v1::StackSpec stack;
  for (const char* name : {"web", "db"}) {
    auto& service = *stack.add_services();
    service.set_name(name);
    service.mutable_spec()->mutable_container()->set_image("app:1");
  }
  auto& web = *stack.mutable_services(0)->mutable_spec();
  web.add_depends_on()->set_service("db");
  auto& port = *web.mutable_container()->add_ports();
  port.set_host_port(8080);
  port.set_container_port(80);
  auto& mount = *stack.mutable_services(1)->mutable_spec()->mutable_container()->add_mounts();
  mount.set_type(v1::Mount::VOLUME);
  mount.set_source("data");
  mount.set_target("/data");
  stack.add_volumes()->set_name("data");
  fill_defaults(stack);
  return stack;
}

v1::ContainerSpec& web_container(v1::StackSpec& stack) {
  return *stack.mutable_services(0)->mutable_spec()->mutable_container();
}
v1::ServiceSpec& web_spec(v1::StackSpec& stack) {
  return *stack.mutable_services(0)->mutable_spec();
}

v1::HttpProbe& http_of(v1::StackSpec& stack) {
  auto& http = *web_container(stack).mutable_health_check()->mutable_http();
  http.set_port(80);
  return http;
}

std::vector<std::string> pointers(const base::Result<>& result) {
  std::vector<std::string> out;
  if (!result)
    for (const auto& field : result.error().fields) out.push_back(field.pointer);
  return out;
}

TEST(Validation, AGoodStackPasses) {
  EXPECT_TRUE(validate_stack("shop", shop()));
  auto with_device = shop();
  web_container(with_device).add_devices()->set_source("vendor.com/gpu=0");
  EXPECT_TRUE(validate_stack("shop", with_device));
}

struct Case {
  const char* pointer;
  std::function<void(v1::StackSpec&)> edit;
};

const Case kCases[] = {
    {"/spec/services/0/spec/container/readiness", [](auto& s) { web_container(s).mutable_readiness(); }},
    {"/spec/services/0/spec/container/startup",
     [](auto& s) { web_container(s).mutable_startup()->mutable_interval()->set_seconds(1); }},
    {"/spec/services/0/spec/container/readiness/tcp/port",
     [](auto& s) { web_container(s).mutable_readiness()->mutable_tcp(); }},
    {"/spec/services/0/spec/container/readiness/tcp/port",
     [](auto& s) { web_container(s).mutable_readiness()->mutable_tcp()->set_port(65536); }},
    {"/spec/services/0/spec/container/startup/grpc/port",
     [](auto& s) { web_container(s).mutable_startup()->mutable_grpc()->set_service("x"); }},
    {"/spec/services/0/spec/container/healthCheck/http/port",
     [](auto& s) { web_container(s).mutable_health_check()->mutable_http(); }},
    {"/spec/services/0/spec/container/readiness",
     [](auto& s) {
       auto& check = *web_container(s).mutable_readiness();
       check.mutable_tcp()->set_port(80);
       check.mutable_grpc()->set_port(81);
     }},
    {"/spec/services/0/spec/container/healthCheck/http/path",
     [](auto& s) { http_of(s).set_path("/a HTTP/1.1\r\nX: y"); }},
    {"/spec/services/0/spec/container/healthCheck/http/path", [](auto& s) { http_of(s).set_path("healthz"); }},
    {"/spec/services/0/spec/container/healthCheck/http/host", [](auto& s) { http_of(s).set_host("a\r\nb"); }},
    {"/spec/services/0/spec/container/healthCheck/http/headers/0/name",
     [](auto& s) { http_of(s).add_headers()->set_name("X: y"); }},
    {"/spec/services/0/spec/container/healthCheck/http/headers/0/value",
     [](auto& s) {
       auto& header = *http_of(s).add_headers();
       header.set_name("X");
       header.set_value("a\nb");
     }},
    {"/spec/services/0/spec/container/executor", [](auto& s) { web_container(s).set_executor("rocket"); }},
    {"/spec/services/0/name", [](auto& s) { s.mutable_services(0)->set_name("Web"); }},
    {"/spec/services/1/name", [](auto& s) { s.mutable_services(1)->set_name(std::string(64, 'a')); }},
    {"/spec/networks/0/name", [](auto& s) { s.mutable_networks(0)->set_name(""); }},
    {"/spec/volumes/1/name", [](auto& s) { s.add_volumes()->set_name("data"); }},
    {"/spec/services/0/spec/container/image", [](auto& s) { web_container(s).clear_image(); }},
    {"/spec/services/0/spec/container/image", [](auto& s) { web_container(s).set_image("a b"); }},
    {"/spec/services/0/spec/replicas", [](auto& s) { web_spec(s).set_replicas(10001); }},
    {"/spec/services/0/spec/dependsOn/0/service",
     [](auto& s) { web_spec(s).mutable_depends_on(0)->set_service("cache"); }},
    {"/spec/services/0/spec/dependsOn/1/service",
     [](auto& s) { *web_spec(s).add_depends_on() = web_spec(s).depends_on(0); }},
    {"/spec/services/1/spec/dependsOn",
     [](auto& s) { s.mutable_services(1)->mutable_spec()->add_depends_on()->set_service("web"); }},
    {"/spec/services/0/spec/dependsOn", [](auto& s) { web_spec(s).mutable_depends_on(0)->set_service("web"); }},
    {"/spec/services/0/spec/constraints/0", [](auto& s) { web_spec(s).add_constraints("node.size==2"); }},
    {"/spec/services/0/spec/recovery/action",
     [](auto& s) {
       web_spec(s).mutable_recovery()->set_action(v1::Recovery::MOVE);
       web_spec(s).mutable_restart()->set_condition(v1::RestartPolicy::NO);
     }},
    {"/spec/services/0/spec/recovery/command", [](auto& s) { web_spec(s).mutable_recovery()->add_command("mend"); }},
    {"/spec/services/0/spec/recovery/action",
     [](auto& s) {
       web_container(s).clear_health_check();
       web_spec(s).mutable_recovery()->set_action(v1::Recovery::RUN_COMMAND);
       web_spec(s).mutable_recovery()->add_command("mend");
     }},
    {"/spec/services/0/spec/container/networks/0/network",
     [](auto& s) { web_container(s).mutable_networks(0)->set_network("front"); }},
    {"/spec/services/0/spec/container/networks/1",
     [](auto& s) { *web_container(s).add_networks() = web_container(s).networks(0); }},
    {"/spec/services/0/spec/container/networks/0/aliases/0",
     [](auto& s) { web_container(s).mutable_networks(0)->add_aliases("a b"); }},
    {"/spec/services/1/spec/container/mounts/0/source",
     [](auto& s) { s.mutable_services(1)->mutable_spec()->mutable_container()->mutable_mounts(0)->set_source("x"); }},
    {"/spec/services/0/spec/container/mounts/0/target",
     [](auto& s) {
       auto& mount = *web_container(s).add_mounts();
       mount.set_type(v1::Mount::TMPFS);
       mount.set_target("tmp");
     }},
    {"/spec/services/0/spec/container/mounts/0/source",
     [](auto& s) {
       auto& mount = *web_container(s).add_mounts();
       mount.set_type(v1::Mount::BIND);
       mount.set_source("./x");
       mount.set_target("/x");
     }},
    {"/spec/services/0/spec/container/mounts/0/type", [](auto& s) { web_container(s).add_mounts()->set_target("/x"); }},
    {"/spec/services/1/spec/container/mounts/1/target",
     [](auto& s) {
       auto& container = *s.mutable_services(1)->mutable_spec()->mutable_container();
       *container.add_mounts() = container.mounts(0);
     }},
    {"/spec/services/0/spec/container/ports/0/containerPort",
     [](auto& s) { web_container(s).mutable_ports(0)->set_container_port(0); }},
    {"/spec/services/0/spec/container/ports/0/hostPort",
     [](auto& s) { web_container(s).mutable_ports(0)->set_host_port(65536); }},
    {"/spec/services/0/spec/container/ports/0/protocol",
     [](auto& s) { web_container(s).mutable_ports(0)->set_protocol("sctp"); }},
    {"/spec/services/0/spec/container/ports/0/hostIp",
     [](auto& s) { web_container(s).mutable_ports(0)->set_host_ip("localhost"); }},
    {"/spec/services/0/spec/container/ports/1",
     [](auto& s) { *web_container(s).add_ports() = web_container(s).ports(0); }},
    {"/spec/services/1/spec/container/ports/0/hostPort",
     [](auto& s) {
       *s.mutable_services(1)->mutable_spec()->mutable_container()->add_ports() = web_container(s).ports(0);
     }},
    {"/spec/services/1/spec/container/ports/0/hostPort",
     [](auto& s) {
       auto& port = *s.mutable_services(1)->mutable_spec()->mutable_container()->add_ports();
       port = web_container(s).ports(0);
       port.set_host_ip("127.0.0.1");
     }},
    {"/spec/services/0/spec/container/reservations/memoryBytes",
     [](auto& s) {
       web_container(s).mutable_limits()->set_memory_bytes(1 << 20);
       web_container(s).mutable_reservations()->set_memory_bytes(2 << 20);
     }},
    {"/spec/services/0/spec/container/limits/nanoCpus",
     [](auto& s) { web_container(s).mutable_limits()->set_nano_cpus(-1); }},
    {"/spec/services/0/spec/container/environment/0/name",
     [](auto& s) { web_container(s).add_environment()->set_name("A=B"); }},
    {"/spec/services/0/spec/container/environment/1/name",
     [](auto& s) {
       web_container(s).add_environment()->set_name("A");
       web_container(s).add_environment()->set_name("A");
     }},
    {"/spec/services/0/spec/container/workingDir", [](auto& s) { web_container(s).set_working_dir("app"); }},
    {"/spec/services/0/spec/container/hostname", [](auto& s) { web_container(s).set_hostname("a_b"); }},
    {"/spec/services/0/spec/container/stopSignal", [](auto& s) { web_container(s).set_stop_signal("term please"); }},
    {"/spec/services/0/spec/container/stopSignal", [](auto& s) { web_container(s).set_stop_signal("65"); }},
    {"/spec/services/0/spec/container/stopGracePeriod",
     [](auto& s) { web_container(s).mutable_stop_grace_period()->set_seconds(-1); }},
    {"/spec/services/0/spec/container/userNamespace",
     [](auto& s) {
       web_container(s).set_user_namespace(v1::USERS_AUTO);
       web_container(s).set_privileged(true);
     }},
    {"/spec/services/0/spec/container/userNamespace",
     [](auto& s) {
       web_container(s).set_user_namespace(v1::USERS_AUTO);
       web_container(s).set_pid(v1::OF_HOST);
     }},
    {"/spec/services/0/spec/container/userNamespace",
     [](auto& s) {
       web_container(s).set_user_namespace(v1::USERS_AUTO);
       web_container(s).add_cap_add("NET_ADMIN");
     }},
    {"/spec/services/0/spec/container/userNamespace",
     [](auto& s) { web_container(s).set_user_namespace(static_cast<v1::UserNamespace>(7)); }},
    {"/spec/services/0/spec/container/devices/0",
     [](auto& s) { web_container(s).add_devices()->set_source("vendor.com/gpu"); }},
    {"/spec/services/0/spec/container/devices/0",
     [](auto& s) {
       auto& device = *web_container(s).add_devices();
       device.set_source("vendor.com/gpu=0");
       device.set_target("/dev/gpu");
     }},
    {"/spec/services/0/spec/container/capAdd/0", [](auto& s) { web_container(s).add_cap_add("CAP_NET_ADMIN"); }},
    {"/spec/networks/0/spec/subnet", [](auto& s) { s.mutable_networks(0)->mutable_spec()->set_subnet("10.0.0.1/24"); }},
    {"/spec/networks/0/spec/subnet", [](auto& s) { s.mutable_networks(0)->mutable_spec()->set_subnet("10.0.0.0/31"); }},
    {"/spec/networks/1/spec/subnet",
     [](auto& s) {
       s.mutable_networks(0)->mutable_spec()->set_subnet("10.0.0.0/16");
       auto& other = *s.add_networks();
       other.set_name("other");
       other.mutable_spec()->set_subnet("10.0.8.0/24");
     }},
};

TEST(Validation, EachMistakeHasItsPlace) {
  for (std::size_t i = 0; i < std::size(kCases); ++i) {
    v1::StackSpec stack = shop();
    kCases[i].edit(stack);
    const auto result = validate_stack("shop", stack);
    ASSERT_FALSE(result) << "case " << i << ", " << kCases[i].pointer;
    EXPECT_EQ(result.error().code, base::Code::kInvalidArgument);
    EXPECT_THAT(pointers(result), ::testing::Contains(kCases[i].pointer)) << result.error().message;
  }
}

// The second service in the network of the first.
v1::StackSpec with_shared_network(const std::function<void(v1::StackSpec&)>& change = [](v1::StackSpec&) {}) {
  v1::StackSpec stack = shop();
  auto& db = *stack.mutable_services(1)->mutable_spec()->mutable_container();
  stack.mutable_services(0)->mutable_spec()->clear_depends_on();
  db.clear_networks();
  db.set_network_mode(v1::OF_SERVICE);
  db.set_network_service("web");
  change(stack);
  fill_defaults(stack);
  return stack;
}

v1::ContainerSpec& db_container(v1::StackSpec& stack) {
  return *stack.mutable_services(1)->mutable_spec()->mutable_container();
}

TEST(Validation, AServiceMayShareTheNetworkOfAnother) {
  const auto stack = with_shared_network();
  EXPECT_TRUE(validate_stack("shop", stack)) << validate_stack("shop", stack).error().message;
  const auto& db = stack.services(1).spec();
  EXPECT_EQ(db.container().networks_size(), 0);
  ASSERT_EQ(db.depends_on_size(), 1);
  EXPECT_EQ(db.depends_on(0).service(), "web");
  EXPECT_EQ(db.depends_on(0).condition(), v1::Dependency::STARTED);
  // What it says itself stays.
  const auto healthy = with_shared_network([](v1::StackSpec& s) {
    auto& dependency = *s.mutable_services(1)->mutable_spec()->add_depends_on();
    dependency.set_service("web");
    dependency.set_condition(v1::Dependency::HEALTHY);
  });
  ASSERT_EQ(healthy.services(1).spec().depends_on_size(), 1);
  EXPECT_EQ(healthy.services(1).spec().depends_on(0).condition(), v1::Dependency::HEALTHY);
}

TEST(Validation, WhatASharedNetworkRulesOut) {
  struct SharedCase {
    const char* pointer;
    const char* detail;
    std::function<void(v1::StackSpec&)> change;
  };
  const std::string at = "/spec/services/1/spec/container";
  const SharedCase cases[] = {
      {"/networkService", "the stack has no service \"nobody\"",
       [](auto& s) { db_container(s).set_network_service("nobody"); }},
      {"/networkService", "is empty", [](auto& s) { db_container(s).clear_network_service(); }},
      {"/networkService", "service web is in its node's network: write `network_mode: host`",
       [](auto& s) {
         web_container(s).set_network_mode(v1::HOST_NETWORK);
         web_container(s).clear_ports();
       }},
      {"/networkService", "service web is in no network: give it one",
       [](auto& s) {
         web_container(s).set_network_mode(v1::NO_NETWORK);
         web_container(s).clear_ports();
       }},
      {"/networkService", "service db shares the network of db: name db",
       [](auto& s) { db_container(s).set_network_service("db"); }},
      {"/networkService", "db has 3 replicas and web only 2",
       [](auto& s) {
         web_spec(s).set_replicas(2);
         s.mutable_services(1)->mutable_spec()->set_replicas(3);
       }},
      {"/networkService", "Docker can't have db in the network of web",
       [](auto& s) { db_container(s).set_executor("docker"); }},
      {"/networkService", "Docker can't have db in the network of web",
       [](auto& s) { web_container(s).set_executor("docker"); }},
      {"/networkService", "means something with the networkMode OF_SERVICE only",
       [](auto& s) { db_container(s).set_network_mode(v1::IN_NETWORKS); }},
      {"/networks", "must be empty", [](auto& s) { db_container(s).add_networks()->set_network("default"); }},
      {"/ports", "must be empty", [](auto& s) { db_container(s).add_ports()->set_container_port(80); }},
      {"/hostname", "is said by service web, whose network this is",
       [](auto& s) { db_container(s).set_hostname("db"); }},
      {"/domainname", "is said by", [](auto& s) { db_container(s).set_domainname("example.com"); }},
      {"/dns", "is said by", [](auto& s) { db_container(s).mutable_dns()->add_values("1.1.1.1"); }},
      {"/dnsSearch", "is said by", [](auto& s) { db_container(s).mutable_dns_search()->add_values("a.example"); }},
      {"/dnsOptions", "is said by", [](auto& s) { db_container(s).add_dns_options("ndots:1"); }},
      {"/extraHosts", "is said by", [](auto& s) { db_container(s).add_extra_hosts("a=192.0.2.1"); }},
  };
  for (const auto& each : cases) {
    const auto result = validate_stack("shop", with_shared_network(each.change));
    ASSERT_FALSE(result) << each.detail;
    const auto& fields = result.error().fields;
    const auto fits = [&](const base::FieldViolation& field) {
      return field.pointer == at + each.pointer && field.detail.find(each.detail) != std::string::npos;
    };
    EXPECT_TRUE(std::any_of(fields.begin(), fields.end(), fits)) << each.detail << "\n" << result.error().message;
  }
}

TEST(Validation, PoliciesNameTheServiceWhoseNetworkItIs) {
  const auto result = validate_stack("shop", with_shared_network([](v1::StackSpec& s) {
                                       auto& policy = *s.add_network_policies();
                                       policy.set_name("p");
                                       policy.mutable_spec()->set_service("db");
                                       policy.mutable_spec()->set_ingress(true);
                                     }));
  EXPECT_THAT(pointers(result), ::testing::ElementsAre("/spec/networkPolicies/0/spec/service"));
  EXPECT_THAT(result.error().message,
              ::testing::HasSubstr("db is in the network of web, whose policies hold for both"));
}

TEST(Validation, SaysAllAtOnce) {
  v1::StackSpec stack = shop();
  web_container(stack).clear_image();
  web_spec(stack).set_replicas(99999);
  const auto result = validate_stack("Shop!", stack);
  EXPECT_THAT(pointers(result), ::testing::ElementsAre("/name", "/spec/services/0/spec/container/image",
                                                       "/spec/services/0/spec/replicas"));
  EXPECT_THAT(result.error().message, ::testing::HasSubstr("and 2 more"));
}

TEST(Validation, ACycleIsSpelledOut) {
  v1::StackSpec stack = shop();
  stack.mutable_services(1)->mutable_spec()->add_depends_on()->set_service("web");
  const auto result = validate_stack("shop", stack);
  ASSERT_FALSE(result);
  EXPECT_THAT(result.error().message, ::testing::HasSubstr("web → db → web"));
}

TEST(Validation, OnePortOnTwoAddressesIsTwoPorts) {
  v1::StackSpec stack = shop();
  web_container(stack).mutable_ports(0)->set_host_ip("127.0.0.1");
  auto& port = *stack.mutable_services(1)->mutable_spec()->mutable_container()->add_ports();
  port = web_container(stack).ports(0);
  port.set_host_ip("127.0.0.2");
  EXPECT_TRUE(validate_stack("shop", stack));
}

TEST(Validation, ASecretIsNotQuoted) {
  v1::StackSpec stack = shop();
  auto& variable = *web_container(stack).add_environment();
  variable.set_name("PASSWORD");
  variable.set_value(std::string("hunter2\0", 8));
  const auto result = validate_stack("shop", stack);
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().message.find("hunter2"), std::string::npos);
}

}  // namespace
}  // namespace orchion::core
