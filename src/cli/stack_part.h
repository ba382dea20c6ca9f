#pragma once

#include <memory>
#include <string>
#include <vector>

#include "cli/context.h"
#include "cli/progress.h"
#include "client/api_client.h"
#include "core/naming.h"

namespace orchion::cli {

// What a word means: STACK/SERVICE, STACK/SERVICE.N, or a bare one. That is a service of the stack whose file lies
// here, also while it is going; where there is none of that name, a stack, and `service` stays empty. With --stack it
// is always a service of that.
base::Result<core::Address> find_part(Context& context, client::ApiClient& api, const std::string& word);

// What the words of a command mean: a stack for each that is named, holding only the services that are meant. Without
// words the stack of the working folder, whole. Words as find_part() has them, without .N. kNotFound where there is
// none.
base::Result<std::vector<v1::Stack>> find_stack_parts(Context& context, client::ApiClient& api,
                                                      const std::vector<std::string>& what);

// Waits for each of them, says on standard error what came of it, and returns the exit code.
int wait_for_parts(Context& context, std::shared_ptr<client::ApiClient> api, const std::vector<v1::Stack>& parts,
                   Goal goal, base::Duration limit);

}  // namespace orchion::cli
