#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace orchion::spec {

// How an image is made from source, as `build` of a service says it. The server never hears of it: whoever reads the
// file builds, and sends the image.
struct BuildSpec {
  // Whether `up` builds without being asked to.
  enum class When {
    kMissing,    // where no node has the image
    kAlways,     // `pull_policy: build`
    kOnRequest,  // the pull policy says where else the image comes from
  };
  struct Pair {
    std::string name;
    std::string value;
    bool operator==(const Pair&) const = default;
  };
  // A variable of the Dockerfile. What comes from the environment is given by name only.
  struct Argument {
    std::string name;
    std::string value;
    bool from_environment = false;
    bool operator==(const Argument&) const = default;
  };
  // One of `file` and `variable` is set.
  struct Secret {
    std::string id;        // as the Dockerfile calls it
    std::string file;      // absolute
    std::string variable;  // of the environment
    std::string value;     // of that variable
    bool operator==(const Secret&) const = default;
  };

  std::string service;
  std::string image;  // what the service runs, and the image is to be called
  std::string place;  // "compose.yaml:4:5"
  When when = When::kMissing;
  std::string executor;  // the service's; empty: the node's default

  std::string context;            // an absolute folder, or an address
  std::string dockerfile;         // absolute, or within the context's address; empty: the builder's default
  std::string dockerfile_inline;  // instead of it
  std::vector<Argument> arguments;
  std::vector<Pair> labels;
  std::vector<Pair> additional_contexts;  // name, and folder or address
  std::vector<Pair> extra_hosts;          // name and address
  std::vector<Pair> ulimits;              // name and "soft:hard"
  std::vector<Secret> secrets;
  std::vector<std::string> ssh;  // "default" or "ID=FILE"
  std::vector<std::string> cache_from;
  std::vector<std::string> cache_to;
  std::vector<std::string> tags;  // further names
  std::string target;
  std::string network;  // "host", "none"; empty: the builder's default
  std::string platform;
  std::int64_t shm_bytes = 0;
  bool no_cache = false;
  bool pull = false;

  bool operator==(const BuildSpec&) const = default;
};

// Not a folder of this machine, but something that the builder fetches.
bool is_address(std::string_view context);

}  // namespace orchion::spec
