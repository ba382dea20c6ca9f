#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"

namespace orchion::control::store {

// "etcd://HOST:PORT,HOST:PORT/prefix" as people write it. Pure.
struct EtcdAddress {
  std::vector<std::string> endpoints;  // "HOST:PORT"; 2379 where there is none
  std::string prefix = "/orchion";

  // Nobody but this machine can be reached by them.
  bool only_loopback() const;

  bool operator==(const EtcdAddress&) const = default;
};

inline bool is_etcd_address(std::string_view text) {
  return text.starts_with("etcd://");
}

// kInvalidArgument names the part that is wrong.
base::Result<EtcdAddress> parse_etcd_address(std::string_view text);

}  // namespace orchion::control::store
