#include "node/images/image_export.h"

#include <cassert>
#include <cerrno>
#include <cstring>
#include <set>

#include <fcntl.h>
#include <fmt/core.h>
#include <unistd.h>
#include <boost/json.hpp>

#include "node/images/digest.h"

namespace orchion::node::images {

namespace json = boost::json;

namespace {

constexpr std::size_t kBlock = 512;
constexpr std::int64_t kPieceBytes = 512 << 10;
constexpr char kManifestType[] = "application/vnd.oci.image.manifest.v1+json";
constexpr char kIndexType[] = "application/vnd.oci.image.index.v1+json";
constexpr char kNameAnnotation[] = "org.opencontainers.image.ref.name";

// Where the fields of a header are, and how long.
struct Field {
  std::size_t at;
  std::size_t size;
};
constexpr Field kName{0, 100};
constexpr Field kMode{100, 8};
constexpr Field kOwner{108, 8};
constexpr Field kGroup{116, 8};
constexpr Field kSize{124, 12};
constexpr Field kTime{136, 12};
constexpr Field kChecksum{148, 8};
constexpr std::size_t kTypeAt = 156;
constexpr std::size_t kMagicAt = 257;

void put_number(std::string& header, Field field, std::int64_t value) {
  const auto digits = fmt::format("{:0{}o}", value, field.size - 1);
  if (digits.size() < field.size) {
    header.replace(field.at, digits.size(), digits);
    return;
  }
  // Too large for octal digits: in binary, marked by the first bit, as GNU tar does.
  for (std::size_t i = 0; i < field.size; ++i) {
    const auto shift = 8 * (field.size - 1 - i);
    header[field.at + i] = shift < 64 ? static_cast<char>(value >> shift & 0xff) : '\0';
  }
  header[field.at] = static_cast<char>(0x80);
}

std::string padding(std::int64_t size) {
  const auto rest = static_cast<std::size_t>(size % static_cast<std::int64_t>(kBlock));
  return std::string(rest == 0 ? 0 : kBlock - rest, '\0');
}

// What the manifest itself says it is, since its digest stays.
std::string media_type(const std::string& manifest) {
  boost::system::error_code error;
  const auto parsed = json::parse(manifest, error);
  const auto* object = error ? nullptr : parsed.if_object();
  const auto* type = object == nullptr ? nullptr : object->if_contains("mediaType");
  return type != nullptr && type->is_string() ? std::string(type->get_string()) : kManifestType;
}

std::string index_of(const StoredImage& image, const std::string& manifest) {
  json::object annotations;
  annotations[kNameAnnotation] = image.record.reference;
  if (image.origin == Origin::kRegistry) annotations[kOriginAnnotation] = kOriginRegistry;
  annotations[kPinAnnotation] = image.record.pin;
  json::object entry{{"mediaType", media_type(manifest)},
                     {"digest", image.record.digest},
                     {"size", manifest.size()},
                     {"annotations", std::move(annotations)}};
  return json::serialize(
      json::object{{"schemaVersion", 2}, {"mediaType", kIndexType}, {"manifests", json::array{std::move(entry)}}});
}

}  // namespace

std::string tar_header(std::string_view name, std::int64_t size) {
  assert(name.size() <= kName.size);
  std::string header(kBlock, '\0');
  header.replace(kName.at, name.size(), name);
  put_number(header, kMode, 0644);
  put_number(header, kOwner, 0);
  put_number(header, kGroup, 0);
  put_number(header, kSize, size);
  put_number(header, kTime, 0);
  header[kTypeAt] = '0';
  header.replace(kMagicAt, 8, std::string_view("ustar\00000", 8));
  // The sum is taken with blanks in its own place.
  header.replace(kChecksum.at, kChecksum.size, kChecksum.size, ' ');
  int sum = 0;
  for (const char c : header) sum += static_cast<unsigned char>(c);
  header.replace(kChecksum.at, 7, fmt::format("{:06o}", sum) + '\0');
  return header;
}

void ImageExport::add_bytes(State& state, std::string_view name, std::string content) {
  auto header = tar_header(name, static_cast<std::int64_t>(content.size()));
  const auto end = padding(static_cast<std::int64_t>(content.size()));
  state.parts.push_back({std::move(header) + content + end, {}, 0});
}

base::Result<> ImageExport::add_blob(State& state, const ContentStore& store, const std::string& digest) {
  const auto path = store.blob_path(digest);
  std::error_code error;
  const auto size = static_cast<std::int64_t>(std::filesystem::file_size(path, error));
  if (error) return base::fail_errno(error.value(), fmt::format("cannot read {}", path.string()));
  state.parts.push_back({tar_header("blobs/sha256/" + digest_hex(digest), size), path, size});
  state.parts.push_back({padding(size), {}, 0});
  return {};
}

base::Result<std::shared_ptr<ImageExport>> ImageExport::open(std::shared_ptr<ContentStore> store,
                                                             const std::string& reference, base::WorkerPool& workers) {
  auto state = std::make_shared<State>(store);
  const auto image = store->find(reference);
  if (!image) return base::fail(base::Code::kNotFound, fmt::format("there is no image {} on this node", reference));
  std::set<std::string> blobs = {image->record.digest, image->config_digest};
  for (const auto& layer : image->layers) blobs.insert(layer.digest);
  for (const auto& digest : blobs) state->lease.hold(digest);
  ASSIGN_OR_RETURN(const auto manifest, base::read_file(store->blob_path(image->record.digest), kDocumentBytesMax));
  add_bytes(*state, "oci-layout", R"({"imageLayoutVersion":"1.0.0"})");
  add_bytes(*state, "index.json", index_of(*image, manifest));
  for (const auto& digest : blobs) RETURN_IF_ERROR(add_blob(*state, *store, digest));
  state->parts.push_back({std::string(2 * kBlock, '\0'), {}, 0});
  return std::shared_ptr<ImageExport>(new ImageExport(std::move(state), workers));
}

base::Result<std::optional<std::string>> ImageExport::State::next() {
  while (!parts.empty()) {
    auto& part = parts.front();
    if (!part.bytes.empty()) return std::exchange(part.bytes, {});
    if (!part.file.empty() && !open_file) {
      open_file.reset(::open(part.file.c_str(), O_RDONLY | O_CLOEXEC));
      if (!open_file) return base::fail_errno(errno, fmt::format("cannot read {}", part.file.string()));
      left = part.size;
    }
    if (!open_file || left == 0) {
      open_file.reset();
      parts.pop_front();
      continue;
    }
    std::string piece(static_cast<std::size_t>(std::min(left, kPieceBytes)), '\0');
    const auto n = ::read(open_file.get(), piece.data(), piece.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return base::fail_errno(errno, fmt::format("cannot read {}", part.file.string()));
    if (n == 0) return base::fail(base::Code::kDataLoss, fmt::format("{} was cut short", part.file.string()));
    piece.resize(static_cast<std::size_t>(n));
    left -= n;
    return piece;
  }
  return std::nullopt;
}

base::Co<std::optional<std::string>> ImageExport::read() {
  auto job = [state = state_] { return state->next(); };
  co_return co_await workers_.run(std::move(job));
}

}  // namespace orchion::node::images
