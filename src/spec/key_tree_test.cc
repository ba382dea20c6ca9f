#include "spec/key_tree.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace orchion::spec {
namespace {

using testing::HasSubstr;

std::string message(std::string_view path) {
  const auto found = find_key(path);
  return found ? "found" : found.error().message;
}

TEST(FindKey, FollowsThePathDownTheTables) {
  const auto found = find_key("services.healthcheck.interval");
  ASSERT_TRUE(found) << found.error().message;
  EXPECT_EQ(found->path, "services.healthcheck.interval");
  EXPECT_EQ(found->table, &kHealthCheckKeys);
  EXPECT_EQ(found->key->name, "interval");
  EXPECT_EQ(found->below, nullptr);
  EXPECT_EQ(find_key("services")->below, &kServiceKeys);
  EXPECT_EQ(find_key("services.deploy.resources.limits.memory")->table, &kLimitsKeys);
  EXPECT_EQ(find_key("volumes")->below, &kVolumeKeys) << "the file's own come first";
  EXPECT_EQ(find_key("services.volumes")->below, &kMountKeys);
}

TEST(FindKey, LeavesOutWhatPeopleLeaveOut) {
  EXPECT_EQ(find_key("healthcheck.interval")->path, "services.healthcheck.interval");
  EXPECT_EQ(find_key("services.*.image")->path, "services.image");
  EXPECT_EQ(find_key("services.frontend.image")->path, "services.image");
  EXPECT_EQ(find_key("services.depends_on.database.condition")->path, "services.depends_on.condition");
  EXPECT_FALSE(find_key("services.develop")->key->supported);
}

TEST(FindKey, SaysTheNearest) {
  EXPECT_THAT(message("services.healthcheck.intervall"), HasSubstr("did you mean `services.healthcheck.interval`?"));
  EXPECT_THAT(message("servces"), HasSubstr("did you mean `services`?"));
  EXPECT_THAT(message("services.imgae"), HasSubstr("did you mean `services.image`?"));
  EXPECT_THAT(message("services.healthcheck.colour"), HasSubstr("`orchion explain services.healthcheck` lists"));
  EXPECT_THAT(message("name.more"), HasSubstr("there is no key `name.more`: `orchion explain` lists"));
  EXPECT_THAT(message(""), HasSubstr("name a key"));
  EXPECT_THAT(message(".."), HasSubstr("there is no key"));
  EXPECT_THAT(message(std::string(5000, 'a')), HasSubstr("there is no key"));
}

}  // namespace
}  // namespace orchion::spec
