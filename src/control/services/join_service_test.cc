#include "control/services/join_service.h"

#include <gtest/gtest.h>

#include "base/file.h"
#include "control/auth/node_authenticator.h"
#include "control/services/services_fixture_test.h"
#include "core/join_token.h"
#include "core/timestamps.h"
#include "wire/tls/certificates.h"
#include "wire/tls/keys.h"

namespace orchion::control::services {
namespace {

using base::Code;
using std::chrono::hours;
using std::chrono::minutes;

class JoinServiceTest : public ServicesFixture {
 protected:
  ~JoinServiceTest() override { std::filesystem::remove_all(folder_); }

  auth::CertificateAuthority make_authority() {
    base::make_folders(folder_).value();
    return auth::CertificateAuthority::open(folder_, "c1", clock_.wall()).value();
  }

  std::string invite() {
    const auto invitation = loop_.run(service_.invite({}, {})).value();
    return core::parse_join_token(invitation.token())->secret;
  }

  base::Result<v1::JoinResponse> join(const std::string& secret, const std::string& key,
                                      base::Duration clock_ahead = {}) {
    v1::JoinRequest request;
    request.set_secret(secret);
    request.set_request(wire::tls::make_request(key, "x").value());
    request.set_hostname("Pi.local");
    (*request.mutable_labels())["disk"] = "ssd";
    *request.mutable_time() = core::to_timestamp(clock_.wall() + clock_ahead);
    return loop_.run(service_.join({}, std::move(request)));
  }

  base::Result<v1::RenewResponse> renew(const std::string& key) {
    v1::RenewRequest request;
    request.set_request(wire::tls::make_request(key, "x").value());
    return loop_.run(service_.renew({}, std::move(request)));
  }

  static void expect_says(const base::Error& error, Code code, const std::string& part) {
    EXPECT_EQ(error.code, code) << error.message;
    EXPECT_NE(error.message.find(part), std::string::npos) << error.message;
  }

  std::filesystem::path folder_ =
      std::filesystem::temp_directory_path() / ("orchion-join-" + base::Random::from_system().text(12));
  auth::CertificateAuthority authority_ = make_authority();
  JoinService service_{context(), authority_,
                       JoinOptions{.cluster_id = "c1", .address = "192.0.2.1:4603", .advice = "type this"}};
  auth::NodeAuthenticator nodes_{*objects_, "c1"};
  std::string key_ = wire::tls::make_key().value();
};

TEST_F(JoinServiceTest, AnInvitationSaysWhereAndWhom) {
  const auto invitation = loop_.run(service_.invite({}, {})).value();
  EXPECT_EQ(invitation.address(), "192.0.2.1:4603");
  EXPECT_EQ(core::parse_join_token(invitation.token())->authority_fingerprint, authority_.fingerprint());
  EXPECT_EQ(core::from_timestamp(invitation.expires_at()) - clock_.wall(), minutes(15));
  // Only its hash is kept.
  const auto secret = core::parse_join_token(invitation.token())->secret;
  const auto stored = loop_.run(memory_.list("")).value();
  for (const auto& entry : stored.entries) EXPECT_EQ(entry.value.find(secret), std::string::npos) << entry.key;
}

TEST_F(JoinServiceTest, WithoutADoorThereIsNoInvitation) {
  JoinService closed(context(), authority_, {.cluster_id = "c1", .address = "", .advice = "type this"});
  expect_says(loop_.run(closed.invite({}, {})).error(), Code::kFailedPrecondition, "type this");
}

TEST_F(JoinServiceTest, WhoIsInvitedBecomesANode) {
  const auto joined = join(invite(), key_).value();
  EXPECT_EQ(joined.cluster_id(), "c1");
  EXPECT_EQ(joined.node_name(), "pi");
  const auto node = view().nodes().find("pi");
  ASSERT_TRUE(node);
  EXPECT_EQ(node->spec().labels().at("disk"), "ssd");
  const auto identity = nodes_.authenticate(joined.certificate()).value();
  EXPECT_EQ(identity.name, auth::node_identity(joined.node_uid()));
  EXPECT_EQ(identity.kind, auth::Identity::Kind::kNode);
}

TEST_F(JoinServiceTest, AnInvitationIsGoodOnce) {
  const auto secret = invite();
  join(secret, key_).value();
  expect_says(join(secret, wire::tls::make_key().value()).error(), Code::kFailedPrecondition,
              "used already, by node pi: make a new one with `orchion node invite`");
  // The same machine again: its answer was lost on the way.
  EXPECT_TRUE(join(secret, key_));
  EXPECT_EQ(view().nodes().all().size(), 1u);
}

TEST_F(JoinServiceTest, AnInvitationEnds) {
  const auto secret = invite();
  clock_.advance(minutes(18));
  expect_says(join(secret, key_).error(), Code::kFailedPrecondition, "expired 3 min ago");
  EXPECT_TRUE(view().nodes().all().empty());
  // Long after, nothing of it is kept.
  clock_.advance(hours(25));
  invite();
  EXPECT_EQ(view().tokens().all().size(), 1u);
  expect_says(join(secret, key_).error(), Code::kUnauthenticated, "no such invitation");
}

TEST_F(JoinServiceTest, AWrongClockCostsNoInvitation) {
  const auto secret = invite();
  expect_says(join(secret, key_, hours(3)).error(), Code::kFailedPrecondition, "3 h ahead of the server's");
  expect_says(join(secret, key_, -hours(72)).error(), Code::kFailedPrecondition, "3 days behind the server's");
  EXPECT_TRUE(join(secret, key_, minutes(3)));
}

TEST_F(JoinServiceTest, NonsenseIsRefused) {
  EXPECT_EQ(join("mfrgg", key_).error().code, Code::kUnauthenticated);
  v1::JoinRequest request;
  request.set_secret(invite());
  request.set_request("no request");
  EXPECT_EQ(loop_.run(service_.join({}, request)).error().code, Code::kInvalidArgument);
  request.set_hostname(std::string(5000, 'x'));
  EXPECT_EQ(loop_.run(service_.join({}, request)).error().code, Code::kInvalidArgument);
}

TEST_F(JoinServiceTest, AKeyThatIsKnownRenewsHoweverLongItWasAway) {
  const auto joined = join(invite(), key_).value();
  clock_.advance(hours(24 * 40));
  const auto renewed = renew(key_).value();
  EXPECT_EQ(nodes_.authenticate(renewed.certificate())->name, auth::node_identity(joined.node_uid()));
  EXPECT_TRUE(
      wire::tls::verify(renewed.certificate(), authority_.certificate(), wire::tls::Role::kClient, clock_.wall()));
  EXPECT_EQ(renew(wire::tls::make_key().value()).error().code, Code::kUnauthenticated);
}

TEST_F(JoinServiceTest, ARemovedNodeIsAStranger) {
  const auto joined = join(invite(), key_).value();
  store::Transaction transaction;
  store::remove(transaction, *view().nodes().find("pi"));
  commit(std::move(transaction));
  expect_says(nodes_.authenticate(joined.certificate()).error(), Code::kUnauthenticated, "runs on");
  v1::Event removal;
  removal.mutable_meta()->set_name("e1");
  removal.set_reason("NodeRemoved");
  removal.set_subject_uid(joined.node_uid());
  store::Transaction told;
  store::create(told, removal);
  commit(std::move(told));
  expect_says(nodes_.authenticate(joined.certificate()).error(), Code::kNotFound, "removed from the cluster");
  EXPECT_EQ(renew(key_).error().code, Code::kUnauthenticated);
}

TEST_F(JoinServiceTest, AKeyMakesOneInvitationWhoseTokenIsToldOnce) {
  core::CallContext call;
  call.identity = "admin";
  call.idempotency_key = "k1";
  const auto first = loop_.run(service_.invite(call, {}));
  ASSERT_TRUE(first) << first.error().message;
  const auto again = loop_.run(service_.invite(call, {}));
  ASSERT_FALSE(again);
  expect_says(again.error(), Code::kAlreadyExists, "ask again with a new key");
  EXPECT_EQ(view().tokens().all().size(), 1u);
  call.identity = "other";
  EXPECT_TRUE(loop_.run(service_.invite(call, {}))) << "a key is its caller's";
  call.idempotency_key = "with space";
  const auto odd = loop_.run(service_.invite(call, {}));
  ASSERT_FALSE(odd);
  EXPECT_EQ(odd.error().code, Code::kInvalidArgument);
  EXPECT_TRUE(join(core::parse_join_token(first->token())->secret, wire::tls::make_key().value()))
      << "the first token is good all the same";
}

TEST_F(JoinServiceTest, OfTwoCallsWithOneKeyAtOnceOneHasTheToken) {
  core::CallContext call;
  call.idempotency_key = "k1";
  const auto one = loop_.start(service_.invite(call, {}));
  const auto two = loop_.start(service_.invite(call, {}));
  const auto first = loop_.wait(one);
  const auto second = loop_.wait(two);
  EXPECT_NE(first.has_value(), second.has_value());
  EXPECT_EQ((first ? second : first).error().code, Code::kAlreadyExists);
  EXPECT_EQ(view().tokens().all().size(), 1u);
}

TEST_F(JoinServiceTest, ADryRunInvitesNobody) {
  v1::InviteNodeRequest request;
  request.set_dry_run(true);
  const auto would = loop_.run(service_.invite({}, request));
  ASSERT_TRUE(would) << would.error().message;
  EXPECT_EQ(would->address(), "192.0.2.1:4603");
  EXPECT_TRUE(would->token().empty());
  EXPECT_TRUE(would->has_expires_at());
  EXPECT_TRUE(view().tokens().all().empty());
}

}  // namespace
}  // namespace orchion::control::services
