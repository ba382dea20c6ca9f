#pragma once

#include <filesystem>
#include <string>

#include "control/services/context.h"
#include "core/methods.h"

namespace orchion::control::services {

// ServerService.BackUp: the store as of one moment, and the identity that `data_folder` holds. `version` is the
// program's.
void add_backup_service(core::MethodTable& table, ServiceContext context, std::filesystem::path data_folder,
                        std::string version);

}  // namespace orchion::control::services
