#pragma once

#include "base/file.h"
#include "wire/http_client.h"

namespace orchion::wire {

// The bytes of a connected TCP or unix socket, which it owns from now on. One executor.
base::Result<std::unique_ptr<RawStream>> open_raw_socket(const base::Executor& executor, base::UniqueFd connected);

}  // namespace orchion::wire
