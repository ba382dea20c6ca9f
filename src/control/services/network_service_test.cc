#include "control/services/network_service.h"

#include <gmock/gmock.h>

#include "control/services/network_rules.h"
#include "control/services/service_service.h"
#include "control/services/services_fixture_test.h"
#include "control/services/stack_service.h"
#include "core/defaults.h"
#include "core/lifecycle.h"

namespace orchion::control::services {
namespace {

using base::Code;
using testing::ElementsAre;
using testing::HasSubstr;

// A stack "shop" of a file: web in front and back, db in back, a job in back; and what the stack controller makes of
// every manifest that is written, at once.
class NetworkServiceTest : public ServicesFixture {
 protected:
  NetworkServiceTest() {
    subscription_ = objects_->subscribe([this](const auto&) { is_stale_ = true; });
    auto manifests = std::make_shared<StackManifests>(context());
    add_network_service(table_, std::make_shared<NetworkService>(context(), manifests));
    add_stack_service(table_, std::make_shared<StackService>(context(), manifests));
    add_service_service(table_, std::make_shared<ServiceService>(context(), manifests));
    const auto applied = apply("shop", file());
    EXPECT_TRUE(applied) << applied.error().message;
    expand();
  }

  static v1::StackSpec file() {
    v1::StackSpec spec;
    for (const auto* name : {"front", "back"}) spec.add_networks()->set_name(name);
    add_service(spec, "web", {"front", "back"});
    add_service(spec, "db", {"back"});
    auto& job = *spec.add_jobs();
    job.set_name("dump");
    job.mutable_spec()->mutable_container()->set_image("app:1");
    job.mutable_spec()->mutable_container()->add_networks()->set_network("back");
    return spec;
  }

  static v1::NamedService& add_service(v1::StackSpec& spec, const std::string& name,
                                       const std::vector<std::string>& networks) {
    auto& named = *spec.add_services();
    named.set_name(name);
    named.mutable_spec()->mutable_container()->set_image("app:1");
    for (const auto& network : networks)
      named.mutable_spec()->mutable_container()->add_networks()->set_network(network);
    return named;
  }

  base::Result<v1::ApplyStackResponse> apply(const std::string& name, const v1::StackSpec& spec) {
    v1::ApplyStackRequest request;
    request.set_name(name);
    *request.mutable_spec() = spec;
    return ask<v1::ApplyStackResponse>("StackService.ApplyStack", request);
  }

  // Whoever waits for controllers has them work while it waits.
  template <class Response, class Request>
  base::Result<Response> ask(const std::string& rpc, const Request& request, core::CallContext call = {}) {
    auto stream = std::make_shared<CollectedCall<Request, Response>>(std::deque{request});
    const auto ended = loop_.start(table_.find("orchion.v1." + rpc)->call(std::move(call), stream));
    for (int i = 0; i < 100 && !ended->has_value(); ++i) {
      loop_.poll();
      expand();
    }
    if (!ended->has_value()) return base::fail(Code::kDeadlineExceeded, "nobody answered");
    if (!**ended) return std::unexpected((*ended)->error());
    return stream->responses.at(0);
  }

  template <class T, class List>
  void make(const v1::Stack& stack, const store::ObjectTable<T>& present, const List& wanted, store::Transaction& out) {
    for (const auto& named : wanted) {
      const auto found = present.find(stack.meta().name(), named.name());
      T object = found ? *found : T();
      if (found && object.spec().SerializeAsString() == named.spec().SerializeAsString()) continue;
      if (!found)
        *object.mutable_meta() =
            core::owned_meta(stack.meta().name(), named.name(), base::new_uid(random_), clock_.wall(), "");
      object.mutable_meta()->clear_finalizers();
      *object.mutable_spec() = named.spec();
      found ? store::put_spec(out, object) : store::create(out, object);
    }
  }

  // What the stack controller does with the manifests; what goes has nobody who waits for it.
  void expand() {
    if (!is_stale_) return;
    is_stale_ = false;
    store::Transaction out;
    for (const auto& [name, stack] : view().stacks().all()) {
      const bool goes = core::is_deleted(stack->meta());
      if (!goes) make(*stack, view().networks(), stack->spec().networks(), out);
      if (!goes) make(*stack, view().services(), stack->spec().services(), out);
      for (const auto& [id, network] : view().networks().all())
        if (network->meta().stack() == stack->meta().name() &&
            (goes || !find_network(*v1::Stack(*stack).mutable_spec(), network->meta().name())))
          store::remove(out, *network);
      if (goes) store::remove(out, *stack);
    }
    if (!out.operations.empty()) commit(std::move(out));
  }

  base::Result<v1::Network> create(const std::string& stack, const std::string& name, const std::string& subnet = "",
                                   core::CallContext call = {}, bool dry_run = false) {
    v1::CreateNetworkRequest request;
    request.set_stack(stack);
    request.set_name(name);
    request.mutable_spec()->set_subnet(subnet);
    request.set_dry_run(dry_run);
    return ask<v1::Network>("NetworkService.CreateNetwork", request, std::move(call));
  }

  base::Result<v1::Network> remove(const std::string& stack, const std::string& name, core::CallContext call = {}) {
    v1::DeleteNetworkRequest request;
    request.set_stack(stack);
    request.set_name(name);
    return ask<v1::Network>("NetworkService.DeleteNetwork", request, std::move(call));
  }

  base::Result<v1::Service> connect(const std::string& network, const std::string& service,
                                    const std::vector<std::string>& aliases = {}) {
    v1::ConnectNetworkRequest request;
    fill(request, network, service);
    for (const auto& alias : aliases) request.add_aliases(alias);
    return ask<v1::Service>("NetworkService.ConnectNetwork", request);
  }

  base::Result<v1::Service> disconnect(const std::string& network, const std::string& service) {
    v1::DisconnectNetworkRequest request;
    fill(request, network, service);
    return ask<v1::Service>("NetworkService.DisconnectNetwork", request);
  }

  void fill(auto& request, const std::string& network, const std::string& service) {
    const auto name = core::network_of("shop", network), who = core::network_of("shop", service);
    request.set_stack(name.stack);
    request.set_name(name.name);
    if (who.stack != name.stack) request.set_service_stack(who.stack);
    request.set_service(who.name);
  }

  std::vector<std::string> networks_of(const v1::Service& service) {
    std::vector<std::string> names;
    for (const auto& attachment : service.spec().container().networks()) names.push_back(attachment.network());
    return names;
  }

  void has_subnet(const std::string& stack, const std::string& name, const std::string& subnet) {
    v1::Network network = *view().networks().find(stack, name);
    network.mutable_status()->set_subnet(subnet);
    store::Transaction transaction;
    store::put_status(transaction, network);
    commit(std::move(transaction));
  }

  core::MethodTable table_;
  bool is_stale_ = true;
  std::shared_ptr<void> subscription_;
};

TEST_F(NetworkServiceTest, ANetworkOfItsOwnMakesAStackAndTakesItAway) {
  const auto made = create("lab", "net", "10.7.0.0/24");
  ASSERT_TRUE(made) << made.error().message;
  EXPECT_EQ(made->spec().subnet(), "10.7.0.0/24");
  const auto stack = view().stacks().find("lab");
  ASSERT_TRUE(stack);
  EXPECT_TRUE(stack->spec().networks(0).standalone());
  EXPECT_EQ(create("lab", "net").error().code, Code::kAlreadyExists);

  core::CallContext stale;
  stale.if_match = made->meta().revision() + 1000;
  EXPECT_EQ(remove("lab", "net", stale).error().code, Code::kAborted);
  core::CallContext fresh;
  fresh.if_match = made->meta().revision();
  const auto gone = remove("lab", "net", fresh);
  ASSERT_TRUE(gone) << gone.error().message;
  EXPECT_TRUE(core::is_deleted(gone->meta()));
  EXPECT_FALSE(view().stacks().find("lab")) << "nothing was left in it";
  EXPECT_EQ(remove("lab", "net").error().code, Code::kNotFound);
  EXPECT_TRUE(create("lab", "net")) << "it may come again";
}

TEST_F(NetworkServiceTest, ADryRunMakesNothingAndAKeyMakesOne) {
  const auto would = create("lab", "net", "10.7.0.0/24", {}, true);
  ASSERT_TRUE(would) << would.error().message;
  EXPECT_EQ(would->meta().name(), "net");
  EXPECT_FALSE(view().stacks().find("lab"));
  core::CallContext call;
  call.identity = "user:ann";
  call.idempotency_key = "once";
  const auto first = create("lab", "net", "", call), again = create("lab", "net", "", call);
  ASSERT_TRUE(first && again);
  EXPECT_EQ(first->meta().uid(), again->meta().uid());
}

TEST_F(NetworkServiceTest, WhatIsWrongPointsIntoTheRequest) {
  const auto pointer = [](const base::Result<v1::Network>& result) {
    return result || result.error().fields.empty() ? "" : result.error().fields.front().pointer;
  };
  EXPECT_EQ(pointer(create("Lab", "net")), "/stack");
  EXPECT_EQ(pointer(create("lab", "a b")), "/name");
  EXPECT_EQ(pointer(create("lab", "net", "127.0.0.0/8")), "/spec/subnet");
}

TEST_F(NetworkServiceTest, SubnetsOfTwoNetworksNeverOverlap) {
  has_subnet("shop", "back", "10.192.16.0/20");
  const auto inside = create("lab", "net", "10.192.16.0/24");
  ASSERT_FALSE(inside);
  EXPECT_EQ(inside.error().code, Code::kFailedPrecondition);
  EXPECT_EQ(
      inside.error().message,
      "the subnet 10.192.16.0/24 of network lab/net overlaps 10.192.16.0/20 of network shop/back: choose another");
  ASSERT_TRUE(create("lab", "net", "10.7.0.0/24"));

  auto spec = file();
  spec.mutable_networks(0)->mutable_spec()->set_subnet("10.7.0.0/16");
  const auto applied = apply("shop", spec);
  ASSERT_FALSE(applied);
  EXPECT_EQ(applied.error().fields.at(0).pointer, "/spec/networks/0/spec/subnet");
  EXPECT_THAT(applied.error().message, HasSubstr("overlaps 10.7.0.0/24 of network lab/net"));
}

TEST_F(NetworkServiceTest, ANetworkKeepsItsSubnet) {
  has_subnet("shop", "back", "10.192.16.0/20");
  v1::Task task;
  task.mutable_meta()->set_stack("shop");
  task.mutable_meta()->set_name("db.1.a");
  task.mutable_meta()->set_uid("t");
  task.mutable_spec()->mutable_assignment()->add_addresses()->set_network_uid(
      view().networks().find("shop", "back")->meta().uid());
  store::Transaction transaction;
  store::create(transaction, task);
  commit(std::move(transaction));

  auto spec = file();
  spec.mutable_networks(1)->mutable_spec()->set_subnet("10.192.16.0/20");
  EXPECT_TRUE(apply("shop", spec)) << "that is what it has";
  spec.mutable_networks(1)->mutable_spec()->set_subnet("10.9.0.0/20");
  const auto moved = apply("shop", spec);
  ASSERT_FALSE(moved);
  EXPECT_THAT(moved.error().message, HasSubstr("network shop/back keeps its subnet 10.192.16.0/20 as long as it is "
                                               "there, and a task is in it: remove it first"));
}

TEST_F(NetworkServiceTest, AServiceJoinsAndLeaves) {
  ASSERT_TRUE(create("shop", "more"));
  const auto joined = connect("more", "db", {"data"});
  ASSERT_TRUE(joined) << joined.error().message;
  EXPECT_THAT(networks_of(*joined), ElementsAre("back", "more"));
  EXPECT_EQ(joined->spec().container().networks(1).aliases(0), "data");

  const auto before = view().stacks().find("shop")->meta().generation();
  EXPECT_TRUE(connect("more", "db", {"data"}));
  EXPECT_TRUE(connect("more", "db"));
  EXPECT_EQ(view().stacks().find("shop")->meta().generation(), before) << "the same again is no change";
  const auto further = connect("more", "db", {"store"});
  ASSERT_TRUE(further);
  EXPECT_THAT(further->spec().container().networks(1).aliases(), ElementsAre("data", "store"));

  const auto used = remove("shop", "more");
  ASSERT_FALSE(used);
  EXPECT_EQ(used.error().message,
            "network shop/more is used by shop/db: take each out of it with `orchion network disconnect shop/more "
            "STACK/SERVICE`, or remove it");
  const auto left = disconnect("more", "db");
  ASSERT_TRUE(left) << left.error().message;
  EXPECT_THAT(networks_of(*left), ElementsAre("back"));
  EXPECT_EQ(disconnect("more", "db").error().code, Code::kNotFound);
  EXPECT_TRUE(remove("shop", "more"));
  EXPECT_TRUE(view().stacks().find("shop")) << "the stack has more";
}

TEST_F(NetworkServiceTest, WhatCannotBeIsRefusedWithWhatToDo) {
  const auto last = disconnect("back", "db");
  ASSERT_FALSE(last);
  EXPECT_EQ(
      last.error().message,
      "service shop/db is in no network but shop/back: connect it to another first, or write `network_mode: none` "
      "in its file");
  EXPECT_EQ(connect("nope", "db").error().message, "there is no network shop/nope: see `orchion network ls`");
  EXPECT_EQ(connect("front", "nope").error().message, "there is no service shop/nope: see `orchion ps`");
  EXPECT_EQ(connect("front", "other/web").error().message, "there is no stack other: see `orchion stack ls`");
  const auto alias = connect("front", "db", {"a b"});
  ASSERT_FALSE(alias);
  EXPECT_EQ(alias.error().fields.at(0).pointer, "/aliases/0");

  ASSERT_TRUE(apply("shop", [] {
    auto spec = file();
    spec.add_networks()->set_name("spare");
    auto& alone = add_service(spec, "alone", {});
    alone.mutable_spec()->mutable_container()->set_network_mode(v1::NO_NETWORK);
    return spec;
  }()));
  EXPECT_THAT(connect("front", "alone").error().message, HasSubstr("has a network mode"));
  EXPECT_EQ(remove("shop", "spare").error().message,
            "network shop/spare belongs to the file of stack shop: take it out of that, and run `orchion up` again");
  EXPECT_THAT(remove("shop", "back").error().message, HasSubstr("is used by shop/db, shop/dump, shop/web"));
}

TEST_F(NetworkServiceTest, AnotherStacksServiceJoinsByBothNames) {
  v1::StackSpec app;
  add_service(app, "api", {"shop/back", "app/own"});
  app.add_networks()->set_name("own");
  const auto applied = apply("app", app);
  ASSERT_TRUE(applied) << applied.error().message;
  const auto& container = applied->stack().spec().services(0).spec().container();
  EXPECT_EQ(container.networks(0).network(), "shop/back");
  EXPECT_EQ(container.networks(1).network(), "own") << "a stack's own by its name alone";

  const auto joined = connect("shop/front", "app/api", {"api.shop"});
  ASSERT_TRUE(joined) << joined.error().message;
  EXPECT_THAT(networks_of(*joined), ElementsAre("shop/back", "own", "shop/front"));
  EXPECT_THAT(users_of(view(), {"shop", "back"}), ElementsAre("app/api", "shop/db", "shop/dump", "shop/web"));

  auto without = file();
  without.mutable_networks()->DeleteSubrange(0, 1);
  without.mutable_services(0)->mutable_spec()->mutable_container()->mutable_networks()->DeleteSubrange(0, 1);
  const auto dropped = apply("shop", without);
  ASSERT_FALSE(dropped);
  EXPECT_THAT(dropped.error().message, HasSubstr("network shop/front would go, and app/api uses it"));
  EXPECT_TRUE(disconnect("shop/front", "app/api"));
  EXPECT_TRUE(apply("shop", without));
}

TEST_F(NetworkServiceTest, ANetworkThatIsNotThereIsNotJoined) {
  v1::StackSpec app;
  add_service(app, "api", {"shop/nope"});
  const auto applied = apply("app", app);
  ASSERT_FALSE(applied);
  EXPECT_EQ(applied.error().fields.at(0).pointer, "/spec/services/0/spec/container/networks/0/network");
  EXPECT_EQ(applied.error().message,
            "there is no network shop/nope: see `orchion network ls`, or make it with `orchion network create "
            "shop/nope`");
  v1::CreateServiceRequest request;
  request.set_stack("app");
  request.set_name("api");
  *request.mutable_spec() = app.services(0).spec();
  const auto made = ask<v1::Service>("ServiceService.CreateService", request);
  ASSERT_FALSE(made);
  EXPECT_EQ(made.error().fields.at(0).pointer, "/spec/container/networks/0/network");
}

}  // namespace
}  // namespace orchion::control::services
