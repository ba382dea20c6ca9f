#include "node/agent/container_config.h"

#include <csignal>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace orchion::node::agent {
namespace {

using testing::ElementsAre;

ContainerInputs inputs() {
  ContainerInputs result;
  auto& task = *result.assignment.mutable_task();
  task.mutable_meta()->set_uid("uid");
  task.mutable_meta()->set_stack("shop");
  task.mutable_spec()->set_service("web");
  task.mutable_spec()->set_slot(2);
  auto& address = *task.mutable_spec()->mutable_assignment()->add_addresses();
  address.set_network_uid("net");
  address.set_address("10.0.0.5");
  auto& network = result.networks.emplace_back();
  network.set_uid("net");
  network.set_gateway("10.0.0.1");
  result.assignment.mutable_container()->set_image("nginx");
  result.image.config.entrypoint = {"/entry"};
  result.image.config.command = {"serve"};
  return result;
}

void set_list(v1::StringList& list, std::vector<std::string> values) {
  list.Clear();
  for (auto& value : values) list.add_values(std::move(value));
}

TEST(ContainerConfig, EntrypointAndCommandAsInCompose) {
  auto in = inputs();
  auto& spec = *in.assignment.mutable_container();
  EXPECT_THAT(container_config(in)->arguments, ElementsAre("/entry", "serve"));
  set_list(*spec.mutable_command(), {"check", "-v"});
  EXPECT_THAT(container_config(in)->arguments, ElementsAre("/entry", "check", "-v"));
  spec.clear_command();
  set_list(*spec.mutable_entrypoint(), {"/other"});
  EXPECT_THAT(container_config(in)->arguments, ElementsAre("/other"));
  set_list(*spec.mutable_command(), {"now"});
  EXPECT_THAT(container_config(in)->arguments, ElementsAre("/other", "now"));
  set_list(*spec.mutable_entrypoint(), {});
  set_list(*spec.mutable_command(), {});
  const auto nothing = container_config(in);
  ASSERT_FALSE(nothing.has_value());
  EXPECT_EQ(nothing.error().message, "the image nginx names no command: set `command:` for the service");
}

TEST(ContainerConfig, EnvironmentOfTheServiceReplacesTheImages) {
  auto in = inputs();
  in.image.config.environment = {"PATH=/opt/bin", "MODE=image", "KEEP=1"};
  auto& variable = *in.assignment.mutable_container()->add_environment();
  variable.set_name("MODE");
  variable.set_value("service=x");
  in.assignment.mutable_container()->set_tty(true);
  EXPECT_THAT(container_config(in)->environment,
              ElementsAre("PATH=/opt/bin", "HOSTNAME=web-2", "TERM=xterm", "MODE=service=x", "KEEP=1"));
}

TEST(ContainerConfig, NamesItselfAndItsResolver) {
  auto in = inputs();
  auto config = container_config(in).value();
  EXPECT_EQ(config.id, "uid");
  EXPECT_EQ(config.hostname, "web-2");
  EXPECT_THAT(config.nameservers, ElementsAre("10.0.0.1"));
  EXPECT_THAT(config.search_domains, ElementsAre("shop.orchion.internal"));
  EXPECT_EQ(config.hosts.at("web-2"), "10.0.0.5");
  EXPECT_EQ(config.hosts.at("host.docker.internal"), "10.0.0.1");
  in.assignment.mutable_container()->set_hostname("front");
  EXPECT_EQ(container_config(in)->hosts.at("front"), "10.0.0.5");
  in.assignment.mutable_task()->mutable_spec()->mutable_assignment()->clear_addresses();
  config = container_config(in).value();
  EXPECT_TRUE(config.nameservers.empty());
  EXPECT_EQ(config.hosts.at("front"), "127.0.0.1");
}

TEST(ContainerConfig, TakesTheImagesDefaultsWhereNothingIsSaid) {
  auto in = inputs();
  EXPECT_EQ(container_config(in)->working_dir, "/");
  EXPECT_EQ(container_config(in)->stop_signal, "SIGTERM");
  in.image.config.working_dir = "/srv";
  in.image.config.user = "www";
  in.image.config.stop_signal = "SIGQUIT";
  EXPECT_EQ(container_config(in)->working_dir, "/srv");
  EXPECT_EQ(container_config(in)->user, "www");
  EXPECT_EQ(container_config(in)->stop_signal, "SIGQUIT");
  in.assignment.mutable_container()->set_working_dir("/data");
  in.assignment.mutable_container()->set_user("1000:1000");
  in.assignment.mutable_container()->set_stop_signal("SIGINT");
  EXPECT_EQ(container_config(in)->working_dir, "/data");
  EXPECT_EQ(container_config(in)->user, "1000:1000");
  EXPECT_EQ(container_config(in)->stop_signal, "SIGINT");
}

TEST(ContainerConfig, MountsWhatLiesInsideAnotherMountAfterIt) {
  auto in = inputs();
  in.mounts = {{.target = "/data/cache"}, {.target = "/data"}, {.target = "/a/b/c"}};
  const auto config = container_config(in).value();
  EXPECT_EQ(config.mounts[0].target, "/data");
  EXPECT_EQ(config.mounts[1].target, "/data/cache");
  EXPECT_EQ(config.mounts[2].target, "/a/b/c");
}

TEST(ContainerConfig, PassesLimitsAndCapabilitiesOn) {
  auto in = inputs();
  auto& spec = *in.assignment.mutable_container();
  spec.mutable_limits()->set_memory_bytes(64 << 20);
  spec.mutable_limits()->set_nano_cpus(500'000'000);
  spec.mutable_limits()->set_pids(50);
  spec.add_cap_add("NET_ADMIN");
  spec.add_cap_drop("ALL");
  spec.set_read_only_root(true);
  in.log_bytes_max = 1000;
  const auto config = container_config(in).value();
  EXPECT_EQ(config.limits.memory_bytes, 64 << 20);
  EXPECT_EQ(config.limits.nano_cpus, 500'000'000);
  EXPECT_EQ(config.limits.pids, 50);
  EXPECT_THAT(config.cap_add, ElementsAre("NET_ADMIN"));
  EXPECT_THAT(config.cap_drop, ElementsAre("ALL"));
  EXPECT_TRUE(config.read_only_root);
  EXPECT_EQ(config.log_bytes_max, 1000);
}

TEST(TaskNetwork, HasAddressesAndFixedPortsOnly) {
  auto task = inputs().assignment.task();
  auto& assignment = *task.mutable_spec()->mutable_assignment();
  assignment.add_ports()->set_container_port(80);
  auto& port = *assignment.add_ports();
  port.set_host_port(53);
  port.set_container_port(5353);
  port.set_protocol("udp");
  const auto network = task_network(task);
  EXPECT_EQ(network.owner, "shop/web");
  ASSERT_EQ(network.attachments.size(), 1u);
  EXPECT_EQ(network.attachments[0].address, "10.0.0.5");
  ASSERT_EQ(network.ports.size(), 1u);
  EXPECT_EQ(network.ports[0].host_port, 53);
  EXPECT_EQ(network.ports[0].container_port, 5353);
  EXPECT_TRUE(network.ports[0].udp);
}

TEST(ShortName, IsADnsLabel) {
  v1::Task task;
  task.mutable_spec()->set_slot(12);
  task.mutable_spec()->set_service("My_Web.App");
  EXPECT_EQ(short_name(task), "my-web-app-12");
  task.mutable_spec()->set_service(std::string(80, 'a'));
  EXPECT_EQ(short_name(task), std::string(60, 'a') + "-12");
}

TEST(SignalNumber, ReadsNamesAndNumbers) {
  EXPECT_EQ(signal_number("SIGTERM"), SIGTERM);
  EXPECT_EQ(signal_number("quit"), SIGQUIT);
  EXPECT_EQ(signal_number("9"), 9);
  EXPECT_EQ(signal_number("0"), std::nullopt);
  EXPECT_EQ(signal_number("999"), std::nullopt);
  EXPECT_EQ(signal_number("SIGNOTHING"), std::nullopt);
  EXPECT_EQ(signal_number(""), std::nullopt);
}

TEST(ImageReference, IsPinnedToAKnownDigest) {
  v1::ContainerSpec spec;
  spec.set_image("nginx:1");
  EXPECT_EQ(image_reference(spec), "nginx:1");
  spec.set_image_digest("sha256:ab");
  EXPECT_EQ(image_reference(spec), "nginx:1@sha256:ab");
  spec.set_image("nginx@sha256:cd");
  EXPECT_EQ(image_reference(spec), "nginx@sha256:cd");
}

TEST(ContainerConfig, AsksTheNodeByARoutedNetworkOrByALinkForNames) {
  auto in = inputs();
  in.networks[0].set_driver(v1::MACVLAN);
  EXPECT_THAT(container_config(in)->nameservers, ElementsAre(networks::kNamesGateway));
  EXPECT_EQ(container_config(in)->hosts.at("host.docker.internal"), networks::kNamesGateway);
  auto& address = *in.assignment.mutable_task()->mutable_spec()->mutable_assignment()->add_addresses();
  address.set_network_uid("routed");
  address.set_address("10.1.0.5");
  auto& network = in.networks.emplace_back();
  network.set_uid("routed");
  network.set_gateway("10.1.0.1");
  EXPECT_THAT(container_config(in)->nameservers, ElementsAre("10.1.0.1"));
}

TEST(ContainerConfig, NamesOfTheService) {
  auto in = inputs();
  auto& spec = *in.assignment.mutable_container();
  set_list(*spec.mutable_dns(), {"1.1.1.1"});
  set_list(*spec.mutable_dns_search(), {"example.com"});
  spec.add_extra_hosts("db=10.1.1.1");
  spec.add_extra_hosts("gate=host-gateway");
  auto config = container_config(in).value();
  EXPECT_THAT(config.nameservers, ElementsAre("10.0.0.1", "1.1.1.1"));
  EXPECT_THAT(config.search_domains, ElementsAre("shop.orchion.internal", "example.com"));
  EXPECT_THAT(config.extra_hosts, ElementsAre(std::pair<std::string, std::string>("db", "10.1.1.1"),
                                              std::pair<std::string, std::string>("gate", "10.0.0.1")));
  set_list(*spec.mutable_dns_search(), {"."});
  EXPECT_TRUE(container_config(in)->search_domains.empty());
}

TEST(ContainerConfig, OptionsOfTheService) {
  auto in = inputs();
  auto& spec = *in.assignment.mutable_container();
  spec.set_privileged(true);
  spec.set_pid(v1::OF_HOST);
  spec.set_user_namespace(v1::USERS_AUTO);
  spec.set_memory_swap_bytes(-1);
  spec.set_cpuset("0-1");
  spec.set_log_bytes_max(1 << 20);
  auto& limit = *spec.add_ulimits();
  limit.set_name("nofile");
  limit.set_soft(10);
  limit.set_hard(-1);
  auto& file = *spec.add_files();
  file.set_target("/run/secrets/key");
  file.set_content("hunter2");
  file.set_uid("7");
  in.log_bytes_max = 5;
  const auto config = container_config(in).value();
  EXPECT_TRUE(config.privileges.everything);
  EXPECT_TRUE(config.host_namespaces.pid);
  EXPECT_FALSE(config.host_namespaces.ipc);
  EXPECT_TRUE(config.own_users);
  EXPECT_EQ(config.limits.swap_bytes, -1);
  EXPECT_EQ(config.limits.cpuset, "0-1");
  EXPECT_EQ(config.log_bytes_max, 1 << 20);
  EXPECT_EQ(config.ulimits.at(0).hard, -1);
  EXPECT_EQ(config.files.at(0).mode, 0444u);
  EXPECT_EQ(config.files.at(0).uid, 7u);
  EXPECT_EQ(config.files.at(0).gid, std::nullopt);
}

}  // namespace
}  // namespace orchion::node::agent
