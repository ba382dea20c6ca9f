#include "node/agent/image_fetcher.h"

#include <fmt/core.h>

#include "base/timeout.h"

namespace orchion::node::agent {

namespace {

constexpr auto kDialLimit = std::chrono::seconds(10);

// Between two pieces.
constexpr auto kPieceLimit = std::chrono::seconds(60);

base::Co<std::optional<v1::StreamToAgent>> next_message(std::shared_ptr<DataStream> stream) {
  co_return co_await stream->receive();
}

// The pieces of the archive; an empty one ends it.
class Download final : public images::ByteSource {
 public:
  Download(std::shared_ptr<DataStream> stream, base::Clock& clock) : stream_(std::move(stream)), clock_(clock) {}

  base::Co<std::optional<std::string>> read() override {
    if (ended_) co_return std::optional<std::string>();
    CO_ASSIGN_OR_RETURN(
        auto message, co_await base::with_timeout(clock_, kPieceLimit, "waiting for the image", next_message(stream_)));
    if (!message)
      co_return base::fail(base::Code::kUnavailable, "the image was cut off on its way from the other node");
    ended_ = message->data().empty();
    if (ended_) co_return std::optional<std::string>();
    co_return std::optional<std::string>(std::move(*message->mutable_data()));
  }

 private:
  std::shared_ptr<DataStream> stream_;
  base::Clock& clock_;
  bool ended_ = false;
};

}  // namespace

base::Co<images::ImageRecord> ImageFetcher::fetch(std::string reference, std::string digest) {
  while (busy_.contains(reference)) CO_RETURN_IF_ERROR(co_await changed_.wait());
  // Somebody else's wish may have brought it meanwhile.
  CO_ASSIGN_OR_RETURN(auto present, co_await images_.find(reference));
  if (present && images::is_pinned_to(*present, digest)) co_return std::move(*present);
  struct Busy {
    ImageFetcher& fetcher;
    std::string reference;
    ~Busy() {
      fetcher.busy_.erase(reference);
      fetcher.changed_.notify();
    }
  };
  busy_.insert(reference);
  const Busy busy{*this, reference};
  co_return co_await fetch_now(reference, digest);
}

base::Co<images::ImageRecord> ImageFetcher::fetch_now(std::string reference, std::string digest) {
  CO_ASSIGN_OR_RETURN(auto dialled,
                      co_await base::with_timeout(clock_, kDialLimit, "asking for an image", link_.open_stream()));
  std::shared_ptr<DataStream> stream = std::move(dialled);
  v1::StreamFromAgent first;
  first.mutable_fetch()->set_reference(reference);
  first.mutable_fetch()->set_digest(digest);
  CO_RETURN_IF_ERROR(co_await stream->send(std::move(first)));
  stream->finish();
  auto archive = std::make_shared<Download>(stream, clock_);
  CO_ASSIGN_OR_RETURN(auto image, co_await images_.import(reference, std::move(archive)));
  if (!images::is_pinned_to(image, digest))
    co_return base::fail(base::Code::kDataLoss,
                         fmt::format("another node's {} is {}, not {}", reference, image.pin, digest));
  co_return image;
}

}  // namespace orchion::node::agent
