#pragma once

// What a run is given: values of parameters, and files.

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/file.h"
#include "cli/context.h"
#include "v1/objects.pb.h"

namespace orchion::cli {

struct ParameterValues {
  std::map<std::string, std::string> open;
  std::map<std::string, std::string> secret;
};

// From words NAME=VALUE. Of a parameter that the job calls secret the value is "@FILE", or "-" for standard input (of
// one at most); a line's end at its end is left out. Any other word for it is kInvalidArgument.
base::Result<ParameterValues> read_parameters(const std::vector<std::string>& words, const v1::Job& job);

struct LocalInput {
  std::string name;
  std::string path;
  base::UniqueFd node;  // of what it is
};

// From words NAME=PATH; all are there, are inputs of the job, and no other is needed.
base::Result<std::vector<LocalInput>> open_inputs(const std::vector<std::string>& words, const v1::Job& job);

// Uploads it; its digest.
base::Result<std::string> send_input(Context& context, std::shared_ptr<client::ApiClient> api, const v1::Job& job,
                                     const LocalInput& input);

}  // namespace orchion::cli
