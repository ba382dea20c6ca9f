#include "node/images/image_collector.h"

#include "base/log.h"

namespace orchion::node::images {

namespace {

constexpr auto kInterval = std::chrono::minutes(10);

}  // namespace

base::Co<> keep_collecting(ImageStore* store, base::Clock* clock, CollectionLimits limits) {
  while (true) {
    CO_RETURN_IF_ERROR(co_await clock->sleep(kInterval));
    const auto collected = co_await store->collect(limits);
    if (!collected && collected.error().code == base::Code::kCancelled) co_return std::unexpected(collected.error());
    if (!collected) {
      base::log::warn("unused images are kept: {}", collected.error().message);
      continue;
    }
    for (const auto& reference : collected->references) base::log::info("the image {} is no longer kept", reference);
    if (!collected->references.empty()) base::log::info("{} bytes of images are freed", collected->freed_bytes);
  }
}

}  // namespace orchion::node::images
