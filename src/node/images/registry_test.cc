#include <cstdlib>

#include <boost/asio/detached.hpp>

#include "node/images/registry_lab.h"

namespace orchion::node::images {
namespace {

namespace fs = std::filesystem;
using RegistryTest = ImageStoreTest;

TEST_F(RegistryTest, PushesToARegistryAndPullsTheSameBack) {
  Registry registry(Registry::Access::kOpen);
  const auto name = registry.host() + "/team/box:1";
  const auto pushed = import("box", busybox_root()).value();
  const auto done = run(io_, images_->push("box", name, true));
  ASSERT_TRUE(done.has_value()) << done.error().message;
  ASSERT_TRUE(run(io_, images_->remove("box")).has_value());
  expect_empty();

  const auto pulled = run(io_, images_->ensure(name));
  ASSERT_TRUE(pulled.has_value()) << pulled.error().message;
  EXPECT_EQ(pulled->digest, pushed.digest);
  EXPECT_EQ(pulled->layers, pushed.layers);
  EXPECT_TRUE(fs::exists(pulled->layers[0] / "bin/busybox"));
  EXPECT_EQ(count(store() / "temp"), 0u);

  const auto by_digest = run(io_, images_->pull(registry.host() + "/team/box@" + pushed.digest));
  ASSERT_TRUE(by_digest.has_value()) << by_digest.error().message;
  EXPECT_EQ(by_digest->digest, pushed.digest);
  EXPECT_EQ(by_digest->layers, pushed.layers);

  const auto missing = run(io_, images_->ensure(registry.host() + "/team/none"));
  EXPECT_EQ(missing.error().code, base::Code::kNotFound);
  EXPECT_EQ(missing.error().message, "no registry has " + registry.host() +
                                         "/team/none:latest: check the name, or import "
                                         "it with `orchion image import FILE " +
                                         registry.host() + "/team/none:latest`");
  EXPECT_EQ(run(io_, images_->pull(registry.host() + "/team/box:2")).error().code, base::Code::kNotFound);
  EXPECT_EQ(run(io_, images_->push("nothing", name, true)).error().code, base::Code::kNotFound);

  registry.stop();
  const auto down = run(io_, images_->pull(name));
  EXPECT_EQ(down.error().code, base::Code::kUnavailable) << down.error().message;
  EXPECT_TRUE(run(io_, images_->ensure(name)).has_value()) << "what is here needs no registry";
  EXPECT_EQ(run(io_, images_->push(name, name, true)).error().code, base::Code::kUnavailable);
}

base::Co<> pull_into(Images& images, std::string name, std::vector<base::Result<ImageRecord>>& results) {
  results.push_back(co_await images.pull(std::move(name)));
  co_return base::Result<>{};
}

TEST_F(RegistryTest, ConcurrentPullsOfOneImageShareIt) {
  Registry registry(Registry::Access::kOpen);
  const auto name = registry.host() + "/box:1";
  ASSERT_TRUE(import("box", small_root("x")).has_value());
  ASSERT_TRUE(run(io_, images_->push("box", name, true)).has_value());
  ASSERT_TRUE(run(io_, images_->pull(name)).has_value());
  const int requests = registry.requests("/manifests/");
  EXPECT_GE(requests, 1);
  ASSERT_TRUE(run(io_, images_->remove(name)).has_value());
  std::vector<base::Result<ImageRecord>> results;
  for (int i = 0; i < 5; ++i) boost::asio::co_spawn(io_, pull_into(*images_, name, results), boost::asio::detached);
  io_.restart();
  const auto guard = boost::asio::make_work_guard(io_);
  while (results.size() < 5) io_.run_one();
  for (const auto& result : results) {
    ASSERT_TRUE(result.has_value()) << result.error().message;
    EXPECT_EQ(result->digest, results[0]->digest);
  }
  EXPECT_EQ(registry.requests("/manifests/"), 2 * requests) << "one download for all five";
}

TEST_F(RegistryTest, FindsCredentialsWhereSkopeoKeepsThem) {
  Registry registry(Registry::Access::kPassword);
  const auto name = registry.host() + "/secret:1";
  ASSERT_TRUE(import("box", small_root("x")).has_value());
  const auto auth_file = folder_ / "auth.json";
  ASSERT_TRUE(base::write_file(auth_file, "{}").has_value());
  ASSERT_EQ(::setenv("REGISTRY_AUTH_FILE", auth_file.c_str(), 1), 0);
  const auto refused_push = run(io_, images_->push("box", name, true));
  EXPECT_EQ(refused_push.error().code, base::Code::kPermissionDenied) << refused_push.error().message;
  const auto refused_pull = run(io_, images_->pull(name));
  EXPECT_EQ(refused_pull.error().code, base::Code::kPermissionDenied) << refused_pull.error().message;
  EXPECT_NE(refused_pull.error().message.find("orchion image login"), std::string::npos);

  ASSERT_TRUE(base::write_file(auth_file, R"({"auths":{")" + registry.host() + R"(":{"auth":"YWxpY2U6d29uZGVy"}}})")
                  .has_value());
  const auto pushed = run(io_, images_->push("box", name, true));
  EXPECT_TRUE(pushed.has_value()) << pushed.error().message;
  const auto pulled = run(io_, images_->pull(name));
  EXPECT_TRUE(pulled.has_value()) << pulled.error().message;
  ASSERT_EQ(::unsetenv("REGISTRY_AUTH_FILE"), 0);
}

}  // namespace
}  // namespace orchion::node::images
