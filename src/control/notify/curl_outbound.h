#pragma once

#include <atomic>
#include <chrono>
#include <string>

#include "control/notify/outbound.h"

namespace orchion::control::notify {

struct CurlOptions {
  std::chrono::milliseconds limit{20'000};  // of a message, from its beginning to its end
  std::chrono::milliseconds connect_limit{10'000};
  std::string authorities;  // a file of certificates to trust; empty: the machine's own
};

// Sends by libcurl. Certificates are verified, redirections not followed, proxies not used; the address that is really
// connected to is checked. Stateless but for stop().
class CurlOutbound final : public Outbound {
 public:
  explicit CurlOutbound(CurlOptions options = {}) : options_(std::move(options)) {}

  base::Result<> send(const OutboundMessage& message) override;
  void stop() override { stopped_ = true; }

 private:
  CurlOptions options_;
  std::atomic<bool> stopped_ = false;
};

}  // namespace orchion::control::notify
