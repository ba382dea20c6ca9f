#pragma once

#include <map>
#include <string>

#include "spec/context.h"
#include "spec/node.h"
#include "v1/specs.pb.h"

namespace orchion::spec {

// One entry of the top-level `networks`.
void load_network(const Node::Entry& entry, v1::NamedNetwork& network, LoadContext& context);

// Entries of the top-level `volumes`. Some of them are really mounts of another kind.
class VolumeLoader {
 public:
  void load(const Node::Entry& entry, v1::NamedVolume& volume, LoadContext& context);

  // Makes mounts of what isn't a volume, and takes it away from the volumes.
  void apply(v1::StackSpec& spec) const;

 private:
  // What stands in `driver_opts`.
  struct OtherMount {
    v1::Mount::Type type = v1::Mount::BIND;
    std::string source;
    std::int64_t bytes = 0;
  };

  void load_driver_options(const std::string& volume, const Node& node, LoadContext& context);

  std::map<std::string, OtherMount> other_mounts_;  // by volume
};

// Compose gives each container a volume of its own for a mount without a source; here it is the service's, and outlives
// its tasks.
void name_anonymous_volumes(v1::StackSpec& spec);

}  // namespace orchion::spec
