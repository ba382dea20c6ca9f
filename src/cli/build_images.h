#pragma once

// Making the images that a file's services are built from, and giving them to the server.

#include <string>
#include <vector>

#include "cli/builder.h"
#include "cli/context.h"
#include "spec/loader.h"

namespace orchion::cli {

struct BuilderOptions {
  std::string builder;  // empty: ORCHION_BUILDER, else as choose_builder() says
  BuildFlags flags;
};

// Builds one image and sends it to every node; the image as the server has it then, as JSON. What the builder says goes
// to standard error.
base::Result<std::string> build_and_send(Context& context, client::ApiClient& api, const spec::BuildSpec& build,
                                         const BuilderOptions& options);

enum class BuildMode {
  kMissing,  // where no node has the image
  kAlways,
  kNever,  // what is missing is an error
  kLook,   // what is missing stays so, and is told of
};

// Has the image there that a service is built from, and writes its digest into the container, so that another image
// makes another task.
base::Result<> settle_build(Context& context, client::ApiClient& api, const spec::BuildSpec& build, BuildMode mode,
                            const BuilderOptions& options, v1::ContainerSpec& container);

// The same for all that the file's services are built from. Those that the manifest has not are left out.
base::Result<> settle_builds(Context& context, client::ApiClient& api, spec::LoadedStack& loaded, BuildMode mode,
                             const BuilderOptions& options);

}  // namespace orchion::cli
