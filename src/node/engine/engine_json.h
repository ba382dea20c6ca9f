#pragma once

// The Engine API's documents. Pure; kDataLoss where one can't be read. Private to this folder.
// Source: https://docs.docker.com/engine/api/v1.41/

#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "node/engine/engine_objects.h"

namespace orchion::node::engine {

base::Result<EngineInfo> parse_info(std::string_view json);
base::Result<ContainerState> parse_container(std::string_view json);
base::Result<std::vector<ContainerSummary>> parse_container_list(std::string_view json);
base::Result<ExecState> parse_exec(std::string_view json);
base::Result<EngineImage> parse_image(std::string_view json);

// The "Id" of what was made.
base::Result<std::string> parse_id(std::string_view json);

// The "message" of an error; the text itself, shortened, where it is none.
std::string parse_error(std::string_view body);

std::string exec_document(const ExecRequest& request);

// {"label": ["name=value"]}, for a query.
std::string label_filter(const std::string& name, const std::string& value);

// What a line of progress says. `failure` empty: all is well so far.
struct ProgressLine {
  std::string status;  // "Downloading", with the layer before it
  std::string failure;
  std::string layer;  // as the engine calls it; empty: it is about none
  std::string verb;   // "Downloading", "Download complete"
  std::uint64_t current_bytes = 0;
  std::uint64_t total_bytes = 0;  // 0: it doesn't say
};
ProgressLine parse_progress(std::string_view line);

// "1.41" → {1, 41}; {0, 0} for anything else.
std::pair<int, int> parse_api_version(std::string_view text);

}  // namespace orchion::node::engine
