#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "v1/specs.pb.h"

namespace orchion::node::probes {

// Checks for images that many use, by the image's name. Immutable once made.
class KnownImages {
 public:
  struct Entry {
    v1::HealthCheck check;
    bool follow_port = false;         // the port that the service publishes, where that is one and another
    std::vector<std::string> images;  // "docker.io/library/nginx"
  };

  // Those that travel in the binary.
  static base::Result<KnownImages> embedded();

  // The same, as a node's own file changes them: an entry replaces the one of its name, `disable: true` takes it out.
  // kInvalidArgument names the entry and what is wrong with it.
  base::Result<KnownImages> with(std::string_view yaml) const;

  // What to ask a container of this service; nullopt: nobody knows. Its origin says where it is from.
  std::optional<v1::HealthCheck> find(const v1::ContainerSpec& container) const;

  std::size_t size() const { return entries_.size(); }

 private:
  void index();

  std::map<std::string, Entry, std::less<>> entries_;  // by name: "nginx"
  std::map<std::string, std::string> names_;           // of entries, by image
};

// As it is in the binary.
std::string_view known_images_yaml();

// The embedded ones as the file at `path`, if it is there, changes them. A file that can't be understood is passed
// over, and the log says so: a node without its checks is better than none.
std::shared_ptr<const KnownImages> load_known_images(const std::string& path);

}  // namespace orchion::node::probes
