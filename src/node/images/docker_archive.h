#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "node/images/documents.h"
#include "node/images/images.h"

namespace orchion::node::images {

// Follows an OCI layout in a tar, as Images::export_image makes it, and adds Docker's manifest.json before its end.
// Pure. Source: https://github.com/moby/docker-image-spec, "Combined Image JSON + Filesystem Changeset Format"
class DockerArchiveMaker {
 public:
  // `tag` is what the image will be called: "docker.io/library/nginx:1.27"; empty: nothing.
  explicit DockerArchiveMaker(std::string tag) : tag_(std::move(tag)) {}

  // The bytes to send for these. kDataLoss: it is no such tar.
  base::Result<std::string> pass(std::string_view piece);

  // "sha256:…" of its configuration; empty before the end.
  const std::string& config_digest() const { return config_digest_; }

 private:
  base::Result<> begin_entry();
  base::Result<std::string> manifest_entry();

  std::string tag_;
  std::string header_;
  std::int64_t left_ = 0;     // of an entry, with its padding
  std::int64_t content_ = 0;  // of that, what isn't padding
  std::string* kept_ = nullptr;
  std::string index_;
  std::string manifest_;
  std::string manifest_name_;
  std::string config_digest_;
  bool ended_ = false;
};

// The same of an archive that is read.
class DockerArchive final : public ByteSource {
 public:
  DockerArchive(std::shared_ptr<ByteSource> source, std::string tag)
      : source_(std::move(source)), maker_(std::move(tag)) {}

  base::Co<std::optional<std::string>> read() override;
  const std::string& config_digest() const { return maker_.config_digest(); }

 private:
  std::shared_ptr<ByteSource> source_;
  DockerArchiveMaker maker_;
};

}  // namespace orchion::node::images
