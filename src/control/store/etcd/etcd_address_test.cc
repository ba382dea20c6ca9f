#include "control/store/etcd/etcd_address.h"

#include <gtest/gtest.h>

namespace orchion::control::store {
namespace {

TEST(EtcdAddressTest, ReadsWhatPeopleWrite) {
  EXPECT_EQ(parse_etcd_address("etcd://10.0.0.1:2379,10.0.0.2,[fd00::3]:1/lab/one/").value(),
            (EtcdAddress{{"10.0.0.1:2379", "10.0.0.2:2379", "[fd00::3]:1"}, "/lab/one"}));
  EXPECT_EQ(parse_etcd_address("etcd://etcd.lan/").value(), (EtcdAddress{{"etcd.lan:2379"}, "/orchion"}));
}

TEST(EtcdAddressTest, NamesWhatIsWrong) {
  for (const auto* wrong : {"etcd://", "etcd://a:0", "etcd://a,,b", "etcd:///prefix", "sqlite:///x", "etcd://a:b"}) {
    const auto parsed = parse_etcd_address(wrong);
    ASSERT_FALSE(parsed.has_value()) << wrong;
    EXPECT_EQ(parsed.error().code, base::Code::kInvalidArgument);
  }
}

TEST(EtcdAddressTest, KnowsLoopback) {
  EXPECT_TRUE(parse_etcd_address("etcd://127.0.0.1,localhost,[::1]").value().only_loopback());
  EXPECT_FALSE(parse_etcd_address("etcd://127.0.0.1,10.0.0.2").value().only_loopback());
}

}  // namespace
}  // namespace orchion::control::store
