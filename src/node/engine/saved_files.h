#pragma once

// Files of a container, from the engine to the disk.

#include <filesystem>
#include <string>

#include "base/clock.h"
#include "node/engine/engine_client.h"

namespace orchion::node::engine {

// A file or folder of a container in any state, as a whole tar in the new file `file`, whose top entry is called as
// the path's end. kNotFound. kResourceExhausted: it is more than `bytes_max` (0: any number). kUnavailable: the engine
// gives out only parts of it. An error leaves no file. All must outlive it.
base::Co<> save_files(EngineClient& client, base::Clock& clock, std::string container, std::string path,
                      std::int64_t bytes_max, std::filesystem::path file);

}  // namespace orchion::node::engine
