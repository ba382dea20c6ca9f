#include "node/agent/image_reporter.h"

#include "base/log.h"
#include "core/timestamps.h"

namespace orchion::node::agent {

namespace {
constexpr auto kRetryDelay = std::chrono::seconds(5);
}

v1::Image to_message(const images::ImageRecord& record) {
  v1::Image image;
  image.mutable_meta()->set_name(record.reference);
  image.mutable_status()->set_digest(record.digest);
  image.mutable_status()->set_pin(record.pin);
  image.mutable_status()->set_size_bytes(record.size_bytes);
  image.mutable_status()->set_architecture(record.architecture);
  *image.mutable_status()->mutable_created_at() = core::to_timestamp(record.created_at);
  return image;
}

void ImageReporter::look_again() {
  changed_.notify();
}

void ImageReporter::present(const std::string& digest) {
  if (!digests_.contains(digest)) look_again();
}

base::Co<> ImageReporter::run() {
  while (true) {
    const auto seen = changed_.count();
    auto records = co_await images_.list();
    if (!records) {
      base::log::warn("cannot list the images: {}", records.error().message);
      CO_RETURN_IF_ERROR(co_await clock_.sleep(kRetryDelay));
      continue;
    }
    v1::NodeImages images;
    digests_.clear();
    for (const auto& record : *records) {
      *images.add_images() = to_message(record);
      digests_.insert(record.digest);
    }
    auto bytes = images.SerializeAsString();
    if (bytes != told_) outbox_.put_images(std::move(images));
    told_ = std::move(bytes);
    CO_RETURN_IF_ERROR(co_await changed_.wait(seen));
  }
}

}  // namespace orchion::node::agent
