#pragma once

#include <memory>
#include <string>
#include <vector>

#include "cli/context.h"
#include "cli/progress.h"
#include "client/api_client.h"

namespace orchion::cli {

// What the words of a command mean: a stack for each that is named, holding only the services that are meant. Without
// words the stack of the working folder, whole. A word is STACK/SERVICE, SERVICE beside the stack's file, or, where
// there is no such service, STACK. kNotFound where there is none.
base::Result<std::vector<v1::Stack>> find_stack_parts(Context& context, client::ApiClient& api,
                                                      const std::vector<std::string>& what);

// Waits for each of them, says on standard error what came of it, and returns the exit code.
int wait_for_parts(Context& context, std::shared_ptr<client::ApiClient> api, const std::vector<v1::Stack>& parts,
                   Goal goal, base::Duration limit);

}  // namespace orchion::cli
