#include "core/node_placement.h"

#include <gmock/gmock.h>
#include <google/protobuf/text_format.h>

#include "core/taints.h"

namespace orchion::core {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

v1::Node node(const std::string& spec = "") {
  v1::Node out;
  out.mutable_meta()->set_name("nas");
  EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(spec, out.mutable_spec()));
  out.mutable_status()->mutable_capabilities()->set_nano_cpus(4'000'000'000);
  out.mutable_status()->mutable_capabilities()->set_memory_bytes(8ll << 30);
  return out;
}

base::Result<NodePlacement> place(const v1::Node& on, const std::string& text) {
  v1::SetNodePlacementRequest request;
  EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(text, &request)) << text;
  return place_on_node(on, request);
}

std::vector<std::string> taints(const v1::NodeSpec& spec) {
  std::vector<std::string> out;
  for (const auto& taint : spec.taints()) out.push_back(taint_text(taint));
  return out;
}

TEST(NodePlacement, TakesAwayThenAdds) {
  const auto nas = node(R"(taints { key: "a" } taints { key: "a" effect: NO_TASKS } taints { key: "b" value: "1" }
                           labels { key: "disk" value: "hdd" } labels { key: "zone" value: "x" })");
  auto made = place(nas, R"(taints { key: "b" value: "2" } taints { key: "gpu" effect: PREFER_OTHERS }
                            remove_taints: "a:NO_TASKS" labels { key: "disk" value: "ssd" } remove_labels: "zone")");
  ASSERT_TRUE(made) << made.error().message;
  EXPECT_THAT(taints(made->spec), ElementsAre("a:no-new-tasks", "b=2:no-new-tasks", "gpu:prefer-others"));
  EXPECT_EQ(made->spec.labels().size(), 1u);
  EXPECT_EQ(made->spec.labels().at("disk"), "ssd");
  EXPECT_THAT(made->changes, ElementsAre("no taint a:no-tasks", "no label zone", "taint b=2:no-new-tasks",
                                         "taint gpu:prefer-others", "label disk=ssd"));
  made = place(nas, R"(remove_taints: "a")");
  EXPECT_THAT(taints(made->spec), ElementsAre("b=1:no-new-tasks"));
}

TEST(NodePlacement, WhatIsSoAlreadyIsNoChange) {
  const auto nas = node(R"(taints { key: "a" value: "1" } labels { key: "disk" value: "hdd" })");
  const auto made = place(nas, R"(taints { key: "a" value: "1" } labels { key: "disk" value: "hdd" })");
  EXPECT_THAT(made->changes, IsEmpty());
  EXPECT_THAT(place(nas, "")->changes, IsEmpty());
}

TEST(NodePlacement, WhatIsNotThereCannotBeTakenAway) {
  const auto nas = node(R"(taints { key: "a" })");
  for (const char* text : {R"(remove_taints: "gpu")", R"(remove_taints: "a:NO_TASKS")", R"(remove_labels: "disk")"}) {
    const auto made = place(nas, text);
    ASSERT_FALSE(made) << text;
    EXPECT_EQ(made.error().code, base::Code::kNotFound);
    EXPECT_THAT(made.error().message, HasSubstr("node nas has no "));
  }
}

TEST(NodePlacement, ReservesOfWhatThereIs) {
  const auto made = place(node(), "reserved { nano_cpus: 500000000 memory_bytes: 1073741824 }");
  EXPECT_EQ(made->spec.reserved().nano_cpus(), 500'000'000);
  EXPECT_THAT(made->changes, ElementsAre("0.5 CPUs, 1 GiB of memory and 0 B of disk reserved"));
  EXPECT_EQ(place(node("reserved { nano_cpus: 1 }"), "reserved {}")->spec.reserved().nano_cpus(), 0);
  EXPECT_THAT(place(node(), "reserved { nano_cpus: 5000000000 }").error().message,
              HasSubstr("is more than the 4 CPUs that the node has"));
}

TEST(NodePlacement, EverythingWrongIsSaidWithItsPlace) {
  const auto made = place(node(), R"(taints { key: "" } taints { key: "a b" } taints { key: "ok-" }
      taints { key: "ok" value: "two\nlines" } remove_taints: "a:sometimes" labels { key: "x=y" value: "" }
      reserved { memory_bytes: -1 pids: 5 })");
  ASSERT_FALSE(made);
  EXPECT_EQ(made.error().code, base::Code::kInvalidArgument);
  std::vector<std::string> places;
  for (const auto& field : made.error().fields) places.push_back(field.pointer);
  EXPECT_THAT(places, ElementsAre("/taints/0/key", "/taints/1/key", "/taints/2/key", "/taints/3/value",
                                  "/removeTaints/0", "/labels", "/reserved/memoryBytes", "/reserved/pids"));
}

TEST(NodePlacement, ANodeHasNoMoreThanItMay) {
  v1::SetNodePlacementRequest request;
  for (int i = 0; i < 65; ++i) request.add_taints()->set_key("t" + std::to_string(i));
  EXPECT_THAT(place_on_node(node(), request).error().message, HasSubstr("more than the 64"));
  request.clear_taints();
  for (int i = 0; i < 65; ++i) (*request.mutable_labels())["l" + std::to_string(i)] = "";
  EXPECT_THAT(place_on_node(node(), request).error().message, HasSubstr("more than the 64"));
}

TEST(Taints, EffectsHaveTheNamesThatPeopleKnow) {
  EXPECT_EQ(parse_effect("NoSchedule").value(), v1::Taint::NO_NEW_TASKS);
  EXPECT_EQ(parse_effect("PreferNoSchedule").value(), v1::Taint::PREFER_OTHERS);
  EXPECT_EQ(parse_effect("NoExecute").value(), v1::Taint::NO_TASKS);
  EXPECT_EQ(parse_effect("NO_TASKS").value(), v1::Taint::NO_TASKS);
  EXPECT_EQ(parse_effect("no-new-tasks").value(), v1::Taint::NO_NEW_TASKS);
  EXPECT_THAT(parse_effect("Never").error().message, HasSubstr("write NoSchedule"));
}

TEST(Taints, AreToleratedByKeyAndValue) {
  v1::NodeSpec spec;
  spec.add_taints()->set_key("old");
  auto& taint = *spec.add_taints();
  taint.set_key("gpu");
  taint.set_value("a");
  taint.set_effect(v1::Taint::NO_TASKS);
  v1::PlacementRules rules;
  ASSERT_NE(drives_away(spec.taints(), rules.tolerations()), nullptr);
  EXPECT_EQ(drives_away(spec.taints(), rules.tolerations())->key(), "gpu");
  auto& toleration = *rules.add_tolerations();
  toleration.set_key("gpu");
  EXPECT_EQ(drives_away(spec.taints(), rules.tolerations()), nullptr);
  toleration.set_value("b");
  EXPECT_NE(drives_away(spec.taints(), rules.tolerations()), nullptr);
  toleration.Clear();
  EXPECT_EQ(drives_away(spec.taints(), rules.tolerations()), nullptr) << "any taint";
}

}  // namespace
}  // namespace orchion::core
