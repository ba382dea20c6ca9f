#pragma once

#include <optional>
#include <string>

#include "control/store/view.h"

namespace orchion::control::notify {

// Whether what `about` names (see subject_of()) is as it should be: a service with all its tasks running and none ill,
// a node that is ready, a stack with nothing in the way. nullopt: it is gone, or of a kind of which nobody can say.
std::optional<bool> is_subject_good(const store::View& view, const std::string& about);

}  // namespace orchion::control::notify
