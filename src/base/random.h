#pragma once

#include <cstdint>
#include <string>

namespace orchion::base {

// A seeded generator (xoshiro256**, https://prng.di.unimi.it/): the same seed gives the same run. For
// jitter, choices and names. Secrets come from the operating system instead.
class Random {
 public:
  explicit Random(std::uint64_t seed);

  // Seeded by the operating system.
  static Random from_system();

  std::uint64_t next();

  // Uniform in [0, bound); bound > 0.
  std::uint64_t below(std::uint64_t bound);

  // Uniform in [0, 1).
  double unit();

  // `length` characters of a-z2-7 (RFC 4648 base32, lower case), 5 bits each.
  std::string text(std::size_t length);

 private:
  std::uint64_t state_[4];
};

// A new object's uid: 26 characters, 130 random bits. Starts with a letter, so that it is a DNS label and
// the name of a Linux cgroup, namespace and file as it is.
std::string new_uid(Random& random);

}  // namespace orchion::base
