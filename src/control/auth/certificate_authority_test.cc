#include "control/auth/certificate_authority.h"

#include <gtest/gtest.h>

#include "base/file.h"
#include "base/random.h"
#include "wire/tls/certificates.h"
#include "wire/tls/keys.h"

namespace orchion::control::auth {
namespace {

using base::Code;
using std::chrono::hours;
using std::chrono::minutes;
using wire::tls::Role;

const base::WallTime kNow{hours(24 * 20000)};

class CertificateAuthorityTest : public testing::Test {
 protected:
  CertificateAuthorityTest() { base::make_folders(folder_).value(); }
  ~CertificateAuthorityTest() override { std::filesystem::remove_all(folder_); }

  base::Result<CertificateAuthority> open() { return CertificateAuthority::open(folder_, "c1", kNow); }

  std::filesystem::path folder_ =
      std::filesystem::temp_directory_path() / ("orchion-authority-" + base::Random::from_system().text(12));
};

TEST_F(CertificateAuthorityTest, TheFirstRunMakesItAndLaterRunsKeepIt) {
  const auto first = open().value();
  EXPECT_EQ(open()->fingerprint(), first.fingerprint());
  EXPECT_EQ(std::filesystem::status(folder_ / "authority" / "key.pem").permissions(),
            std::filesystem::perms::owner_read | std::filesystem::perms::owner_write);
}

TEST_F(CertificateAuthorityTest, AKeyThatOthersCanReadIsRefused) {
  open().value();
  std::filesystem::permissions(folder_ / "authority" / "key.pem", std::filesystem::perms::others_read,
                               std::filesystem::perm_options::add);
  EXPECT_EQ(open().error().code, Code::kFailedPrecondition);
}

TEST_F(CertificateAuthorityTest, HalvesThatDoNotFitAreRefused) {
  open().value();
  base::write_file(folder_ / "authority" / "key.pem", wire::tls::make_key().value(), 0600).value();
  EXPECT_EQ(open().error().code, Code::kFailedPrecondition);
  base::write_file(folder_ / "authority" / "key.pem", "rust", 0600).value();
  EXPECT_EQ(open().error().code, Code::kFailedPrecondition);
}

TEST_F(CertificateAuthorityTest, ACrashBetweenTheTwoFilesIsHarmless) {
  open().value();
  std::filesystem::remove(folder_ / "authority" / "certificate.pem");
  EXPECT_TRUE(open());
}

TEST_F(CertificateAuthorityTest, TheServerPresentsTheAuthorityToo) {
  const auto authority = open().value();
  const auto server = authority.make_server_identity(kNow).value();
  EXPECT_TRUE(server.chain.ends_with(authority.certificate()));
  const auto certificate = wire::tls::read_certificate(server.chain).value();
  EXPECT_EQ(certificate.dns_names, std::vector<std::string>{"control.c1.orchion.internal"});
  EXPECT_EQ(certificate.key_fingerprint, wire::tls::key_fingerprint(server.key).value());
  // Another machine's clock may be behind a little.
  for (const auto when : {kNow - minutes(4), kNow, kNow + hours(24 * 3000)})
    EXPECT_TRUE(wire::tls::verify(server.chain, authority.certificate(), Role::kServer, when));
}

TEST_F(CertificateAuthorityTest, ANodesCertificateNamesItForADay) {
  const auto authority = open().value();
  const auto key = wire::tls::make_key().value();
  const auto pem = authority.issue_to_node(wire::tls::make_request(key, "whoever").value(), "n1", kNow).value();
  const auto certificate = wire::tls::read_certificate(pem).value();
  EXPECT_EQ(certificate.uris, std::vector<std::string>{"orchion://c1/node/n1"});
  EXPECT_LE(certificate.not_after - certificate.not_before, hours(24));
  EXPECT_TRUE(wire::tls::verify(pem, authority.certificate(), Role::kClient, kNow));
  EXPECT_FALSE(wire::tls::verify(pem, authority.certificate(), Role::kClient, kNow + hours(24)));
}

}  // namespace
}  // namespace orchion::control::auth
