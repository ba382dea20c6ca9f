#pragma once

#include <filesystem>
#include <memory>
#include <string>

#include "node/runtimes/attach/attach_input.h"
#include "node/runtimes/containerd/containerd_client.h"

namespace orchion::node::runtimes::containerd {

// Into a container of containerd's, by the fifos in its bundle, which its logger keeps open. A terminal itself is in
// the hands of containerd's shim: it is told by the same way that the input ends, and its size by a call.
std::unique_ptr<attach::AttachInput> make_input(std::shared_ptr<ContainerdClient> client, std::string id,
                                                std::filesystem::path bundle, bool tty);

}  // namespace orchion::node::runtimes::containerd
