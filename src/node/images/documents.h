#pragma once

// The JSON documents of images, read and written: OCI's and Docker's own, which differ little. All pure; what is
// read was written by others, so digests are checked here before anybody makes a path of one.
// Sources: https://github.com/opencontainers/image-spec (manifest.md, image-index.md, config.md),
// https://github.com/moby/docker-image-spec, https://distribution.github.io/distribution/spec/manifest-v2-2/

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "node/images/images.h"
#include "node/images/tar_reader.h"

namespace orchion::node::images {

constexpr std::size_t kDocumentBytesMax = 4u << 20;

// The annotation in another node's export, and what it says.
constexpr char kOriginAnnotation[] = "io.orchion.origin";
constexpr char kOriginRegistry[] = "registry";
constexpr char kPinAnnotation[] = "io.orchion.pin";

struct Descriptor {
  std::string media_type;
  std::string digest;
  std::int64_t size = 0;

  bool operator==(const Descriptor&) const = default;
};

struct Manifest {
  Descriptor config;
  std::vector<Descriptor> layers;  // lowest first
};

// One of an index's images.
struct IndexEntry {
  Descriptor manifest;
  std::string architecture;  // empty where the index doesn't say
  std::string operating_system;
  std::string name;            // from its annotations; empty, "latest", or a whole reference
  bool from_registry = false;  // so another node's export says: there it was pulled
  std::string pin;             // from the same, as ImageRecord's
};

struct ConfigDocument {
  ImageConfig config;
  std::string architecture;
  std::optional<base::WallTime> created_at;
  std::vector<std::string> diff_ids;
};

// One image of a docker-archive.
struct DockerArchiveImage {
  std::string config;               // a name in the archive
  std::vector<std::string> layers;  // names in the archive
  std::vector<std::string> tags;
};

base::Result<Manifest> parse_manifest(std::string_view json);

// Of an index or manifest list.
base::Result<std::vector<IndexEntry>> parse_index(std::string_view json);

// The entry for Linux on `architecture`; the only one where it doesn't say what it is for. kNotFound names what
// there is.
base::Result<IndexEntry> choose_platform(const std::vector<IndexEntry>& entries, std::string_view architecture);

base::Result<ConfigDocument> parse_config(std::string_view json);

// kNotFound where it says that it is made for another.
base::Result<> check_architecture(const ConfigDocument& config, std::string_view architecture);
base::Result<std::vector<DockerArchiveImage>> parse_docker_archive(std::string_view json);

// For images that come without: the same content gives the same bytes, so the same digest everywhere.
std::string make_config(std::string_view architecture, const std::vector<std::string>& diff_ids);
std::string make_manifest(const Descriptor& config, const std::vector<Descriptor>& layers);
Descriptor config_descriptor(std::string digest, std::int64_t size);
Descriptor layer_descriptor(std::string digest, std::int64_t size, Compression compression);

}  // namespace orchion::node::images
