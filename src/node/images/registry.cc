#include "node/images/registry.h"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <map>
#include <set>
#include <thread>

#include <fmt/core.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"
#include "node/images/digest.h"
#include "node/images/disk_error.h"

namespace orchion::node::images {

namespace fs = std::filesystem;

namespace {

constexpr auto kTransferLimit = std::chrono::hours(2);

std::string seconds_text(base::Duration duration) {
  return fmt::format("{} s", std::chrono::ceil<std::chrono::seconds>(duration).count());
}

// Every file below `folder`, in bytes.
std::int64_t size_of(const fs::path& folder) {
  std::int64_t bytes = 0;
  std::error_code error;
  for (fs::recursive_directory_iterator it(folder, error), end; !error && it != end; it.increment(error)) {
    std::error_code gone;  // skopeo renames what is whole
    const auto size = it->is_regular_file(gone) ? it->file_size(gone) : 0;
    if (!gone) bytes += static_cast<std::int64_t>(size);
  }
  return bytes;
}

// An error once the folder hasn't changed its size for so long.
class StallWatch {
 public:
  StallWatch(fs::path folder, base::Duration limit) : folder_(std::move(folder)), limit_(limit) {}

  base::Result<> look() {
    const auto now = std::chrono::steady_clock::now();
    if (const auto bytes = size_of(folder_); bytes != bytes_) {
      bytes_ = bytes;
      changed_ = now;
    }
    if (now - changed_ < limit_) return {};
    return base::fail(base::Code::kDeadlineExceeded, "nothing came");
  }

 private:
  const fs::path folder_;
  const base::Duration limit_;
  std::int64_t bytes_ = -1;
  std::chrono::steady_clock::time_point changed_ = std::chrono::steady_clock::now();
};

// One fetch: its documents first, then what is missing of its layers, by skopeo's OCI layout, which is the one that
// keeps what it has. That layout would convert Docker's documents and change their digests: hence they come raw.
class Fetch {
 public:
  Fetch(const Skopeo& skopeo, const FetchLimits& limits, fs::path temp)
      : skopeo_(skopeo), limits_(limits), blobs_(temp / "blobs"), layout_(temp / "layout") {}

  struct Found {
    std::string manifest;
    std::string pin;        // as FetchedImage's
    bool in_index = false;  // which says what it is made for
  };
  base::Result<Found> find_manifest(const std::string& architecture) const;
  base::Result<> take_from_store(const ContentStore& store, ContentStore::Lease& lease, const Manifest& manifest) const;
  base::Result<> download(const Manifest& manifest, const std::string& digest) const;
  base::Result<> fetch_config(const Manifest& manifest, const std::string& digest) const;
  void show(const Manifest& manifest, PullBoard::Entry& progress) const;
  base::Result<ConfigDocument> read_config(const Manifest& manifest) const;
  ArchiveFiles files(const Manifest& manifest) const;

 private:
  base::Result<std::string> inspect(const std::string& image, bool config) const;
  base::Result<> copy_once(const std::string& digest) const;
  std::string image(const std::string& digest) const { return skopeo_.reference().name() + "@" + digest; }
  fs::path blob(const std::string& digest) const { return blobs_ / "sha256" / digest_hex(digest); }
  std::size_t whole_layers(const Manifest& manifest) const;
  std::size_t all_layers(const Manifest& manifest) const;

  const Skopeo& skopeo_;
  const FetchLimits limits_;
  const fs::path blobs_;
  const fs::path layout_;
};

base::Result<std::string> Fetch::inspect(const std::string& image, bool config) const {
  Skopeo::Call call{.arguments = {"--raw"}, .command = "inspect", .limit = limits_.stall, .watch = {}};
  if (config) call.arguments.push_back("--config");
  // Elsewhere registries.conf decides.
  if (skopeo_.reference().on_loopback()) call.arguments.push_back("--tls-verify=false");
  call.arguments.push_back("docker://" + image);
  auto document = skopeo_.run(std::move(call));
  if (!document && document.error().code == base::Code::kDeadlineExceeded)
    return std::unexpected(explain_stall(skopeo_.reference(), seconds_text(limits_.stall)));
  return document;
}

std::unexpected<base::Error> wrong_digest(const core::ImageReference& reference, const std::string& claimed,
                                          const std::string& real) {
  return base::fail(base::Code::kDataLoss,
                    fmt::format("the registry {} sent {} for {}, not {}: tell who runs it, or fetch the image from "
                                "another",
                                reference.registry, real, reference.text(), claimed));
}

// Errors of documents know no names.
std::unexpected<base::Error> named(const base::Error& error, const core::ImageReference& reference) {
  return std::unexpected(error.with_context(reference.text()));
}

// From the reference down to the manifest of one platform, through indexes.
base::Result<Fetch::Found> Fetch::find_manifest(const std::string& architecture) const {
  constexpr int kNestedMax = 4;
  const auto& reference = skopeo_.reference();
  std::string digest = reference.digest;
  std::string name = reference.text();
  std::string pin;
  for (int depth = 0; depth < kNestedMax; ++depth) {
    ASSIGN_OR_RETURN(auto text, inspect(name, false));
    if (const auto real = digest_of(text); !digest.empty() && real != digest)
      return wrong_digest(reference, digest, real);
    if (pin.empty()) pin = digest_of(text);
    const auto index = parse_index(text);
    if (!index) return Found{std::move(text), std::move(pin), depth > 0};
    const auto chosen = choose_platform(*index, architecture);
    if (!chosen) return named(chosen.error(), reference);
    digest = chosen->manifest.digest;
    name = image(digest);
  }
  return base::fail(base::Code::kInvalidArgument,
                    fmt::format("the indexes of {} are nested too deeply: use another image", reference.text()));
}

// Linked, not copied; import leaves what the store has alone.
base::Result<> Fetch::take_from_store(const ContentStore& store, ContentStore::Lease& lease,
                                      const Manifest& manifest) const {
  RETURN_IF_ERROR(base::make_folders(blobs_ / "sha256"));
  auto take = [&](const std::string& digest) -> base::Result<> {
    lease.hold(digest);
    if (!store.has_blob(digest)) return {};
    if (::link(store.blob_path(digest).c_str(), blob(digest).c_str()) != 0 && errno != EEXIST)
      return fail_disk(errno, fmt::format("cannot link {}", digest));
    return {};
  };
  RETURN_IF_ERROR(take(manifest.config.digest));
  for (const auto& layer : manifest.layers) RETURN_IF_ERROR(take(layer.digest));
  return {};
}

base::Result<> Fetch::copy_once(const std::string& digest) const {
  // What an earlier attempt left half.
  RETURN_IF_ERROR(base::remove_tree(layout_));
  RETURN_IF_ERROR(base::make_folders(layout_));
  const auto watched = std::make_shared<StallWatch>(layout_.parent_path(), limits_.stall);
  Skopeo::Call call{.arguments = {"--quiet", "--remove-signatures", "--dest-oci-accept-uncompressed-layers",
                                  "--dest-shared-blob-dir", blobs_.string()},
                    .command = "copy",
                    .limit = kTransferLimit,
                    .watch = [watched] { return watched->look(); }};
  if (skopeo_.reference().on_loopback()) call.arguments.push_back("--src-tls-verify=false");
  call.arguments.insert(call.arguments.end(), {"docker://" + image(digest), "oci:" + layout_.string() + ":image"});
  auto done = skopeo_.run(std::move(call));
  if (done) return {};
  if (done.error().code == base::Code::kDeadlineExceeded)
    return std::unexpected(explain_stall(skopeo_.reference(), seconds_text(limits_.stall)));
  return std::unexpected(std::move(done).error());
}

// Each once: an image may have the same layer twice.
std::size_t Fetch::whole_layers(const Manifest& manifest) const {
  std::set<std::string> whole;
  for (const auto& layer : manifest.layers)
    if (::access(blob(layer.digest).c_str(), F_OK) == 0) whole.insert(layer.digest);
  return whole.size();
}

std::size_t Fetch::all_layers(const Manifest& manifest) const {
  std::set<std::string> all;
  for (const auto& layer : manifest.layers) all.insert(layer.digest);
  return all.size();
}

// What comes over the network lands below the fetch's own folder, whole or not.
void Fetch::show(const Manifest& manifest, PullBoard::Entry& progress) const {
  std::map<std::string, std::uint64_t> missing;
  for (const auto& layer : manifest.layers)
    if (::access(blob(layer.digest).c_str(), F_OK) != 0)
      missing[layer.digest] = static_cast<std::uint64_t>(std::max<std::int64_t>(layer.size, 0));
  std::uint64_t total = 0;
  for (const auto& [digest, size] : missing) total += size;
  const auto folder = layout_.parent_path();
  progress.measure(total, [folder, before = size_of(folder)] {
    return static_cast<std::uint64_t>(std::max<std::int64_t>(size_of(folder) - before, 0));
  });
}

base::Result<> Fetch::download(const Manifest& manifest, const std::string& digest) const {
  const auto all = all_layers(manifest);
  FetchAttempts attempts(limits_);
  // Also where all is here already: skopeo asks the machine's policy for signatures.
  while (true) {
    auto done = copy_once(digest);
    if (done && whole_layers(manifest) == all) return {};
    if (done)
      return base::fail(base::Code::kDataLoss,
                        fmt::format("skopeo fetched {} and left layers out: fetch it again", image(digest)));
    if (done.error().code != base::Code::kUnavailable) return done;
    const auto whole = whole_layers(manifest);
    const auto pause = attempts.after_failure(whole);
    if (!pause)
      return std::unexpected(done.error().with_context(
          fmt::format("{} of {} layers came, then none in {} attempts", whole, all, attempts.fruitless())));
    base::log::warn("{} ({} of {} layers are here): the rest is fetched again in {}", done.error().message, whole, all,
                    seconds_text(*pause));
    std::this_thread::sleep_for(*pause);
  }
}

base::Result<> Fetch::fetch_config(const Manifest& manifest, const std::string& digest) const {
  const auto path = blob(manifest.config.digest);
  if (::access(path.c_str(), F_OK) == 0) return {};
  ASSIGN_OR_RETURN(const auto config, inspect(image(digest), true));
  if (const auto real = digest_of(config); real != manifest.config.digest)
    return wrong_digest(skopeo_.reference(), manifest.config.digest, real);
  return base::write_file(path, config);
}

base::Result<ConfigDocument> Fetch::read_config(const Manifest& manifest) const {
  ASSIGN_OR_RETURN(const auto text, base::read_file(blob(manifest.config.digest), kDocumentBytesMax));
  return parse_config(text);
}

ArchiveFiles Fetch::files(const Manifest& manifest) const {
  ArchiveFiles result{{manifest.config.digest, blob(manifest.config.digest)}};
  for (const auto& layer : manifest.layers) result[layer.digest] = blob(layer.digest);
  return result;
}

}  // namespace

base::Result<FetchedImage> fetch_image(const RegistryOptions& options, const ContentStore& store,
                                       ContentStore::Lease& lease, const core::ImageReference& reference,
                                       const std::string& architecture, const fs::path& temp,
                                       PullBoard::Entry& progress) {
  ASSIGN_OR_RETURN(const auto skopeo, Skopeo::prepare(options.files, Direction::kPull, reference, temp));
  const Fetch fetch(skopeo, options.limits, temp);
  ASSIGN_OR_RETURN(auto found, fetch.find_manifest(architecture));
  const auto parsed = parse_manifest(found.manifest);
  if (!parsed) return named(parsed.error(), reference);
  const auto& manifest = *parsed;
  const auto digest = digest_of(found.manifest);
  RETURN_IF_ERROR(fetch.take_from_store(store, lease, manifest));
  // One for another machine isn't worth its layers.
  if (!found.in_index) {
    RETURN_IF_ERROR(fetch.fetch_config(manifest, digest));
    ASSIGN_OR_RETURN(const auto config, fetch.read_config(manifest));
    if (const auto fits = check_architecture(config, architecture); !fits) return named(fits.error(), reference);
  }
  fetch.show(manifest, progress);
  RETURN_IF_ERROR(fetch.download(manifest, digest));
  progress.complete();
  RETURN_IF_ERROR(fetch.fetch_config(manifest, digest));
  return FetchedImage{std::move(found.manifest), std::move(found.pin), fetch.files(manifest)};
}

base::Result<> push_image(const RegistryOptions& options, const fs::path& folder,
                          const core::ImageReference& destination, bool plain_http, const fs::path& temp) {
  ASSIGN_OR_RETURN(const auto skopeo, Skopeo::prepare(options.files, Direction::kPush, destination, temp));
  Skopeo::Call call{
      .arguments = {"--quiet", "--preserve-digests"}, .command = "copy", .limit = kTransferLimit, .watch = {}};
  if (plain_http || destination.on_loopback()) call.arguments.push_back("--dest-tls-verify=false");
  call.arguments.insert(call.arguments.end(), {"dir:" + folder.string(), "docker://" + destination.text()});
  ASSIGN_OR_RETURN([[maybe_unused]] const auto talk, skopeo.run(std::move(call)));
  return {};
}

}  // namespace orchion::node::images
