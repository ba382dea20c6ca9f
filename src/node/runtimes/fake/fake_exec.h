#pragma once

#include <memory>

#include "node/runtimes/fake/fake_runtime.h"

namespace orchion::node::runtimes::fake {

// An exec that says what the command says, then ends; "cat" gives back its input until that ends.
std::unique_ptr<base::Stream<ExecOutput, ExecInput>> make_fake_exec(base::Executor executor, FakeCommand command);

}  // namespace orchion::node::runtimes::fake
