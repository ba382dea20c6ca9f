#include "node/images/documents.h"

#include <algorithm>

#include <fmt/core.h>
#include <boost/json.hpp>

#include "core/timestamp.h"
#include "node/images/digest.h"
#include "node/images/disk_error.h"

namespace orchion::node::images {

namespace json = boost::json;

namespace {

constexpr std::size_t kLayersMax = 500;  // overlayfs stacks no more
constexpr std::string_view kOciConfig = "application/vnd.oci.image.config.v1+json";
constexpr std::string_view kOciManifest = "application/vnd.oci.image.manifest.v1+json";

std::unexpected<base::Error> damaged(std::string_view document, std::string_view why) {
  return base::fail(base::Code::kInvalidArgument,
                    fmt::format("the image's {} cannot be used ({}): make or fetch the image again", document, why));
}

base::Result<json::object> parse_object(std::string_view text, std::string_view document) {
  if (text.size() > kDocumentBytesMax) return damaged(document, "it is too large");
  boost::system::error_code error;
  auto value = json::parse({text.data(), text.size()}, error);
  if (error) return damaged(document, error.message());
  if (!value.is_object()) return damaged(document, "it is no JSON object");
  return std::move(value.as_object());
}

const json::value* field(const json::object& object, std::string_view name) {
  return object.if_contains({name.data(), name.size()});
}

std::string text_field(const json::object& object, std::string_view name) {
  const auto* value = field(object, name);
  return value && value->is_string() ? json::value_to<std::string>(*value) : std::string();
}

std::int64_t number_field(const json::object& object, std::string_view name) {
  const auto* value = field(object, name);
  return value != nullptr && value->is_int64() ? value->get_int64() : 0;
}

const json::object* object_field(const json::object& object, std::string_view name) {
  const auto* value = field(object, name);
  return value ? value->if_object() : nullptr;
}

std::vector<std::string> texts(const json::value* value) {
  std::vector<std::string> result;
  if (value == nullptr || !value->is_array()) return result;
  for (const auto& item : value->as_array()) {
    if (item.is_string()) result.push_back(json::value_to<std::string>(item));
  }
  return result;
}

base::Result<Descriptor> parse_descriptor(const json::value* value, std::string_view document) {
  const auto* object = value ? value->if_object() : nullptr;
  if (object == nullptr) return damaged(document, "a descriptor is missing");
  Descriptor result{text_field(*object, "mediaType"), text_field(*object, "digest"), 0};
  if (!is_digest(result.digest))
    return damaged(document, fmt::format("{} is no sha256 digest", in_quotes(result.digest)));
  if (const auto* size = field(*object, "size"); size && size->is_int64()) result.size = size->as_int64();
  if (result.size < 0) return damaged(document, "a size is negative");
  return result;
}

// Not in OCI's documents, but in all that Docker and Buildah build.
core::ImageHealthCheck parse_health_check(const json::object& object) {
  return {.test = texts(field(object, "Test")),
          .interval = number_field(object, "Interval"),
          .timeout = number_field(object, "Timeout"),
          .start_period = number_field(object, "StartPeriod"),
          .start_interval = number_field(object, "StartInterval"),
          .retries = number_field(object, "Retries")};
}

ImageConfig parse_container(const json::object& object) {
  ImageConfig result;
  result.entrypoint = texts(field(object, "Entrypoint"));
  result.command = texts(field(object, "Cmd"));
  result.environment = texts(field(object, "Env"));
  result.working_dir = text_field(object, "WorkingDir");
  result.user = text_field(object, "User");
  result.stop_signal = text_field(object, "StopSignal");
  if (const auto* check = object_field(object, "Healthcheck")) result.health_check = parse_health_check(*check);
  if (const auto* volumes = object_field(object, "Volumes")) {
    for (const auto& volume : *volumes) result.volumes.emplace_back(volume.key());
  }
  if (const auto* labels = object_field(object, "Labels")) {
    for (const auto& label : *labels) {
      if (label.value().is_string()) result.labels[label.key()] = json::value_to<std::string>(label.value());
    }
  }
  return result;
}

json::object to_json(const Descriptor& descriptor) {
  return {{"mediaType", descriptor.media_type}, {"digest", descriptor.digest}, {"size", descriptor.size}};
}

}  // namespace

base::Result<Manifest> parse_manifest(std::string_view text) {
  ASSIGN_OR_RETURN(const auto object, parse_object(text, "manifest"));
  if (field(object, "fsLayers"))
    return damaged("manifest", "its format, schema 1, went out of use in 2016: push it again with a newer tool");
  Manifest result;
  ASSIGN_OR_RETURN(result.config, parse_descriptor(field(object, "config"), "manifest"));
  const auto* layers = field(object, "layers");
  if (!layers || !layers->is_array()) return damaged("manifest", "it lists no layers");
  if (layers->as_array().size() > kLayersMax) return damaged("manifest", "it has more than 500 layers");
  for (const auto& layer : layers->as_array()) {
    ASSIGN_OR_RETURN(auto descriptor, parse_descriptor(&layer, "manifest"));
    result.layers.push_back(std::move(descriptor));
  }
  return result;
}

base::Result<std::vector<IndexEntry>> parse_index(std::string_view text) {
  ASSIGN_OR_RETURN(const auto object, parse_object(text, "index"));
  const auto* manifests = field(object, "manifests");
  if (!manifests || !manifests->is_array()) return damaged("index", "it lists no manifests");
  std::vector<IndexEntry> result;
  for (const auto& item : manifests->as_array()) {
    IndexEntry entry;
    ASSIGN_OR_RETURN(entry.manifest, parse_descriptor(&item, "index"));
    if (const auto* platform = object_field(item.as_object(), "platform")) {
      entry.architecture = text_field(*platform, "architecture");
      entry.operating_system = text_field(*platform, "os");
    }
    if (const auto* annotations = object_field(item.as_object(), "annotations")) {
      entry.name = text_field(*annotations, "io.containerd.image.name");
      entry.from_registry = text_field(*annotations, kOriginAnnotation) == kOriginRegistry;
      if (auto pin = text_field(*annotations, kPinAnnotation); is_digest(pin)) entry.pin = std::move(pin);
      if (entry.name.empty()) entry.name = text_field(*annotations, "org.opencontainers.image.ref.name");
    }
    result.push_back(std::move(entry));
  }
  return result;
}

base::Result<IndexEntry> choose_platform(const std::vector<IndexEntry>& entries, std::string_view architecture) {
  std::string present;
  for (const auto& entry : entries) {
    const bool says = !entry.architecture.empty();
    if (says && entry.architecture == architecture &&
        (entry.operating_system.empty() || entry.operating_system == "linux"))
      return entry;
    if (!says && entries.size() == 1) return entry;
    if (says && entry.architecture != "unknown")
      present += fmt::format("{}{}/{}", present.empty() ? "" : ", ", entry.operating_system, entry.architecture);
  }
  return base::fail(base::Code::kNotFound,
                    fmt::format("the image is not made for linux/{} (there is: {}): use one that is, or another node",
                                architecture, present.empty() ? "nothing" : present));
}

base::Result<ConfigDocument> parse_config(std::string_view text) {
  ASSIGN_OR_RETURN(const auto object, parse_object(text, "configuration"));
  ConfigDocument result;
  result.architecture = text_field(object, "architecture");
  result.created_at = core::parse_timestamp(text_field(object, "created"));
  if (const auto* container = object_field(object, "config")) result.config = parse_container(*container);
  const auto* rootfs = object_field(object, "rootfs");
  if (rootfs == nullptr) return damaged("configuration", "it has no rootfs");
  result.diff_ids = texts(field(*rootfs, "diff_ids"));
  if (!std::all_of(result.diff_ids.begin(), result.diff_ids.end(), is_digest))
    return damaged("configuration", "a diff_id is no sha256 digest");
  return result;
}

base::Result<> check_architecture(const ConfigDocument& config, std::string_view architecture) {
  if (config.architecture.empty() || config.architecture == architecture) return {};
  return base::fail(base::Code::kNotFound,
                    fmt::format("the image is made for linux/{}, not for linux/{}: use one that is, or another node",
                                config.architecture, architecture));
}

base::Result<std::vector<DockerArchiveImage>> parse_docker_archive(std::string_view text) {
  boost::system::error_code error;
  const auto value = json::parse({text.data(), text.size()}, error);
  if (error) return damaged("manifest.json", error.message());
  if (!value.is_array()) return damaged("manifest.json", "it is no list");
  std::vector<DockerArchiveImage> result;
  for (const auto& item : value.as_array()) {
    const auto* object = item.if_object();
    if (object == nullptr) return damaged("manifest.json", "an image is no object");
    DockerArchiveImage image{text_field(*object, "Config"), texts(field(*object, "Layers")),
                             texts(field(*object, "RepoTags"))};
    if (image.config.empty()) return damaged("manifest.json", "an image has no Config");
    if (image.layers.size() > kLayersMax) return damaged("manifest.json", "an image has more than 500 layers");
    result.push_back(std::move(image));
  }
  return result;
}

std::string make_config(std::string_view architecture, const std::vector<std::string>& diff_ids) {
  const json::object config = {{"architecture", architecture},
                               {"os", "linux"},
                               {"config", json::object()},
                               {"rootfs", {{"type", "layers"}, {"diff_ids", json::value_from(diff_ids)}}}};
  return json::serialize(config);
}

std::string make_manifest(const Descriptor& config, const std::vector<Descriptor>& layers) {
  json::array list;
  for (const auto& layer : layers) list.push_back(to_json(layer));
  const json::object manifest = {
      {"schemaVersion", 2}, {"mediaType", kOciManifest}, {"config", to_json(config)}, {"layers", std::move(list)}};
  return json::serialize(manifest);
}

Descriptor config_descriptor(std::string digest, std::int64_t size) {
  return {std::string(kOciConfig), std::move(digest), size};
}

Descriptor layer_descriptor(std::string digest, std::int64_t size, Compression compression) {
  std::string type = "application/vnd.oci.image.layer.v1.tar";
  if (compression == Compression::kGzip) type += "+gzip";
  if (compression == Compression::kZstd) type += "+zstd";
  return {std::move(type), std::move(digest), size};
}

}  // namespace orchion::node::images
