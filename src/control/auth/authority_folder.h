#pragma once

#include <filesystem>
#include <string>

#include "base/clock.h"
#include "base/error.h"

namespace orchion::control::auth {

// Clocks of different machines are never quite the same: certificates begin so much earlier.
constexpr auto kBackdated = std::chrono::minutes(5);

struct AuthorityPlan {
  std::string common_name;
  std::string consequence;  // of losing it: "every node must join again"
};

struct Authority {
  std::string key;          // PEM; a secret
  std::string certificate;  // PEM
  std::string fingerprint;  // SHA-256, hexadecimal
  base::WallTime not_after;
};

// The key and certificate in this folder, made on first use and good for ten years. Blocks for a few small files.
// kFailedPrecondition: others may read the key, or the two don't fit.
base::Result<Authority> open_authority(const std::filesystem::path& folder, const AuthorityPlan& plan,
                                       base::WallTime now);

}  // namespace orchion::control::auth
