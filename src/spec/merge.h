#pragma once

#include "spec/node.h"
#include "spec/problems.h"

namespace orchion::spec {

// Lays `over` upon `base` by the Compose specification's rules
// (https://github.com/compose-spec/compose-spec/blob/main/13-merge.md): maps are merged, lists appended,
// `environment` and its like merged by name, ports and volumes by what they stand for, `command` and
// `entrypoint` replaced; `!override` replaces anything, `!reset` takes it away.
void merge_into(Node& base, Node over, Problems& problems);

// The same for one service's definition upon the one it extends.
void merge_service(Node& base, Node over, Problems& problems);

// Removes what is tagged `!reset`, accepts `!override`, complains about any other tag.
void resolve_tags(Node& root, Problems& problems);

}  // namespace orchion::spec
