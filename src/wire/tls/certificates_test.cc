#include "wire/tls/certificates.h"

#include <gtest/gtest.h>

#include "wire/tls/keys.h"

namespace orchion::wire::tls {
namespace {

using base::Code;
using std::chrono::hours;

const base::WallTime kNow{hours(24 * 20000)};

// An authority and what it makes.
class CertificatesTest : public testing::Test {
 protected:
  std::string make(Role role, base::WallTime from = kNow - hours(1), base::WallTime to = kNow + hours(1)) {
    CertificatePlan plan;
    plan.role = role;
    plan.common_name = "somebody";
    plan.dns_names = {"control.example.internal"};
    plan.uris = {"orchion://cluster/node/n1"};
    plan.not_before = from;
    plan.not_after = to;
    return issue(authority_, make_request(key_, "ignored, with a comma").value(), plan).value();
  }

  static Issuer new_authority() {
    Issuer issuer;
    issuer.key = make_key().value();
    CertificatePlan plan;
    plan.role = Role::kAuthority;
    plan.common_name = "cluster.example.internal";
    plan.not_before = kNow - hours(1000);
    plan.not_after = kNow + hours(1000);
    issuer.certificate = make_authority(issuer.key, plan).value();
    return issuer;
  }

  std::string key_ = make_key().value();
  Issuer authority_ = new_authority();
};

TEST_F(CertificatesTest, KeysAreNewEachTime) {
  EXPECT_NE(key_, make_key().value());
  EXPECT_EQ(key_fingerprint(key_)->size(), 64u);
  EXPECT_EQ(key_fingerprint("no key").error().code, Code::kInvalidArgument);
}

TEST_F(CertificatesTest, ARequestSaysWhoseKeyItIs) {
  const auto request = read_request(make_request(key_, "n1").value()).value();
  EXPECT_EQ(request.common_name, "n1");
  EXPECT_EQ(request.key_fingerprint, key_fingerprint(key_).value());
}

TEST_F(CertificatesTest, ARequestThatWasTamperedWithIsRefused) {
  auto pem = make_request(key_, "n1").value();
  // Within the signature, which comes last.
  auto& digit = pem[pem.rfind("\n-----END") - 12];
  digit = digit == 'A' ? 'B' : 'A';
  EXPECT_EQ(read_request(pem).error().code, Code::kInvalidArgument);
  EXPECT_EQ(read_request("").error().code, Code::kInvalidArgument);
  EXPECT_EQ(read_request(std::string(1 << 20, 'x')).error().code, Code::kInvalidArgument);
}

TEST_F(CertificatesTest, WhatWasAskedForStandsInIt) {
  const auto pem = make(Role::kClient);
  const auto certificate = read_certificate(pem).value();
  EXPECT_EQ(certificate.common_name, "somebody");
  EXPECT_EQ(certificate.dns_names, std::vector<std::string>{"control.example.internal"});
  EXPECT_EQ(certificate.uris, std::vector<std::string>{"orchion://cluster/node/n1"});
  EXPECT_EQ(certificate.not_before, kNow - hours(1));
  EXPECT_EQ(certificate.not_after, kNow + hours(1));
  EXPECT_EQ(certificate.key_fingerprint, key_fingerprint(key_).value());
  EXPECT_EQ(certificate.fingerprint.size(), 64u);
  EXPECT_NE(certificate.fingerprint, read_certificate(make(Role::kClient))->fingerprint) << "a serial of its own";
}

TEST_F(CertificatesTest, TheAuthorityVouchesForItsOwnInTheirRole) {
  EXPECT_TRUE(verify(make(Role::kClient), authority_.certificate, Role::kClient, kNow));
  EXPECT_TRUE(verify(make(Role::kServer), authority_.certificate, Role::kServer, kNow));
  EXPECT_EQ(verify(make(Role::kClient), authority_.certificate, Role::kServer, kNow).error().code,
            Code::kUnauthenticated);
  EXPECT_EQ(verify(make(Role::kServer), authority_.certificate, Role::kClient, kNow).error().code,
            Code::kUnauthenticated);
  EXPECT_EQ(verify(make(Role::kClient), new_authority().certificate, Role::kClient, kNow).error().code,
            Code::kUnauthenticated);
}

TEST_F(CertificatesTest, TimeIsToldApartFromTrust) {
  const auto early = make(Role::kServer, kNow + hours(1), kNow + hours(2));
  const auto late = make(Role::kServer, kNow - hours(2), kNow - hours(1));
  for (const auto& pem : {early, late})
    EXPECT_EQ(verify(pem, authority_.certificate, Role::kServer, kNow).error().code, Code::kFailedPrecondition);
}

// A node can't make nodes.
TEST_F(CertificatesTest, WhoIsNoAuthorityVouchesForNobody) {
  const Issuer node{make(Role::kClient), key_};
  CertificatePlan plan;
  plan.common_name = "another";
  plan.not_before = kNow - hours(1);
  plan.not_after = kNow + hours(1);
  const auto forged = issue(node, make_request(make_key().value(), "another").value(), plan).value();
  EXPECT_FALSE(verify(forged, authority_.certificate, Role::kClient, kNow));
  EXPECT_FALSE(verify(forged, node.certificate, Role::kClient, kNow));
}

}  // namespace
}  // namespace orchion::wire::tls
