#include "node/images/fetch_attempts.h"

namespace orchion::node::images {

std::optional<base::Duration> FetchAttempts::after_failure(std::size_t layers) {
  if (layers > layers_) {
    layers_ = layers;
    fruitless_ = 0;
    return limits_.pause;
  }
  if (++fruitless_ >= limits_.fruitless_attempts_max) return std::nullopt;
  return limits_.pause * (1 << (fruitless_ - 1));
}

}  // namespace orchion::node::images
