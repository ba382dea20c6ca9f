#pragma once

// LinuxNetworks on a machine of its own, for tests.

#include <memory>
#include <string>

#include <gtest/gtest.h>

#include "base/random.h"
#include "base/worker_pool.h"
#include "node/networks/linux_networks.h"
#include "node/networks/network_lab.h"
#include "node/networks/nft.h"

namespace orchion::node::networks::lab {

// What belongs to the loop is made and used from the test's thread, but taken down on the loop, where its coroutines
// run.
class NetworksTest : public testing::Test {
 protected:
  NetworksTest() { renew(); }
  ~NetworksTest() override {
    loop_.on_loop([&] { networks_.reset(); });
  }

  // As after a crash: what was in memory is gone, the kernel has all.
  void renew() {
    loop_.on_loop([&] { networks_.reset(); });
    networks_ = std::make_unique<LinuxNetworks>(
        loop_.executor(), *workers_, LinuxNetworks::Options{.cluster_short_id = id_, .run_folder = machine_.folder()});
  }

  void expect_ok(base::Co<> coroutine) {
    const auto done = loop_.run(std::move(coroutine));
    EXPECT_TRUE(done.has_value()) << done.error().message;
  }

  static std::string nft(const std::string& command) {
    auto output = Nft().run(command + "\n");
    EXPECT_TRUE(output.has_value()) << output.error().message;
    return output.value_or("");
  }

  Machine machine_;  // first: threads started later are on it
  Loop loop_;
  const std::unique_ptr<base::WorkerPool> workers_ = std::make_unique<base::WorkerPool>(4);
  const std::string id_ = base::Random::from_system().text(6);
  std::unique_ptr<LinuxNetworks> networks_;
};

}  // namespace orchion::node::networks::lab
