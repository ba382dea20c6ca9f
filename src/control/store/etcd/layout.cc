#include "control/store/etcd/layout.h"

namespace orchion::control::store {

KeyRange keys_below(std::string prefix) {
  KeyRange range{prefix, prefix};
  while (!range.end.empty() && range.end.back() == '\xff') range.end.pop_back();
  if (!range.end.empty()) range.end.back() = static_cast<char>(static_cast<unsigned char>(range.end.back()) + 1);
  return range;
}

KeyRange EtcdLayout::entries(std::string_view key_prefix) const {
  return keys_below(entry(key_prefix));
}

}  // namespace orchion::control::store
