#include "node/images/image_store.h"

#include <cerrno>

#include <fcntl.h>
#include <fmt/core.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"
#include "core/image_reference.h"
#include "node/images/archive_import.h"
#include "node/images/digest.h"
#include "node/images/disk_error.h"
#include "node/images/docker_archive.h"
#include "node/images/image_export.h"

namespace orchion::node::images {

namespace fs = std::filesystem;

namespace {

constexpr std::string_view kDirectoryVersion = "Directory Transport Version: 1.1\n";
constexpr std::size_t kSpoolBytes = 1u << 20;

base::Result<ImageRecord> pull_now(std::shared_ptr<ContentStore> store, const core::ImageReference& reference,
                                   const ImageStoreOptions& options, PullBoard::Entry& progress) {
  ASSIGN_OR_RETURN(const auto temp, store->make_temp());
  ContentStore::Lease lease(store);
  auto fetched = fetch_image(options.registry, *store, lease, reference, options.architecture, temp.path(), progress);
  // Errors about registries name the image themselves.
  if (!fetched) return std::unexpected(std::move(fetched).error());
  auto image = import_manifest(std::move(store), fetched->manifest, fetched->files, reference.text(),
                               {options.architecture, options.limits, Origin::kRegistry, fetched->pin});
  if (!image) return std::unexpected(image.error().with_context(reference.text()));
  return image;
}

// The root of a task without a caller: what a library throws ends here.
base::Result<ImageRecord> pull_safely(std::shared_ptr<ContentStore> store, const core::ImageReference& reference,
                                      const ImageStoreOptions& options, PullBoard& board) {
  try {
    const auto progress = board.begin(reference.text());
    return pull_now(std::move(store), reference, options, *progress);
  } catch (const std::exception& e) {
    return base::fail(base::Code::kInternal, fmt::format("cannot pull {}: {}", reference.text(), e.what()));
  }
}

base::Result<> link_blob(const ContentStore& store, const std::string& digest, const fs::path& folder) {
  const auto place = folder / digest_hex(digest);
  if (::link(store.blob_path(digest).c_str(), place.c_str()) != 0 && errno != EEXIST)
    return fail_disk(errno, fmt::format("cannot link {}", digest));
  return {};
}

std::unexpected<base::Error> not_here(const std::string& reference) {
  return base::fail(base::Code::kNotFound,
                    fmt::format("there is no image {} on this node: pull or import it first", reference));
}

// By hand: no registry knows it by this name.
base::Result<ImageRecord> tag_now(std::shared_ptr<ContentStore> store, const std::string& reference,
                                  const std::string& name) {
  ContentStore::Lease lease(store);
  auto image = store->find(reference);
  if (!image) return not_here(reference);
  lease.hold(image->record.digest);
  lease.hold(image->config_digest);
  for (const auto& layer : image->layers) {
    lease.hold(layer.digest);
    lease.hold(layer.diff_id);
  }
  image->record.reference = name;
  image->origin = Origin::kByHand;
  image->used_at = std::chrono::system_clock::now();
  RETURN_IF_ERROR(store->commit(*image));
  return std::move(image->record);
}

base::Result<> push_now(std::shared_ptr<ContentStore> store, const RegistryOptions& registry,
                        const std::string& reference, const core::ImageReference& destination, bool plain_http) {
  ContentStore::Lease lease(store);
  const auto image = store->find(reference);
  if (!image) return not_here(reference);
  lease.hold(image->record.digest);
  lease.hold(image->config_digest);
  for (const auto& layer : image->layers) lease.hold(layer.digest);
  ASSIGN_OR_RETURN(const auto temp, store->make_temp());
  const auto folder = temp.path() / "image";
  RETURN_IF_ERROR(base::make_folders(folder));
  ASSIGN_OR_RETURN(const auto manifest, base::read_file(store->blob_path(image->record.digest), kDocumentBytesMax));
  RETURN_IF_ERROR(base::write_file(folder / "manifest.json", manifest));
  RETURN_IF_ERROR(base::write_file(folder / "version", kDirectoryVersion));
  RETURN_IF_ERROR(link_blob(*store, image->config_digest, folder));
  for (const auto& layer : image->layers) RETURN_IF_ERROR(link_blob(*store, layer.digest, folder));
  return push_image(registry, folder, destination, plain_http, temp.path());
}

}  // namespace

// Shared with what still runs on the workers when the store itself is gone.
struct ImageStore::State {
  base::Executor executor;
  base::WorkerPool& workers;
  ImageStoreOptions options;
  std::shared_ptr<ContentStore> store;
  std::map<std::string, std::shared_ptr<Pull>> pulls;  // by reference
  PullBoard board;

  ImportOptions import_options() const { return {options.architecture, options.limits}; }
};

// One download and all who wait for it. Touched on the executor only.
struct ImageStore::Pull {
  explicit Pull(base::Executor executor) : done(std::move(executor)) {}
  base::Notifier done;
  std::optional<base::Result<ImageRecord>> result;
};

// An archive as it arrives, in a file.
struct ImageStore::Spool {
  explicit Spool(ContentStore::TempFolder folder) : temp(std::move(folder)), path(temp.path() / "archive") {}
  ContentStore::TempFolder temp;
  fs::path path;
  base::UniqueFd file;
  std::int64_t bytes = 0;

  base::Result<> append(std::string_view data) {
    while (!data.empty()) {
      const auto n = ::write(file.get(), data.data(), data.size());
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) return fail_disk(errno, "cannot store the archive");
      data.remove_prefix(static_cast<std::size_t>(n));
    }
    return {};
  }
};

ImageStore::ImageStore(std::shared_ptr<State> state) : state_(std::move(state)) {}
ImageStore::~ImageStore() = default;

PullBoard& ImageStore::pull_board() {
  return state_->board;
}

base::Result<std::unique_ptr<ImageStore>> ImageStore::open(base::Executor executor, base::WorkerPool& workers,
                                                           ImageStoreOptions options) {
  ASSIGN_OR_RETURN(auto store, ContentStore::open(options.folder));
  auto state = std::make_shared<State>(std::move(executor), workers, std::move(options), std::move(store));
  return std::unique_ptr<ImageStore>(new ImageStore(std::move(state)));
}

base::Co<ImageRecord> ImageStore::ensure(std::string reference) {
  CO_ASSIGN_OR_RETURN(auto present, co_await find(reference));
  if (present) co_return *std::move(present);
  co_return co_await pull(std::move(reference));
}

base::Co<std::optional<ImageRecord>> ImageStore::find(std::string reference) {
  CO_ASSIGN_OR_RETURN(const auto name, core::normalise_image(reference));
  auto image = state_->store->find(name);
  if (!image) co_return std::nullopt;
  co_return std::move(image->record);
}

base::Co<ImageRecord> ImageStore::pull(std::string reference) {
  CO_ASSIGN_OR_RETURN(const auto parsed, core::parse_image_reference(reference));
  auto& shared = state_->pulls[parsed.text()];
  if (!shared) {
    shared = std::make_shared<Pull>(state_->executor);
    state_->workers.post([state = state_, parsed] {
      auto result = pull_safely(state->store, parsed, state->options, state->board);
      base::post_to(state->executor, [state, name = parsed.text(), result = std::move(result)]() mutable {
        const auto finished = state->pulls.extract(name).mapped();
        finished->result = std::move(result);
        finished->done.notify();
      });
    });
  }
  const auto mine = shared;
  while (!mine->result) CO_RETURN_IF_ERROR(co_await mine->done.wait());
  co_return *mine->result;
}

base::Co<> ImageStore::push(std::string reference, std::string destination, bool plain_http) {
  CO_ASSIGN_OR_RETURN(const auto name, core::normalise_image(reference));
  CO_ASSIGN_OR_RETURN(const auto target, core::parse_image_reference(destination));
  if (!target.digest.empty())
    co_return base::fail(base::Code::kInvalidArgument, "an image is pushed to a tag, not to a digest: give NAME:TAG");
  auto job = [state = state_, name, target, plain_http] {
    return push_now(state->store, state->options.registry, name, target, plain_http);
  };
  co_return co_await state_->workers.run(std::move(job));
}

base::Co<> ImageStore::receive(std::shared_ptr<Spool> spool, std::shared_ptr<ByteSource> archive) {
  std::string buffer;
  while (true) {
    CO_ASSIGN_OR_RETURN(auto piece, co_await archive->read());
    const bool end = !piece;
    if (piece) buffer += *piece;
    spool->bytes += piece ? static_cast<std::int64_t>(piece->size()) : 0;
    if (spool->bytes > state_->options.archive_bytes_max)
      co_return base::fail(
          base::Code::kResourceExhausted,
          fmt::format("the archive is larger than the {} bytes allowed", state_->options.archive_bytes_max));
    if (!end && buffer.size() < kSpoolBytes) continue;
    auto job = [spool, bytes = std::move(buffer)] { return spool->append(bytes); };
    buffer.clear();
    CO_RETURN_IF_ERROR(co_await state_->workers.run(std::move(job)));
    if (end) co_return base::Result<>{};
  }
}

base::Co<ImageRecord> ImageStore::import(std::string name, std::shared_ptr<ByteSource> archive) {
  std::string reference;
  if (!name.empty()) {
    CO_ASSIGN_OR_RETURN(const auto parsed, core::parse_image_reference(name));
    if (!parsed.digest.empty())
      co_return base::fail(base::Code::kInvalidArgument, "an imported image is named by a tag, not by a digest");
    reference = parsed.text();
  }
  auto begin = [store = state_->store]() -> base::Result<std::shared_ptr<Spool>> {
    ASSIGN_OR_RETURN(auto temp, store->make_temp());
    auto made = std::make_shared<Spool>(std::move(temp));
    made->file.reset(::open(made->path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
    if (!made->file) return fail_disk(errno, fmt::format("cannot create {}", made->path.string()));
    return made;
  };
  CO_ASSIGN_OR_RETURN(const auto spool, co_await state_->workers.run(std::move(begin)));
  CO_RETURN_IF_ERROR(co_await receive(spool, std::move(archive)));
  auto job = [state = state_, spool, reference] {
    return import_archive(state->store, spool->path, reference, state->import_options());
  };
  co_return co_await state_->workers.run(std::move(job));
}

base::Co<std::shared_ptr<ByteSource>> ImageStore::export_image(std::string reference) {
  CO_ASSIGN_OR_RETURN(const auto name, core::normalise_image(reference));
  auto job = [state = state_, name] { return ImageExport::open(state->store, name, state->workers); };
  CO_ASSIGN_OR_RETURN(std::shared_ptr<ByteSource> archive, co_await state_->workers.run(std::move(job)));
  co_return archive;
}

base::Co<std::shared_ptr<ByteSource>> ImageStore::save(std::string reference) {
  CO_ASSIGN_OR_RETURN(const auto parsed, core::parse_image_reference(reference));
  CO_ASSIGN_OR_RETURN(auto archive, co_await export_image(parsed.text()));
  std::shared_ptr<ByteSource> saved =
      std::make_shared<DockerArchive>(std::move(archive), parsed.digest.empty() ? parsed.text() : "");
  co_return saved;
}

base::Co<ImageRecord> ImageStore::tag(std::string reference, std::string name) {
  CO_ASSIGN_OR_RETURN(const auto old, core::normalise_image(reference));
  CO_ASSIGN_OR_RETURN(const auto tag, core::parse_image_reference(name));
  if (!tag.digest.empty())
    co_return base::fail(base::Code::kInvalidArgument, "an image's new name is a tag, not a digest: give NAME:TAG");
  auto job = [store = state_->store, old, text = tag.text()] { return tag_now(store, old, text); };
  co_return co_await state_->workers.run(std::move(job));
}

base::Co<std::vector<ImageRecord>> ImageStore::list() {
  co_return state_->store->list();
}

base::Co<> ImageStore::remove(std::string reference) {
  CO_ASSIGN_OR_RETURN(const auto name, core::normalise_image(reference));
  const auto image = state_->store->find(name);
  if (!image) co_return base::fail(base::Code::kNotFound, fmt::format("there is no image {} on this node", name));
  if (is_used(image->record))
    co_return base::fail(base::Code::kFailedPrecondition,
                         fmt::format("the image {} is used by a task: stop what runs from it first", name));
  auto job = [store = state_->store, key = image->record.reference]() -> base::Result<> {
    ASSIGN_OR_RETURN([[maybe_unused]] const auto freed, store->remove({key}));
    return {};
  };
  co_return co_await state_->workers.run(std::move(job));
}

base::Co<Images::Pruned> ImageStore::prune() {
  std::vector<std::string> unused;
  for (const auto& image : state_->store->list()) {
    if (!is_used(image)) unused.push_back(image.reference);
  }
  co_return co_await remove_all(std::move(unused));
}

base::Co<Images::Pruned> ImageStore::remove_all(std::vector<std::string> references) {
  auto job = [store = state_->store, references]() -> base::Result<Pruned> {
    ASSIGN_OR_RETURN(const auto freed, store->remove(references));
    return Pruned{references, freed};
  };
  co_return co_await state_->workers.run(std::move(job));
}

base::Co<Images::Pruned> ImageStore::collect(CollectionLimits limits) {
  touch_used();
  Pruned all;
  auto old = plan_by_age(collectable(), std::chrono::system_clock::now(), limits);
  if (!old.empty()) {
    CO_ASSIGN_OR_RETURN(all, co_await remove_all(std::move(old)));
  }
  CO_ASSIGN_OR_RETURN(auto more, co_await make_room(limits));
  all.references.insert(all.references.end(), more.references.begin(), more.references.end());
  all.freed_bytes += more.freed_bytes;
  co_return all;
}

// One at a time, and each time with a look at the disk: images share layers, so none says what its removal frees.
base::Co<Images::Pruned> ImageStore::make_room(CollectionLimits limits) {
  Pruned all;
  if (limits.disk_high_percent <= 0) co_return all;
  const auto& folder = state_->options.folder;
  CO_ASSIGN_OR_RETURN(auto disk, state_->options.disk_use(folder));
  if (!disk.is_above(limits.disk_high_percent)) co_return all;
  while (disk.is_above(limits.disk_low_percent)) {
    const auto order = order_by_use(collectable());  // anew: a task may have begun to use one
    if (order.empty()) {
      base::log::warn("the disk that holds {} is more than {} % full, and no image is left that could go",
                      folder.string(), limits.disk_low_percent);
      break;
    }
    std::vector<std::string> next{order.front()};
    CO_ASSIGN_OR_RETURN(auto one, co_await remove_all(std::move(next)));
    all.references.push_back(order.front());
    all.freed_bytes += one.freed_bytes;
    CO_ASSIGN_OR_RETURN(disk, state_->options.disk_use(folder));
  }
  co_return all;
}

std::vector<CollectableImage> ImageStore::collectable() const {
  std::vector<CollectableImage> result;
  for (const auto& image : state_->store->list_stored())
    result.push_back({.reference = image.record.reference,
                      .used_at = image.used_at,
                      .in_use = is_used(image.record) || state_->pulls.contains(image.record.reference),
                      .from_registry = image.origin == Origin::kRegistry});
  return result;
}

void ImageStore::touch_used() {
  std::vector<std::string> used;
  for (const auto& image : state_->store->list())
    if (is_used(image)) used.push_back(image.reference);
  state_->store->touch(used);
}

void ImageStore::set_used(std::vector<std::string> references) {
  touch_used();  // what goes out of use was used until now
  used_.clear();
  for (const auto& reference : references) {
    if (is_digest(reference)) used_.insert(reference);
    const auto parsed = core::parse_image_reference(reference);
    if (!parsed) continue;
    used_.insert(parsed->text());
    if (!parsed->digest.empty()) used_.insert(parsed->digest);
  }
}

bool ImageStore::is_used(const ImageRecord& image) const {
  return used_.contains(image.reference) || used_.contains(image.digest);
}

}  // namespace orchion::node::images
