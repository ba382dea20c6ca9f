#pragma once

// The images of this machine: content-addressed blobs, layers unpacked once and shared.

#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "core/image_health_check.h"
#include "node/images/pull_board.h"

namespace orchion::node::images {

// What an image says about the containers made from it.
// Source: https://github.com/opencontainers/image-spec/blob/main/config.md
struct ImageConfig {
  std::vector<std::string> entrypoint;
  std::vector<std::string> command;
  std::vector<std::string> environment;
  std::string working_dir;
  std::string user;
  std::string stop_signal;
  std::vector<std::string> volumes;
  std::map<std::string, std::string> labels;
  std::optional<core::ImageHealthCheck> health_check;
};

struct ImageRecord {
  std::string reference;  // normalised: "docker.io/library/nginx:1.27"
  std::string digest;     // "sha256:…" of the manifest
  std::string pin;        // the digest that means it on any machine: of the index, where its registry has one; or ""
  std::string architecture;
  std::int64_t size_bytes = 0;
  base::WallTime created_at;
  std::vector<std::filesystem::path> layers;  // unpacked, lowest first; none where a container engine has it
  ImageConfig config;
};

// Whether `digest` allows it: its pin, or the digest of its manifest; the empty one allows any.
inline bool is_pinned_to(const ImageRecord& image, const std::string& digest) {
  return digest.empty() || image.pin == digest || image.digest == digest;
}

// The bytes of an archive as they arrive.
class ByteSource {
 public:
  virtual ~ByteSource() = default;
  virtual base::Co<std::optional<std::string>> read() = 0;  // nullopt: the end
};

// Where a task's image comes from: this machine's own store, or that of a container engine. One executor; blocking work
// happens elsewhere. Equal concurrent pulls share one download.
class ImageSource {
 public:
  virtual ~ImageSource() = default;

  // Present, or pulled. kNotFound: no registry has it; kUnavailable: the registry does not answer; each says so
  // and what to do.
  virtual base::Co<ImageRecord> ensure(std::string reference) = 0;
  virtual base::Co<std::optional<ImageRecord>> find(std::string reference) = 0;
  virtual base::Co<ImageRecord> pull(std::string reference) = 0;

  // An archive that import(), Docker and Podman take. kNotFound.
  virtual base::Co<std::shared_ptr<ByteSource>> save(std::string reference) = 0;
};

// This machine's own store.
class Images : public ImageSource {
 public:
  virtual base::Co<> push(std::string reference, std::string destination, bool plain_http) = 0;

  // A root file system tar, a docker-archive or an OCI layout tar; plain, gzip or zstd. `name` may be empty where
  // the archive names itself. Nothing is left of one that is refused.
  virtual base::Co<ImageRecord> import(std::string name, std::shared_ptr<ByteSource> archive) = 0;

  // As an OCI layout in a tar, which import() of another node takes to the same digest. kNotFound.
  virtual base::Co<std::shared_ptr<ByteSource>> export_image(std::string reference) = 0;

  // One more name for it, which is a tag. kNotFound.
  virtual base::Co<ImageRecord> tag(std::string reference, std::string name) = 0;

  virtual base::Co<std::vector<ImageRecord>> list() = 0;

  // kFailedPrecondition while a task uses it (see use()).
  virtual base::Co<> remove(std::string reference) = 0;

  struct Pruned {
    std::vector<std::string> references;
    std::int64_t freed_bytes = 0;
  };
  virtual base::Co<Pruned> prune() = 0;

  // Where all pulls of this machine are shown, those of its engines too.
  virtual PullBoard& pull_board() = 0;

  // The images in use by tasks, by reference or digest: neither removed nor pruned. Replaces the earlier set.
  virtual void set_used(std::vector<std::string> references) = 0;
};

}  // namespace orchion::node::images
