#include "core/known_enums.h"

#include <gtest/gtest.h>

#include "v1/control.pb.h"

namespace orchion::core {
namespace {

TEST(KnownEnums, AnUnknownNumberIsPointedAtWhereverItIs) {
  v1::ApplyStackRequest request;
  auto& service = *request.mutable_spec()->add_services()->mutable_spec();
  service.mutable_container()->set_pull_policy(v1::PULL_ALWAYS);
  EXPECT_TRUE(check_enums(request));
  service.mutable_container()->set_pull_policy(static_cast<v1::PullPolicy>(77));
  service.mutable_container()->add_mounts()->set_type(static_cast<v1::Mount::Type>(9));
  const auto checked = check_enums(request);
  ASSERT_FALSE(checked);
  EXPECT_EQ(checked.error().code, base::Code::kInvalidArgument);
  ASSERT_EQ(checked.error().fields.size(), 2u);
  EXPECT_EQ(checked.error().fields[0].pointer, "/spec/services/0/spec/container/mounts/0/type");
  EXPECT_EQ(checked.error().fields[1].pointer, "/spec/services/0/spec/container/pullPolicy");
}

}  // namespace
}  // namespace orchion::core
