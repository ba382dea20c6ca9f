#pragma once

// Every key of the Compose specification, and which of them are supported: the one table behind messages,
// checks and documentation.

#include <span>
#include <string>
#include <string_view>

#include "spec/problems.h"

namespace orchion::spec {

// What a value must look like, roughly; for the published schema. The loader says the rest.
enum class Shape {
  kAny,
  kText,    // also a number or a flag: YAML's own guess doesn't count
  kNumber,  // or a text, as in "512m"
  kFlag,    // or a text
  kMap,
  kList,
  kTextOrList,
  kMapOrList,
};

struct Key {
  std::string_view name;
  Shape shape = Shape::kAny;
  bool supported = true;
  // What of it, where that isn't everything; of a key that isn't supported: what to do instead.
  std::string_view note = {};
};

// The keys of one kind of map. `where` is for messages: "a service".
struct KeyTable {
  std::string_view where;
  std::span<const Key> keys;
  const KeyTable* also = nullptr;  // those of its keys that aren't named here belong to this table too
};

extern const KeyTable kTopKeys;
extern const KeyTable kServiceKeys;
extern const KeyTable kDeployKeys;
extern const KeyTable kResourcesKeys;
extern const KeyTable kLimitsKeys;
extern const KeyTable kReservationsKeys;
extern const KeyTable kRestartPolicyKeys;
extern const KeyTable kOrchionKeys;
extern const KeyTable kRouteKeys;
extern const KeyTable kRouteTlsKeys;
extern const KeyTable kNeighbourKeys;
extern const KeyTable kRecoveryKeys;
extern const KeyTable kProbesKeys;
extern const KeyTable kProbeKeys;
extern const KeyTable kHttpProbeKeys;
extern const KeyTable kGrpcProbeKeys;
extern const KeyTable kPlacementKeys;
extern const KeyTable kDependencyKeys;
extern const KeyTable kIncludeKeys;
extern const KeyTable kExtendsKeys;
extern const KeyTable kEnvFileKeys;
extern const KeyTable kPortKeys;
extern const KeyTable kMountKeys;
extern const KeyTable kBindKeys;
extern const KeyTable kMountVolumeKeys;
extern const KeyTable kTmpfsKeys;
extern const KeyTable kAttachmentKeys;
extern const KeyTable kNetworkKeys;
extern const KeyTable kNetworkOptionKeys;
extern const KeyTable kIpamKeys;
extern const KeyTable kIpamConfigKeys;
extern const KeyTable kVolumeKeys;
extern const KeyTable kDriverOptionKeys;
extern const KeyTable kSecretKeys;
extern const KeyTable kConfigKeys;
extern const KeyTable kFileKeys;
extern const KeyTable kHealthCheckKeys;
extern const KeyTable kLoggingKeys;
extern const KeyTable kLoggingOptionKeys;
extern const KeyTable kBuildKeys;
extern const KeyTable kBuildSecretKeys;
extern const KeyTable kUlimitKeys;
extern const KeyTable kDeviceKeys;
extern const KeyTable kDeviceRequestKeys;
extern const KeyTable kGpuKeys;
extern const KeyTable kBlockIoKeys;
extern const KeyTable kBlockRateKeys;
extern const KeyTable kBlockWeightKeys;
extern const KeyTable kModelKeys;
extern const KeyTable kModelBindingKeys;
extern const KeyTable kStackOrchionKeys;
extern const KeyTable kJobKeys;
extern const KeyTable kScheduleKeys;
extern const KeyTable kParameterKeys;
extern const KeyTable kInputKeys;
extern const KeyTable kOutputKeys;
extern const KeyTable kQueueKeys;
extern const KeyTable kNetworkPolicyKeys;
extern const KeyTable kIngressRuleKeys;
extern const KeyTable kEgressRuleKeys;
extern const KeyTable kPolicyPeerKeys;

// All of the above, for documentation.
std::span<const KeyTable* const> all_key_tables();

// The key of that name, of the table or of what it has from another; nullptr: there is none.
const Key* find_key_of(const KeyTable& table, std::string_view name);

// Adds a problem for each key of `map` that isn't supported or isn't known; extensions are passed over.
void check_keys(const Node& map, const KeyTable& table, Problems& problems);

// The one of `keys` that `word` most likely meant; empty where none is near.
std::string_view nearest_key(std::string_view word, const KeyTable& table);

}  // namespace orchion::spec
