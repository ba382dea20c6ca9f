#include "core/health_check.h"

#include <gtest/gtest.h>

namespace orchion::core {
namespace {

v1::HealthCheck check(std::initializer_list<const char*> words, int interval = 0, int retries = 0) {
  v1::HealthCheck result;
  for (const char* word : words) result.mutable_test()->add_values(word);
  if (interval > 0) result.mutable_interval()->set_seconds(interval);
  result.set_retries(static_cast<std::uint32_t>(retries));
  return result;
}

v1::ContainerSpec asking(const v1::HealthCheck& asked) {
  v1::ContainerSpec container;
  *container.mutable_health_check() = asked;
  return container;
}

const ImageHealthCheck kImage{.test = {"CMD", "check", "--all"}, .interval = 7'000'000'005, .retries = 2};

TEST(EffectiveCheck, WithoutAWordTheImagesHolds) {
  const auto own = effective_check({}, kImage);
  ASSERT_TRUE(own.has_value());
  EXPECT_EQ(own->ShortDebugString(),
            "test { values: \"CMD\" values: \"check\" values: \"--all\" } interval { seconds: 7 nanos: 5 } retries: 2 "
            "origin: \"image\"");
  EXPECT_FALSE(effective_check({}, std::nullopt).has_value());
}

TEST(EffectiveCheck, WhatIsSaidGoesBeforeTheImage) {
  const auto own = effective_check(asking(check({"CMD-SHELL", "true"}, 0, 5)), kImage);
  ASSERT_TRUE(own.has_value());
  ASSERT_EQ(own->test().values_size(), 2);
  EXPECT_EQ(own->test().values(1), "true");
  EXPECT_EQ(own->interval().seconds(), 7) << "where it is silent the image's holds";
  EXPECT_EQ(own->retries(), 5u);

  auto timing = check({}, 60);
  timing.mutable_interval()->set_nanos(5);
  const auto slower = effective_check(asking(timing), kImage);
  ASSERT_TRUE(slower.has_value());
  EXPECT_EQ(slower->test().values(2), "--all");
  EXPECT_EQ(slower->interval().seconds(), 60);
  EXPECT_EQ(slower->retries(), 2u);
  EXPECT_FALSE(effective_check(asking(timing), std::nullopt).has_value()) << "there is nothing to run";
}

TEST(EffectiveCheck, APortIsAskedInPlaceOfTheImagesCommand) {
  v1::HealthCheck tcp;
  tcp.mutable_tcp()->set_port(80);
  tcp.set_origin("known image nginx");
  const auto own = effective_check(asking(tcp), kImage);
  ASSERT_TRUE(own.has_value());
  EXPECT_FALSE(own->has_test());
  EXPECT_EQ(own->tcp().port(), 80u);
  EXPECT_EQ(own->interval().seconds(), 7);
  EXPECT_EQ(own->origin(), "") << "nobody may call its own check a guess";
  EXPECT_FALSE(is_of_known_image(*own));
}

TEST(EffectiveCheck, EitherMaySayNone) {
  v1::HealthCheck disabled;
  disabled.set_disabled(true);
  EXPECT_FALSE(effective_check(asking(disabled), kImage).has_value());
  EXPECT_FALSE(effective_check({}, ImageHealthCheck{.test = {"NONE"}}).has_value());
  EXPECT_TRUE(effective_check(asking(check({"CMD", "check"})), ImageHealthCheck{.test = {"NONE"}}).has_value());
}

}  // namespace
}  // namespace orchion::core
