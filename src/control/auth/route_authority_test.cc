#include "control/auth/route_authority.h"

#include <filesystem>

#include <gtest/gtest.h>

#include "base/file.h"
#include "wire/tls/certificates.h"
#include "wire/tls/keys.h"

namespace orchion::control::auth {
namespace {

using std::chrono::hours;

const base::WallTime kNow{std::chrono::seconds(1'800'000'000)};

class RouteAuthorityTest : public testing::Test {
 protected:
  RouteAuthorityTest() { std::filesystem::create_directories(folder_); }
  ~RouteAuthorityTest() override { std::filesystem::remove_all(folder_); }

  RouteAuthority open(base::WallTime now = kNow) { return RouteAuthority::open(folder_, "abcdef123456", now).value(); }

  const std::filesystem::path folder_ =
      std::filesystem::temp_directory_path() / ("route-authority-" + std::to_string(::getpid()));
};

TEST_F(RouteAuthorityTest, ItVouchesForTheHostsForNinetyDays) {
  auto authority = open();
  const auto pem = authority.certificate_for({"a.test", "*.a.test"}, kNow).value();
  const auto shown = wire::tls::read_certificate(pem).value();
  EXPECT_EQ(shown.common_name, "a.test");
  EXPECT_EQ(shown.dns_names, (std::vector<std::string>{"a.test", "*.a.test"}));
  EXPECT_EQ(shown.not_after, kNow + hours(24 * 90));
  EXPECT_EQ(wire::tls::key_fingerprint(pem).value(), shown.key_fingerprint);
  EXPECT_TRUE(wire::tls::verify(pem, authority.certificate(), wire::tls::Role::kServer, kNow));
}

TEST_F(RouteAuthorityTest, ItIsRenewedBeforeAThirdIsLeft) {
  auto authority = open();
  const auto first = authority.certificate_for({"a.test"}, kNow).value();
  EXPECT_EQ(authority.certificate_for({"a.test"}, kNow + hours(24 * 60 - 1)).value(), first);
  const auto second = authority.certificate_for({"a.test"}, kNow + hours(24 * 60)).value();
  EXPECT_NE(second, first);
  EXPECT_EQ(wire::tls::read_certificate(second).value().not_after, kNow + hours(24 * 150));
  EXPECT_NE(authority.certificate_for({"b.test"}, kNow).value(), first);
}

TEST_F(RouteAuthorityTest, ItIsMadeOnceAndItsKeyIsNobodysElse) {
  const auto certificate = open().certificate();
  EXPECT_EQ(open(kNow + hours(9)).certificate(), certificate);
  const auto key = folder_ / "route-authority" / "key.pem";
  EXPECT_EQ(std::filesystem::status(key).permissions(),
            std::filesystem::perms::owner_read | std::filesystem::perms::owner_write);
  std::filesystem::permissions(key, std::filesystem::perms::others_read, std::filesystem::perm_options::add);
  const auto opened = RouteAuthority::open(folder_, "abcdef123456", kNow);
  ASSERT_FALSE(opened);
  EXPECT_NE(opened.error().message.find("whoever trusts the one of `orchion route ca`"), std::string::npos);
}

TEST_F(RouteAuthorityTest, NoCertificateOutlivesTheAuthority) {
  auto authority = open();
  const auto end = wire::tls::read_certificate(authority.certificate()).value().not_after;
  const auto pem = authority.certificate_for({"a.test"}, end - hours(24)).value();
  EXPECT_EQ(wire::tls::read_certificate(pem).value().not_after, end);
}

TEST_F(RouteAuthorityTest, ALongNameStandsAmongTheAlternativesAlone) {
  auto authority = open();
  const std::string host = std::string(60, 'a') + "." + std::string(60, 'b') + ".test";
  const auto shown = wire::tls::read_certificate(authority.certificate_for({host}, kNow).value()).value();
  EXPECT_EQ(shown.common_name, "route");
  EXPECT_EQ(shown.dns_names, std::vector<std::string>{host});
}

}  // namespace
}  // namespace orchion::control::auth
