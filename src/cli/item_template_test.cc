#include "cli/item_template.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <boost/json/parse.hpp>

namespace orchion::cli {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

const auto kTask = boost::json::parse(R"({"meta":{"name":"web.1","labels":{}},"spec":{"slot":1,"ready":true,)"
                                      R"("ports":[{"host":80,"ip":""},{"host":443}],"command":["a","b"]}})");

std::string render(const std::string& text) {
  const auto parsed = ItemTemplate::parse(text);
  return parsed ? parsed->render(kTask) : parsed.error().message;
}

TEST(ItemTemplate, FillsFieldsIn) {
  EXPECT_EQ(render("{meta.name} {spec.slot}\\t{spec.ready}"), "web.1 1\ttrue");
  EXPECT_EQ(render("no hole"), "no hole");
  EXPECT_EQ(render("{{{meta.name}}}\\n"), "{web.1}\n");
  EXPECT_EQ(render("{meta}"), R"({"name":"web.1","labels":{}})");
}

TEST(ItemTemplate, WhatIsMissingIsEmpty) {
  EXPECT_EQ(render("<{status.state}{meta.name.further}{spec.ports.7.host}{nothing}>"), "<>");
}

TEST(ItemTemplate, ListsAreJoinedOrTakenByNumber) {
  EXPECT_EQ(render("{spec.ports.host}"), "80,443");
  EXPECT_EQ(render("{spec.ports.1.host}"), "443");
  EXPECT_EQ(render("{spec.command} {spec.command.0}"), "a,b a");
}

TEST(ItemTemplate, SaysWhatIsWrongWithOne) {
  EXPECT_THAT(render("a {meta.name"), HasSubstr("`{meta.name` has no closing brace"));
  EXPECT_THAT(render("a}"), HasSubstr("character 2 is a closing brace that nothing opens"));
  for (const auto* broken : {"{}", "{a..b}", "{.a}", "{a.}", "{a b}"})
    EXPECT_THAT(render(broken), HasSubstr("names no field: write it like {meta.name}")) << broken;
}

TEST(ItemTemplate, FieldsAreNamedOnce) {
  EXPECT_THAT(field_paths(kTask),
              ElementsAre("meta.name", "spec.slot", "spec.ready", "spec.ports.host", "spec.ports.ip", "spec.command"));
}

}  // namespace
}  // namespace orchion::cli
