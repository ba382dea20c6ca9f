#include "control/auth/token_authenticator.h"

#include <optional>

#include <gtest/gtest.h>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>

#include "base/file.h"
#include "base/random.h"
#include "control/auth/token_text.h"
#include "control/store/memory/memory_store.h"

namespace orchion::control::auth {
namespace {

using base::Code;

TEST(TokenText, IsRandomAndRecognised) {
  const auto token = make_token().value();
  EXPECT_EQ(token.size(), 4u + 52u);
  EXPECT_TRUE(is_token(token));
  EXPECT_NE(token, make_token().value());
  for (const std::string& text : {std::string(), token + "a", token.substr(1), token.substr(0, 55),
                                  "ORC_" + token.substr(4), token.substr(0, 55) + "1", token.substr(0, 55) + "\n"}) {
    EXPECT_FALSE(is_token(text));
  }
}

TEST(TokenText, HashesAsTheStandardSays) {
  // FIPS 180-2, the example "abc".
  const std::string expected(
      "\xba\x78\x16\xbf\x8f\x01\xcf\xea\x41\x41\x40\xde\x5d\xae\x22\x23"
      "\xb0\x03\x61\xa3\x96\x17\x7a\x9c\xb4\x10\xff\x61\xf2\x00\x15\xad",
      32);
  EXPECT_EQ(hash_token("abc"), expected);
  EXPECT_TRUE(equal_hashes(expected, hash_token("abc")));
  EXPECT_FALSE(equal_hashes(expected, hash_token("abd")));
  EXPECT_FALSE(equal_hashes(expected, ""));
}

class TokenAuthenticatorTest : public testing::Test {
 protected:
  TokenAuthenticatorTest()
      : memory_(io_.get_executor(), "e1"),
        objects_(io_.get_executor(), memory_),
        authenticator_(objects_, clock_, folder_) {
    base::make_folders(folder_).value();
    run(objects_.start()).value();
  }
  ~TokenAuthenticatorTest() override {
    run(objects_.shutdown()).value();
    std::filesystem::remove_all(folder_);
  }

  template <class T>
  base::Result<T> run(base::Co<T> coroutine) {
    std::optional<base::Result<T>> outcome;
    boost::asio::co_spawn(io_, std::move(coroutine),
                          [&outcome](std::exception_ptr, base::Result<T> result) { outcome = std::move(result); });
    io_.restart();
    while (!outcome && io_.run_one() > 0) {
    }
    return outcome ? std::move(*outcome) : base::fail(Code::kInternal, "the loop has nothing left to do");
  }

  std::string token_in(const std::string& file) {
    auto text = base::read_file(folder_ / file).value();
    text.pop_back();
    return text;
  }

  void remove_admin() {
    store::Transaction transaction;
    store::remove(transaction, *objects_.view().tokens().find("admin"));
    run(objects_.commit(std::move(transaction))).value();
  }

  void add_token(const std::string& identity, const std::string& text) {
    v1::Token token;
    token.mutable_meta()->set_name("another");
    token.mutable_spec()->set_identity(identity);
    token.mutable_spec()->set_hash(hash_token(text));
    token.mutable_spec()->add_permissions("stacks.read");
    store::Transaction transaction;
    store::create(transaction, token);
    run(objects_.commit(std::move(transaction))).value();
  }

  static std::filesystem::path new_folder() {
    auto random = base::Random::from_system();
    return std::filesystem::temp_directory_path() / ("orchion-auth-" + random.text(12));
  }

  boost::asio::io_context io_;
  base::ManualClock clock_;
  std::filesystem::path folder_ = new_folder();
  store::MemoryStore memory_;
  store::ObjectStore objects_;
  TokenAuthenticator authenticator_;
};

TEST_F(TokenAuthenticatorTest, TheFirstRunMakesATokenThatOnlyItsFileHolds) {
  const auto path = run(authenticator_.ensure_admin_token()).value();
  EXPECT_EQ(path, folder_ / "admin-token");
  EXPECT_EQ(std::filesystem::status(path).permissions(),
            std::filesystem::perms::owner_read | std::filesystem::perms::owner_write);
  const auto token = token_in("admin-token");
  EXPECT_EQ(authenticator_.authenticate(token).value(), (Identity{Identity::Kind::kUser, "admin", {"*"}}));
  const auto stored = run(memory_.list("")).value();
  for (const auto& entry : stored.entries) {
    EXPECT_EQ(entry.value.find(token), std::string::npos) << entry.key;
    EXPECT_EQ(entry.value.find(token.substr(4)), std::string::npos) << entry.key;
  }
  EXPECT_FALSE(std::filesystem::exists(folder_ / "admin-token.new"));
}

TEST_F(TokenAuthenticatorTest, LaterRunsKeepIt) {
  run(authenticator_.ensure_admin_token()).value();
  const auto token = token_in("admin-token");
  run(authenticator_.ensure_admin_token()).value();
  EXPECT_EQ(token_in("admin-token"), token);
  EXPECT_TRUE(authenticator_.authenticate(token));
}

TEST_F(TokenAuthenticatorTest, NobodyElseIsIdentified) {
  run(authenticator_.ensure_admin_token()).value();
  for (const std::string& text : {std::string(), std::string("orc_"), make_token().value(), std::string(5000, 'a')}) {
    const auto identity = authenticator_.authenticate(text);
    ASSERT_FALSE(identity);
    EXPECT_EQ(identity.error().code, Code::kUnauthenticated);
    EXPECT_NE(identity.error().message.find("admin-token"), std::string::npos) << "what to do";
  }
}

TEST_F(TokenAuthenticatorTest, ARemovedTokenStopsWorkingAtOnce) {
  run(authenticator_.ensure_admin_token()).value();
  const auto token = token_in("admin-token");
  remove_admin();
  EXPECT_EQ(authenticator_.authenticate(token).error().code, Code::kUnauthenticated);
}

TEST_F(TokenAuthenticatorTest, AStoreBegunAnewAdoptsTheFilesToken) {
  run(authenticator_.ensure_admin_token()).value();
  const auto token = token_in("admin-token");
  remove_admin();
  run(authenticator_.ensure_admin_token()).value();
  EXPECT_EQ(token_in("admin-token"), token);
  EXPECT_TRUE(authenticator_.authenticate(token));
}

TEST_F(TokenAuthenticatorTest, AFileThatOthersCanReadIsRefused) {
  base::write_file(folder_ / "admin-token", make_token().value() + "\n", 0644).value();
  EXPECT_EQ(run(authenticator_.ensure_admin_token()).error().code, Code::kFailedPrecondition);
  base::write_file(folder_ / "admin-token", "hunter2\n", 0600).value();
  EXPECT_EQ(run(authenticator_.ensure_admin_token()).error().code, Code::kFailedPrecondition);
  EXPECT_TRUE(objects_.view().tokens().all().empty());
}

TEST_F(TokenAuthenticatorTest, RotationReplacesALostFile) {
  run(authenticator_.ensure_admin_token()).value();
  const auto old = token_in("admin-token");
  std::filesystem::remove(folder_ / "admin-token");
  run(authenticator_.ensure_admin_token()).value();
  EXPECT_FALSE(std::filesystem::exists(folder_ / "admin-token")) << "only when asked to";
  EXPECT_TRUE(authenticator_.authenticate(old));

  EXPECT_EQ(run(authenticator_.rotate_admin_token()).value(), folder_ / "admin-token");
  EXPECT_FALSE(authenticator_.authenticate(old));
  EXPECT_TRUE(authenticator_.authenticate(token_in("admin-token")));
  EXPECT_EQ(objects_.view().tokens().all().size(), 1u);
}

TEST_F(TokenAuthenticatorTest, ARotationCutShortBeforeTheHashChangesNothing) {
  run(authenticator_.ensure_admin_token()).value();
  const auto token = token_in("admin-token");
  base::write_file(folder_ / "admin-token.new", make_token().value() + "\n", 0600).value();
  run(authenticator_.ensure_admin_token()).value();
  EXPECT_FALSE(std::filesystem::exists(folder_ / "admin-token.new"));
  EXPECT_TRUE(authenticator_.authenticate(token));
}

TEST_F(TokenAuthenticatorTest, ARotationCutShortAfterTheHashIsFinished) {
  run(authenticator_.ensure_admin_token()).value();
  const auto token = token_in("admin-token");
  std::filesystem::rename(folder_ / "admin-token", folder_ / "admin-token.new");
  base::write_file(folder_ / "admin-token", make_token().value() + "\n", 0600).value();
  run(authenticator_.ensure_admin_token()).value();
  EXPECT_EQ(token_in("admin-token"), token);
  EXPECT_FALSE(std::filesystem::exists(folder_ / "admin-token.new"));
}

TEST_F(TokenAuthenticatorTest, KnowsNodesAndUsersByTheirIdentity) {
  run(authenticator_.ensure_admin_token()).value();
  const auto text = make_token().value();
  add_token("node:pi", text);
  EXPECT_EQ(authenticator_.authenticate(text).value(), (Identity{Identity::Kind::kNode, "pi", {"stacks.read"}}));
}

}  // namespace
}  // namespace orchion::control::auth
