// Files of containers that ended, which the engine hands out itself.

#include "node/engine/saved_files.h"
#include "node/runtimes/engine/engine_runtime.h"

namespace orchion::node::runtimes::engine {

base::Co<> EngineRuntime::save_files(std::string id, std::string path, std::int64_t bytes_max,
                                     std::filesystem::path file) {
  CO_ASSIGN_OR_RETURN(const auto* record, find_record(id));
  co_return co_await node::engine::save_files(*client_, clock_, record->engine_id, std::move(path), bytes_max,
                                              std::move(file));
}

}  // namespace orchion::node::runtimes::engine
