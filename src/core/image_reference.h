#pragma once

#include <string>
#include <string_view>

#include "base/error.h"

namespace orchion::core {

// A name of an image, complete. With a digest there is no tag: the digest says more, and skopeo takes only one.
struct ImageReference {
  std::string registry;    // "docker.io", "localhost:5000", "[::1]:5000"
  std::string repository;  // "library/nginx"
  std::string tag;         // "latest"; empty where there is a digest
  std::string digest;      // "sha256:…" or empty

  // "docker.io/library/nginx"
  std::string name() const { return registry + "/" + repository; }

  // The normalised form, unique for what it names.
  std::string text() const { return name() + (digest.empty() ? ":" + tag : "@" + digest); }

  // The registry is reached over loopback, where plain HTTP harms nobody.
  bool on_loopback() const;

  bool operator==(const ImageReference&) const = default;
};

// As Docker reads references: "nginx" is "docker.io/library/nginx:latest". kInvalidArgument says what is wrong.
// Source: https://github.com/distribution/reference/blob/main/reference.go (the grammar in its comment)
base::Result<ImageReference> parse_image_reference(std::string_view text);

// Only the normalised form.
base::Result<std::string> normalise_image(std::string_view text);

// The other way round, as people write it: "nginx:1.27" for "docker.io/library/nginx:1.27".
std::string familiar_image(std::string_view normal);

}  // namespace orchion::core
