#pragma once

// For this room's tests: images put together by hand, as registries have them, in skopeo's "dir" layout.

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include <fmt/core.h>

#include "base/file.h"
#include "base/random.h"
#include "node/images/digest.h"
#include "node/images/test_support.h"

namespace orchion::node::images {

struct RegistryImage {
  enum class Form { kDocker, kOci };

  struct Layer {
    std::string file;     // its only file
    std::string content;  // of that
    Compression compression = Compression::kGzip;
  };
  std::vector<Layer> layers;
  Form form = Form::kOci;
  std::string architecture = "amd64";

  // Filled by write_image().
  std::string manifest;
  std::vector<std::string> digests;  // of the layers as they travel

  std::string digest() const { return digest_of(manifest); }
  std::string_view media_type() const {
    return form == Form::kDocker ? "application/vnd.docker.distribution.manifest.v2+json"
                                 : "application/vnd.oci.image.manifest.v1+json";
  }
};

// What no compression makes smaller.
inline std::string noise(std::size_t bytes) {
  return base::Random::from_system().text(bytes);
}

inline std::string tar_of(const RegistryImage::Layer& layer, Compression compression) {
  TarMaker tar(compression);
  tar.file(layer.file, layer.content);
  return tar.finish();
}

inline std::string layer_type(RegistryImage::Form form, Compression compression) {
  if (form == RegistryImage::Form::kDocker)
    return std::string("application/vnd.docker.image.rootfs.diff.tar") +
           (compression == Compression::kGzip ? ".gzip" : "");
  return std::string("application/vnd.oci.image.layer.v1.tar") +
         (compression == Compression::kGzip ? "+gzip" : (compression == Compression::kZstd ? "+zstd" : ""));
}

inline void put_file(const std::filesystem::path& path, const std::string& content) {
  if (!base::make_folders(path.parent_path()) || !base::write_file(path, content))
    throw std::runtime_error("cannot write " + path.string());
}

// Blobs and manifest into `folder`, beside others where there is a list of them (write_index).
inline void write_image(RegistryImage& image, const std::filesystem::path& folder,
                        const std::string& manifest_name = "manifest.json") {
  std::string diff_ids;
  std::string layers;
  for (const auto& layer : image.layers) {
    const auto bytes = tar_of(layer, layer.compression);
    image.digests.push_back(digest_of(bytes));
    put_file(folder / digest_hex(digest_of(bytes)), bytes);
    const auto* comma = diff_ids.empty() ? "" : ",";
    diff_ids += fmt::format(R"({}"{}")", comma, digest_of(tar_of(layer, Compression::kNone)));
    layers += fmt::format(R"({}{{"mediaType":"{}","digest":"{}","size":{}}})", comma,
                          layer_type(image.form, layer.compression), digest_of(bytes), bytes.size());
  }
  const auto config =
      fmt::format(R"({{"architecture":"{}","os":"linux","config":{{}},"rootfs":{{"type":"layers","diff_ids":[{}]}}}})",
                  image.architecture, diff_ids);
  put_file(folder / digest_hex(digest_of(config)), config);
  const auto* config_type = image.form == RegistryImage::Form::kDocker
                                ? "application/vnd.docker.container.image.v1+json"
                                : "application/vnd.oci.image.config.v1+json";
  image.manifest = fmt::format(
      R"({{"schemaVersion":2,"mediaType":"{}","config":{{"mediaType":"{}","digest":"{}","size":{}}},"layers":[{}]}})",
      image.media_type(), config_type, digest_of(config), config.size(), layers);
  put_file(folder / (manifest_name.empty() ? digest_hex(image.digest()) + ".manifest.json" : manifest_name),
           image.manifest);
  put_file(folder / "version", "Directory Transport Version: 1.1\n");
}

// A list of them; returns its digest.
inline std::string write_index(std::vector<RegistryImage>& images, const std::filesystem::path& folder) {
  std::string entries;
  for (auto& image : images) {
    write_image(image, folder, "");
    entries += fmt::format(
        R"({}{{"mediaType":"{}","digest":"{}","size":{},"platform":{{"architecture":"{}","os":"linux"}}}})",
        entries.empty() ? "" : ",", image.media_type(), image.digest(), image.manifest.size(), image.architecture);
  }
  const auto index = fmt::format(
      R"({{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[{}]}})", entries);
  put_file(folder / "manifest.json", index);
  return digest_of(index);
}

}  // namespace orchion::node::images
