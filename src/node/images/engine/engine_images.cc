#include "node/images/engine/engine_images.h"

#include <fmt/core.h>

#include "core/image_reference.h"
#include "node/images/digest.h"
#include "node/images/docker_archive.h"

namespace orchion::node::images::engine {

namespace {

using base::Co;
using base::Code;
using base::Result;
using node::engine::EngineClient;
using node::engine::EngineImage;

// Only what it pulled: of what was loaded an engine knows no digest that others know.
std::string pin_of(const std::string& reference, const std::vector<std::string>& digests) {
  const auto wanted = core::parse_image_reference(reference);
  for (const auto& digest : digests) {
    const auto known = core::parse_image_reference(digest);
    if (wanted && known && known->name() == wanted->name()) return known->digest;
  }
  return "";
}

ImageRecord to_record(std::string reference, EngineImage image) {
  ImageRecord record;
  record.reference = std::move(reference);
  record.digest = std::move(image.id);
  record.pin = pin_of(record.reference, image.digests);
  record.architecture = std::move(image.architecture);
  record.size_bytes = image.size_bytes;
  record.created_at = image.created_at;
  record.config = {.entrypoint = std::move(image.entrypoint),
                   .command = std::move(image.command),
                   .environment = std::move(image.environment),
                   .working_dir = std::move(image.working_dir),
                   .user = std::move(image.user),
                   .stop_signal = std::move(image.stop_signal),
                   .volumes = std::move(image.volumes),
                   .labels = std::move(image.labels),
                   .health_check = std::move(image.health_check)};
  return record;
}

// What an image is called that was loaded. An engine takes no name by digest that no registry told it.
Result<std::string> loaded_name(const std::string& normal) {
  ASSIGN_OR_RETURN(const auto reference, core::parse_image_reference(normal));
  if (reference.digest.empty()) return normal;
  return reference.name() + ":sha256-" + digest_hex(reference.digest);
}

// The one as the other.
class Upload final : public wire::BodyReader {
 public:
  explicit Upload(std::shared_ptr<ByteSource> source) : source_(std::move(source)) {}
  Co<std::optional<std::string>> read() override { return source_->read(); }

 private:
  std::shared_ptr<ByteSource> source_;
};
class Download final : public ByteSource {
 public:
  Download(std::shared_ptr<EngineClient> client, std::unique_ptr<wire::BodyReader> body)
      : client_(std::move(client)), body_(std::move(body)) {}
  Co<std::optional<std::string>> read() override { return body_->read(); }

 private:
  std::shared_ptr<EngineClient> client_;  // whose connection it is
  std::unique_ptr<wire::BodyReader> body_;
};

}  // namespace

struct EngineImages::Fetch {
  Fetch(std::shared_ptr<std::map<std::string, std::shared_ptr<base::Notifier>>> all, std::string name)
      : fetches(std::move(all)), normal(std::move(name)) {}
  ~Fetch() {
    const auto found = fetches->find(normal);
    const auto done = found->second;
    fetches->erase(found);
    done->notify();
  }
  std::shared_ptr<std::map<std::string, std::shared_ptr<base::Notifier>>> fetches;
  std::string normal;
};

EngineImages::EngineImages(base::Executor executor, base::Clock& clock, std::filesystem::path socket, Images& own)
    : client_(std::make_shared<EngineClient>(executor, clock, std::move(socket))),
      own_(own),
      fetches_(std::make_shared<std::map<std::string, std::shared_ptr<base::Notifier>>>()),
      executor_(std::move(executor)) {}

EngineImages::~EngineImages() = default;

Co<std::unique_ptr<EngineImages::Fetch>> EngineImages::begin(std::string normal) {
  while (true) {
    const auto found = fetches_->find(normal);
    if (found == fetches_->end()) break;
    const auto other = found->second;
    CO_RETURN_IF_ERROR(co_await other->wait());
  }
  fetches_->emplace(normal, std::make_shared<base::Notifier>(executor_));
  co_return std::make_unique<Fetch>(fetches_, std::move(normal));
}

Co<std::optional<ImageRecord>> EngineImages::find_normal(std::string normal) {
  CO_ASSIGN_OR_RETURN(auto image, co_await client_->inspect_image(normal));
  if (!image) {
    CO_ASSIGN_OR_RETURN(auto loaded, loaded_name(normal));
    if (loaded != normal) {
      CO_ASSIGN_OR_RETURN(image, co_await client_->inspect_image(std::move(loaded)));
    }
  }
  if (!image) co_return std::optional<ImageRecord>();
  co_return std::optional<ImageRecord>(to_record(std::move(normal), *std::move(image)));
}

Co<std::optional<ImageRecord>> EngineImages::find(std::string reference) {
  CO_ASSIGN_OR_RETURN(auto normal, core::normalise_image(reference));
  co_return co_await find_normal(std::move(normal));
}

Co<std::optional<ImageRecord>> EngineImages::load_own(std::string normal) {
  CO_ASSIGN_OR_RETURN(const auto mine, co_await own_.find(normal));
  if (!mine) co_return std::optional<ImageRecord>();
  CO_ASSIGN_OR_RETURN(auto bytes, co_await own_.export_image(normal));
  CO_ASSIGN_OR_RETURN(auto name, loaded_name(normal));
  const auto archive = std::make_shared<DockerArchive>(std::move(bytes), std::move(name));
  CO_RETURN_IF_ERROR(co_await client_->load_image(std::make_shared<Upload>(archive)));
  CO_ASSIGN_OR_RETURN(auto image, co_await client_->inspect_image(archive->config_digest()));
  if (!image)
    co_return base::fail(Code::kInternal,
                         fmt::format("{} took image {} and does not have it: see its log", client_->name(), normal));
  co_return std::optional<ImageRecord>(to_record(std::move(normal), *std::move(image)));
}

Co<ImageRecord> EngineImages::pull_normal(std::string normal) {
  const auto shown = own_.pull_board().begin(normal);
  auto on_progress = [entry = shown.get()](std::uint64_t done, std::uint64_t total) { entry->set(done, total); };
  CO_RETURN_IF_ERROR(co_await client_->pull_image(normal, std::move(on_progress)));
  shown->complete();
  CO_ASSIGN_OR_RETURN(auto image, co_await find_normal(normal));
  if (image) co_return *std::move(image);
  co_return base::fail(Code::kNotFound,
                       fmt::format("{} pulled image {} and does not have it: see whether it is made for "
                                   "this machine",
                                   client_->name(), normal));
}

Co<ImageRecord> EngineImages::ensure(std::string reference) {
  CO_ASSIGN_OR_RETURN(const auto normal, core::normalise_image(reference));
  CO_ASSIGN_OR_RETURN(const auto fetch, co_await begin(normal));
  CO_ASSIGN_OR_RETURN(auto image, co_await find_normal(normal));
  if (!image) {
    CO_ASSIGN_OR_RETURN(image, co_await load_own(normal));
  }
  if (image) co_return *std::move(image);
  co_return co_await pull_normal(normal);
}

Co<ImageRecord> EngineImages::pull(std::string reference) {
  CO_ASSIGN_OR_RETURN(const auto normal, core::normalise_image(reference));
  CO_ASSIGN_OR_RETURN(const auto fetch, co_await begin(normal));
  co_return co_await pull_normal(normal);
}

Co<std::shared_ptr<ByteSource>> EngineImages::save(std::string reference) {
  CO_ASSIGN_OR_RETURN(const auto normal, core::normalise_image(reference));
  CO_ASSIGN_OR_RETURN(const auto found, co_await find_normal(normal));
  if (!found) co_return base::fail(Code::kNotFound, fmt::format("{} has no image {}", client_->name(), reference));
  CO_ASSIGN_OR_RETURN(auto body, co_await client_->save_image(normal));
  std::shared_ptr<ByteSource> archive = std::make_shared<Download>(client_, std::move(body));
  co_return archive;
}

}  // namespace orchion::node::images::engine
