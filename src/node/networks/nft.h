#pragma once

// libnftables, in process.

#include <memory>
#include <mutex>
#include <string>

#include "base/error.h"

struct nft_ctx;

namespace orchion::node::networks {

// Works in the network namespace of the thread that made it. Thread-safe; calls block and follow one another.
class Nft {
 public:
  Nft();
  ~Nft();
  Nft(const Nft&) = delete;
  Nft& operator=(const Nft&) = delete;

  // One transaction: all of `commands` or nothing. Returns what a listing prints: protocols as numbers, with handles.
  // An error says what nftables said first.
  base::Result<std::string> run(const std::string& commands);

 private:
  std::mutex mutex_;
  nft_ctx* context_;
};

}  // namespace orchion::node::networks
