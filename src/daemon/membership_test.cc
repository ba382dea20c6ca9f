#include "daemon/membership.h"

#include <filesystem>

#include <gtest/gtest.h>

#include "base/file.h"
#include "base/random.h"

namespace orchion::daemon {
namespace {

class MembershipTest : public testing::Test {
 protected:
  MembershipTest() {
    auto random = base::Random::from_system();
    folder_ = std::filesystem::temp_directory_path() / ("membership-" + random.text(8));
    std::filesystem::create_directories(folder_);
  }
  ~MembershipTest() override { std::filesystem::remove_all(folder_); }

  std::filesystem::path folder_;
};

TEST_F(MembershipTest, IsKeptAsItWasSaid) {
  EXPECT_EQ(load_membership(folder_).error().code, base::Code::kNotFound);
  const auto key = node_key(folder_);
  ASSERT_TRUE(key);
  const Membership said{.server = "10.0.0.1:4603",
                        .key = *key,
                        .certificate = "certificate",
                        .authority = "authority",
                        .address = "10.0.0.2",
                        .hostname = "attic",
                        .labels = {{"disk", "ssd"}, {"empty", ""}, {"odd", "a=b c"}}};
  ASSERT_TRUE(save_membership(folder_, said));
  const auto kept = load_membership(folder_);
  ASSERT_TRUE(kept);
  EXPECT_EQ(kept->server, said.server);
  EXPECT_EQ(kept->key, said.key);
  EXPECT_EQ(kept->address, said.address);
  EXPECT_EQ(kept->hostname, said.hostname);
  EXPECT_EQ(kept->labels, said.labels);
}

TEST_F(MembershipTest, OfAnOlderVersionHasNoNameOfItsOwn) {
  ASSERT_TRUE(node_key(folder_));
  ASSERT_TRUE(save_membership(folder_, {.server = "10.0.0.1:4603", .certificate = "c", .authority = "a"}));
  for (const char* name : {"hostname", "labels", "address"}) std::filesystem::remove(folder_ / name);
  const auto kept = load_membership(folder_);
  ASSERT_TRUE(kept);
  EXPECT_EQ(kept->hostname, "");
  EXPECT_TRUE(kept->labels.empty());
}

}  // namespace
}  // namespace orchion::daemon
