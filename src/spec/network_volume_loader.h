#pragma once

#include <map>
#include <string>

#include "spec/context.h"
#include "spec/node.h"
#include "v1/specs.pb.h"

namespace orchion::spec {

// Entries of the top-level `networks`. Some of them are another stack's.
class NetworkLoader {
 public:
  // Whether the entry is another stack's network, whose name here counts in this file alone.
  static bool is_external(const Node::Entry& entry);

  void load(const Node::Entry& entry, v1::NamedNetwork& network, LoadContext& context);
  void load_external(const Node::Entry& entry, LoadContext& context);

  bool is_declared(const std::string& network) const { return externals_.contains(network); }

  // Has services join other stacks' networks by their whole names.
  void apply(v1::StackSpec& spec) const;

 private:
  std::map<std::string, std::string> externals_;  // name in the file → "STACK/NETWORK"
};

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
