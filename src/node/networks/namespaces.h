#pragma once

// Network namespaces that live as long as a file: bind-mounted, so that no process has to hold them. Entering one, and
// what is made there.

#include <filesystem>
#include <functional>

#include "base/error.h"
#include "base/file.h"

namespace orchion::node::networks {

// Whether a namespace is mounted at `path`.
bool is_namespace(const std::filesystem::path& path);

// Whether both paths are of one namespace; false where either isn't there.
bool is_same_namespace(const std::filesystem::path& a, const std::filesystem::path& b);

// Mounts the namespace at `from`, such as /proc/PID/ns/net, at `path`, where nothing may be: it lives as long as that.
base::Result<> keep_namespace(const std::filesystem::path& from, const std::filesystem::path& path);

// Work in a namespace, on a thread of its own that ends with it: no other thread ever leaves its namespace. `before`
// runs on the thread still outside (sockets opened there stay there), `inside` in the namespace, with a descriptor
// of it. Blocks.
struct NamespaceWork {
  std::function<base::Result<>()> before;
  std::function<base::Result<>(int namespace_fd)> inside;
};

// Makes the namespace where none is mounted at `path`, else enters that one. Where the work fails, a namespace made
// here is removed again.
base::Result<> run_in_namespace(const std::filesystem::path& path, NamespaceWork work);

// A descriptor of the namespace at `path`, made where nothing is; its loopback is up. Blocks.
base::Result<base::UniqueFd> open_namespace(const std::filesystem::path& path);

// A socket in the namespace that `where` is of, a descriptor of one or the pidfd of a process in it, not blocking. Made
// on a thread of its own, for which this waits.
base::Result<base::UniqueFd> make_socket_in(const base::UniqueFd& where, int family, int type);

// No namespace, no file: no error.
base::Result<> remove_namespace(const std::filesystem::path& path);

}  // namespace orchion::node::networks
