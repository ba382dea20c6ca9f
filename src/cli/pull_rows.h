#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>

#include "base/clock.h"
#include "client/api_client.h"
#include "v1/control.pb.h"

namespace orchion::cli {

// What nodes have said about their pulls, in words. Pure.
class PullRows {
 public:
  void put(const v1::PullProgress& progress, base::Time now);

  // "pulling 12.3 of 45.0 MB  2.1 MB/s" of an image, by whatever tag or digest; empty where nobody pulls it. `node`
  // empty: what all nodes are at together.
  std::string text(const std::string& image, const std::string& node) const;

 private:
  struct Pull {
    std::uint64_t done_bytes = 0;
    std::uint64_t total_bytes = 0;
    double bytes_per_second = 0;
    base::Time at;
  };
  std::map<std::pair<std::string, std::string>, Pull> pulls_;  // by repository and node
};

using OnPull = std::function<void(const v1::PullProgress&)>;

// Hands everything that nodes say about their pulls to `take` until it is cancelled, over restarts of the server.
// A server that doesn't know how is left alone.
base::Co<> read_pulls(std::shared_ptr<client::ApiClient> api, base::Clock* clock, OnPull take);

}  // namespace orchion::cli
