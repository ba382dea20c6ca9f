#include "control/services/network_policy_service.h"

#include <gmock/gmock.h>

#include "control/services/services_fixture_test.h"
#include "v1/control.pb.h"

namespace orchion::control::services {
namespace {

using base::Code;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class NetworkPolicyServiceTest : public ServicesFixture {
 protected:
  NetworkPolicyServiceTest() {
    add_network_policy_service(table_, context());
    network("default", false);
    network("vault", true);
    auto web = service("web", {"default", "vault"});
    auto& port = *web.mutable_spec()->mutable_container()->add_ports();
    port.set_container_port(80);
    port.set_protocol("tcp");
    (*web.mutable_spec()->mutable_container()->mutable_labels())["tier"] = "front";
    make(web);
    make(service("db", {"vault"}));
    make(service("lone", {"default"}));
    auto host = service("host", {});
    host.mutable_spec()->mutable_container()->set_network_mode(v1::HOST_NETWORK);
    make(host);
    auto none = service("none", {});
    none.mutable_spec()->mutable_container()->set_network_mode(v1::NO_NETWORK);
    make(none);
  }

  template <class T>
  static T named(const std::string& name) {
    T object;
    object.mutable_meta()->set_stack("shop");
    object.mutable_meta()->set_name(name);
    return object;
  }

  static v1::Service service(const std::string& name, const std::vector<std::string>& networks) {
    auto out = named<v1::Service>(name);
    for (const auto& network : networks) out.mutable_spec()->mutable_container()->add_networks()->set_network(network);
    return out;
  }

  void network(const std::string& name, bool internal) {
    auto out = named<v1::Network>(name);
    out.mutable_spec()->set_internal(internal);
    make(out);
  }

  // Who comes into `service`: tasks of `from` alone, at tcp 5432.
  void policy(const std::string& name, const std::string& service, const std::string& from) {
    auto out = named<v1::NetworkPolicy>(name);
    out.mutable_spec()->set_service(service);
    out.mutable_spec()->set_ingress(true);
    if (!from.empty()) {
      auto& rule = *out.mutable_spec()->add_from();
      rule.add_peers()->set_service(from);
      auto& port = *rule.add_ports();
      port.set_protocol("tcp");
      port.set_port(5432);
    }
    make(out);
  }

  template <class T>
  void make(const T& object) {
    store::Transaction transaction;
    store::create(transaction, object);
    commit(std::move(transaction));
  }

  base::Result<v1::TestNetworkPoliciesResponse> ask(const std::string& from, const std::string& to,
                                                    std::uint32_t port = 5432, const std::string& protocol = "") {
    v1::TestNetworkPoliciesRequest request;
    request.set_from(from);
    request.set_to(to);
    request.set_port(port);
    request.set_protocol(protocol);
    return call<v1::TestNetworkPoliciesResponse>(table_, "NetworkPolicyService.TestNetworkPolicies",
                                                 std::deque{request});
  }

  void expect(bool allowed, const std::string& message, const std::string& from, const std::string& to,
              std::uint32_t port = 5432) {
    const auto answer = ask(from, to, port);
    ASSERT_TRUE(answer) << answer.error().message;
    EXPECT_EQ(answer->message(), message);
    EXPECT_EQ(answer->allowed(), allowed) << from << " → " << to;
  }

  core::MethodTable table_;
};

TEST_F(NetworkPolicyServiceTest, SaysByWhichPolicy) {
  expect(true, "allowed: no policy is about shop/web (egress) or shop/db (ingress)", "shop/web", "shop/db");
  policy("db-only", "db", "web");
  const auto allowed = ask("shop/web", "shop/db");
  ASSERT_TRUE(allowed);
  EXPECT_EQ(allowed->message(), "allowed by policy shop/db-only, rule 1");
  EXPECT_THAT(allowed->policies(), ElementsAre("shop/db-only"));
  EXPECT_EQ(allowed->network(), "shop/vault");
  const auto udp = ask("shop/web", "shop/db", 5432, "udp");
  ASSERT_TRUE(udp);
  EXPECT_FALSE(udp->allowed());
  EXPECT_EQ(udp->message(),
            "refused: shop/db is under policy shop/db-only (ingress), whose one rule allows shop/web at tcp 5432");
}

TEST_F(NetworkPolicyServiceTest, WhereNoWayLeadsNoPolicyHelps) {
  policy("db-only", "db", "lone");
  expect(false, "refused: shop/lone and shop/db share no network: put both into one", "shop/lone", "shop/db");
  expect(false, "refused: shop/db is in internal networks only, which have no way out", "shop/db", "192.0.2.7");
  expect(true, "allowed: no policy is about shop/web (egress) or api.example.com (ingress)", "shop/web",
         "api.example.com");
  expect(false, "refused: shop/web doesn't publish its port 81/tcp, and from outside nothing else is reached",
         "192.0.2.7", "shop/web", 81);
  expect(true, "allowed: no policy is about 192.0.2.7 (egress) or shop/web (ingress)", "192.0.2.7", "shop/web", 80);
  expect(false, "refused: shop/none is in no network: its network_mode is none", "shop/none", "shop/web");
  expect(true, "allowed: shop/host uses its machine's own network, where no policy holds", "shop/host", "shop/web");
}

TEST_F(NetworkPolicyServiceTest, AnAddressOfATaskIsThatTask) {
  auto task = named<v1::Task>("web.1.abc");
  task.mutable_spec()->set_service("web");
  auto& address = *task.mutable_spec()->mutable_assignment()->add_addresses();
  address.set_address("10.192.0.2");
  address.set_address6("fd00::2");
  make(task);
  policy("db-only", "db", "web");
  expect(true, "allowed by policy shop/db-only, rule 1", "10.192.0.2", "shop/db");
  expect(true, "allowed by policy shop/db-only, rule 1", "fd00:0::2", "shop/db");
}

TEST_F(NetworkPolicyServiceTest, RefusesWhatMeansNobody) {
  EXPECT_EQ(ask("shop/nope", "shop/db").error().code, Code::kNotFound);
  EXPECT_THAT(ask("shop/nope", "shop/db").error().message, HasSubstr("`orchion ps`"));
  EXPECT_EQ(ask("web", "shop/db").error().fields.at(0).pointer, "/from");
  EXPECT_EQ(ask("api.example.com", "shop/db").error().message,
            "who comes in is known by address, not by name: write its address");
  EXPECT_EQ(ask("192.0.2.7", "192.0.2.8").error().code, Code::kInvalidArgument);
  EXPECT_EQ(ask("shop/web", "shop/db", 0).error().fields.at(0).pointer, "/port");
  EXPECT_EQ(ask("shop/web", "shop/db", 1, "sctp").error().fields.at(0).pointer, "/protocol");
}

TEST_F(NetworkPolicyServiceTest, GetsAndLists) {
  policy("b", "db", "web");
  policy("a", "", "");
  v1::GetNetworkPolicyRequest get;
  get.set_stack("shop");
  get.set_name("a");
  const auto found = call<v1::NetworkPolicy>(table_, "NetworkPolicyService.GetNetworkPolicy", std::deque{get});
  ASSERT_TRUE(found);
  EXPECT_EQ(found->meta().name(), "a");
  get.set_name("none");
  const auto none = call<v1::NetworkPolicy>(table_, "NetworkPolicyService.GetNetworkPolicy", std::deque{get});
  EXPECT_EQ(none.error().message, "there is no network policy shop/none: see `orchion network policy ls`");

  v1::ListNetworkPoliciesRequest request;
  request.set_page_size(1);
  const auto list = [&] {
    return call<v1::ListNetworkPoliciesResponse>(table_, "NetworkPolicyService.ListNetworkPolicies",
                                                 std::deque{request})
        .value();
  };
  const auto first = list();
  ASSERT_EQ(first.network_policies_size(), 1);
  EXPECT_EQ(first.network_policies(0).meta().name(), "a");
  request.set_page_token(first.next_page_token());
  EXPECT_EQ(list().network_policies(0).meta().name(), "b");
  request.clear_page_token();
  request.set_stack("other");
  EXPECT_THAT(list().network_policies(), IsEmpty());
}

}  // namespace
}  // namespace orchion::control::services
