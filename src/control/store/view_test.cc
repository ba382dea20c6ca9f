#include "control/store/view.h"

#include <algorithm>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "control/store/keys.h"
#include "control/store/object_store.h"

namespace orchion::control::store {
namespace {

using base::Code;
using testing::ElementsAre;

template <class T>
T named(const std::string& stack, const std::string& name, const std::string& uid) {
  T object;
  object.mutable_meta()->set_stack(stack);
  object.mutable_meta()->set_name(name);
  object.mutable_meta()->set_uid(uid);
  return object;
}

v1::Task task(const std::string& name, const std::string& service, const std::string& node_uid = "") {
  auto result = named<v1::Task>("shop", name, "uid-" + name);
  result.mutable_spec()->set_service(service);
  if (!node_uid.empty()) result.mutable_spec()->mutable_assignment()->set_node_uid(node_uid);
  return result;
}

std::vector<std::string> names(const std::vector<std::shared_ptr<const v1::Task>>& tasks) {
  std::vector<std::string> result;
  for (const auto& one : tasks) result.push_back(one->meta().name());
  return result;
}

// What a store would deliver for a transaction, without a store.
Commit committed(Revision revision, const Transaction& transaction) {
  Commit commit{revision, {}};
  for (const auto& operation : transaction.operations) commit.changes.push_back({operation.key, operation.value});
  return commit;
}

template <class T>
Commit created(Revision revision, const T& object) {
  Transaction transaction;
  create(transaction, object);
  return committed(revision, transaction);
}

TEST(ObjectKey, NamesMayHoldSlashes) {
  const std::string key = spec_key("Image", "", "docker.io/library/nginx:1.27");
  const auto parsed = parse_object_key(key);
  ASSERT_TRUE(parsed);
  EXPECT_EQ(parsed->part, ObjectKey::Part::kSpec);
  EXPECT_EQ(parsed->kind, "Image");
  EXPECT_EQ(parsed->object_name(), (ObjectName{"", "docker.io/library/nginx:1.27"}));
  const std::string status = status_key("Task", "shop", "web.1.abc");
  EXPECT_EQ(parse_object_key(status)->part, ObjectKey::Part::kStatus);
}

TEST(ObjectKey, OtherKeysAreNoObjects) {
  for (const char* key : {"", "spec", "spec/", "spec/Task", "spec/Task/shop", "spec/Task/shop/", "spec//shop/web",
                          "idempotency/x", "specs/Task/shop/web"}) {
    EXPECT_FALSE(parse_object_key(key)) << key;
  }
}

TEST(View, ShowsSpecAndStatusAsOneObject) {
  View view;
  auto web = named<v1::Service>("shop", "web", "u1");
  web.mutable_status()->set_tasks_running(2);
  const auto changes = view.apply(created(7, web)).value();
  ASSERT_EQ(changes.size(), 1u);
  EXPECT_EQ(changes[0].kind, "Service");
  EXPECT_EQ(changes[0].name, (ObjectName{"shop", "web"}));
  EXPECT_EQ(changes[0].before, nullptr);

  const auto seen = view.services().find("shop", "web");
  ASSERT_TRUE(seen);
  EXPECT_EQ(changes[0].after, seen);
  EXPECT_EQ(seen->status().tasks_running(), 2u);
  EXPECT_EQ(seen->meta().revision(), 7u);
  EXPECT_EQ(seen->meta().generation(), 1u);
  EXPECT_EQ(view.services().find_uid("u1"), seen);
  EXPECT_EQ(view.services().find("web"), nullptr) << "of no stack";
  EXPECT_EQ(view.revision(), 7u);
}

TEST(View, AStatusLeavesTheRevisionOfTheSpec) {
  View view;
  view.apply(created(1, named<v1::Service>("shop", "web", "u1"))).value();
  v1::Service web = *view.services().find("shop", "web");
  web.mutable_status()->set_message("busy");
  web.mutable_meta()->set_generation(99);
  Transaction transaction;
  put_status(transaction, web);
  const auto changes = view.apply(committed(2, transaction)).value();
  ASSERT_EQ(changes.size(), 1u);
  EXPECT_NE(changes[0].before, nullptr);
  const auto seen = view.services().find("shop", "web");
  EXPECT_EQ(seen->status().message(), "busy");
  EXPECT_EQ(seen->meta().revision(), 1u);
  EXPECT_EQ(seen->meta().generation(), 1u) << "put_status writes the status only";
}

TEST(View, ASpecLeavesTheStatus) {
  View view;
  auto web = named<v1::Service>("shop", "web", "u1");
  web.mutable_status()->set_message("busy");
  view.apply(created(1, web)).value();
  v1::Service changed = *view.services().find("shop", "web");
  changed.mutable_status()->set_message("not written");
  changed.mutable_meta()->set_generation(2);
  Transaction transaction;
  put_spec(transaction, changed);
  view.apply(committed(5, transaction)).value();
  const auto seen = view.services().find("shop", "web");
  EXPECT_EQ(seen->status().message(), "busy");
  EXPECT_EQ(seen->meta().generation(), 2u);
  EXPECT_EQ(seen->meta().revision(), 5u);
}

TEST(View, RemovalTakesTheObjectOutOfEveryIndex) {
  View view;
  view.apply(created(1, task("web.1", "web", "n1"))).value();
  Transaction transaction;
  remove(transaction, *view.tasks().find("shop", "web.1"));
  const auto changes = view.apply(committed(2, transaction)).value();
  ASSERT_EQ(changes.size(), 1u) << "one object, both of its entries";
  EXPECT_EQ(changes[0].after, nullptr);
  EXPECT_TRUE(view.tasks().all().empty());
  EXPECT_EQ(view.tasks().find_uid("uid-web.1"), nullptr);
  EXPECT_TRUE(view.tasks_of_service("shop", "web").empty());
  EXPECT_TRUE(view.tasks_of_node("n1").empty());
}

TEST(View, IndexesFollowTheTasks) {
  View view;
  view.apply(created(1, task("web.2", "web"))).value();
  view.apply(created(2, task("web.1", "web", "n1"))).value();
  view.apply(created(3, task("db.1", "db", "n1"))).value();
  EXPECT_THAT(names(view.tasks_of_service("shop", "web")), ElementsAre("web.1", "web.2"));
  EXPECT_THAT(names(view.tasks_of_service("other", "web")), ElementsAre());
  EXPECT_THAT(names(view.tasks_of_node("n1")), ElementsAre("db.1", "web.1"));

  auto placed = *view.tasks().find("shop", "web.2");
  placed.mutable_spec()->mutable_assignment()->set_node_uid("n2");
  Transaction transaction;
  put_spec(transaction, placed);
  view.apply(committed(4, transaction)).value();
  ASSERT_THAT(names(view.tasks_of_node("n2")), ElementsAre("web.2"));
  EXPECT_EQ(view.tasks_of_node("n2")[0], view.tasks().find("shop", "web.2")) << "the newest one";
  EXPECT_EQ(view.tasks_of_service("shop", "web")[1], view.tasks().find("shop", "web.2"));
  EXPECT_THAT(names(view.tasks_of_node("")), ElementsAre());
}

TEST(View, AnotherUidReplacesTheFirst) {
  View view;
  view.apply(created(1, named<v1::Volume>("shop", "data", "old"))).value();
  view.apply(created(2, named<v1::Volume>("shop", "data", "new"))).value();
  EXPECT_EQ(view.volumes().find_uid("old"), nullptr);
  EXPECT_EQ(view.volumes().find_uid("new"), view.volumes().find("shop", "data"));
}

TEST(View, ListsOneStackInOrder) {
  View view;
  Revision revision = 0;
  for (const auto& [stack, name] : {std::pair{"b", "2"}, {"b", "1"}, {"a", "9"}, {"b2", "0"}, {"", "b"}}) {
    view.apply(created(++revision, named<v1::Service>(stack, name, std::string(stack) + name))).value();
  }
  const auto services = view.services().of_stack("b");
  ASSERT_EQ(services.size(), 2u);
  EXPECT_EQ(services[0]->meta().name(), "1");
  EXPECT_EQ(services[1]->meta().name(), "2");
}

TEST(View, KnowsNetworkPoliciesByTheirStacks) {
  View view;
  auto policy = named<v1::NetworkPolicy>("shop", "db-only", "u1");
  policy.mutable_spec()->set_service("db");
  const auto changes = view.apply(created(1, policy)).value();
  ASSERT_EQ(changes.size(), 1u);
  EXPECT_EQ(changes[0].kind, "NetworkPolicy");
  ASSERT_NE(view.network_policies().find("shop", "db-only"), nullptr);
  EXPECT_EQ(view.network_policies().find("shop", "db-only")->spec().service(), "db");
}

TEST(View, LoadsWhatASnapshotHolds) {
  auto web = task("web.1", "web", "n1");
  web.mutable_status()->set_attempt(3);
  Transaction transaction;
  create(transaction, web);
  Snapshot snapshot{{}, 9};
  for (const auto& operation : transaction.operations) snapshot.entries.push_back({operation.key, *operation.value, 4});
  std::ranges::sort(snapshot.entries, {}, &Entry::key);
  snapshot.entries.push_back({"zebra", "not an object", 2});
  View view;
  ASSERT_TRUE(view.load(snapshot));
  EXPECT_EQ(view.revision(), 9u);
  EXPECT_EQ(view.tasks().find("shop", "web.1")->meta().revision(), 4u);
  EXPECT_EQ(view.tasks().find("shop", "web.1")->status().attempt(), 3u);
  EXPECT_EQ(view.tasks_of_node("n1").size(), 1u);
}

TEST(View, RefusesWhatItCannotRead) {
  View view;
  const Commit garbage{1, {{spec_key("Task", "shop", "web.1"), "\xff\xff\xff"}}};
  EXPECT_EQ(view.apply(garbage).error().code, Code::kDataLoss);
  const Commit unknown{1, {{spec_key("Spaceship", "", "x"), ""}}};
  EXPECT_EQ(view.apply(unknown).error().code, Code::kDataLoss);
  auto misplaced = created(1, named<v1::Node>("", "a", "u"));
  misplaced.changes[0].key = spec_key("Node", "", "b");
  EXPECT_EQ(view.apply(misplaced).error().code, Code::kDataLoss);
}

TEST(View, ReplaceSaysWhatDiffers) {
  View older;
  older.apply(created(1, named<v1::Node>("", "gone", "u1"))).value();
  older.apply(created(2, named<v1::Node>("", "same", "u2"))).value();
  View newer;
  newer.apply(created(2, named<v1::Node>("", "same", "u2"))).value();
  newer.apply(created(8, named<v1::Node>("", "new", "u3"))).value();
  const auto changes = older.replace(std::move(newer));
  ASSERT_EQ(changes.size(), 2u);
  EXPECT_EQ(changes[0].name.name, "new");
  EXPECT_EQ(changes[0].before, nullptr);
  EXPECT_EQ(changes[1].name.name, "gone");
  EXPECT_EQ(changes[1].after, nullptr);
  EXPECT_EQ(older.revision(), 8u);
  EXPECT_EQ(older.nodes().all().size(), 2u);
}

}  // namespace
}  // namespace orchion::control::store
