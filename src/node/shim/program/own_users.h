#pragma once

#include "node/shim/program/child.h"

namespace orchion::node::shim {

// Mounts everything that a container with users of its own sees, as kUsersFile in the working folder says: its root
// and its binds with the owners moved into its range, devices that it owns, a sysfs of its network; and sets what of
// the network is to be set, which its own root may not. In the shim's own mount namespace. What failed is reported;
// false then.
bool mount_for_own_users(int layers);

// While it lives the calling process is in the network of the users record, where the runtime binary is to be started
// in that; else where it was. Where it can't be entered that is reported, and entered() false.
class NetworkVisit {
 public:
  explicit NetworkVisit(int bundle_fd);
  ~NetworkVisit();
  NetworkVisit(const NetworkVisit&) = delete;
  NetworkVisit& operator=(const NetworkVisit&) = delete;

  bool entered() const { return entered_; }

 private:
  int home_ = -1;  // a descriptor, while it is away
  bool entered_ = false;
};

// "orchion-shim own-sysctls BUNDLE", a hook that the runtime binary calls before the container's program begins, with
// the container's state on standard input: sets what of the container's own namespaces is to be set, which its root may
// not everywhere (ipc before Linux 6.9, the domain's name never). 0; or 1, and why not on standard error.
int set_own_sysctls(const char* bundle);

// "orchion-shim try-users FIRST COUNT BIND…": whether the owners of what is to be bound, each as in kUsersFile, can be
// moved by this node's kernel. 0; or 1, and why not on standard output.
int try_users(int count, char** arguments);

// For the runtime binary that starts another process in such a container: the place that the container's root has,
// which runc looks for, in the calling process's own mount namespace. What failed is reported; false then.
bool cover_mounts_folder(int bundle_fd);

// `given` without /dev/null: crun gives a container's standard streams to its root, and that would be the node's own
// device. In its place is a pipe: an input that has ended; an output only for what has a terminal too, so that nobody
// writes to it. To be destroyed when the child has been started.
class OwnStreams {
 public:
  explicit OwnStreams(ChildStreams given);
  ~OwnStreams();
  OwnStreams(const OwnStreams&) = delete;
  OwnStreams& operator=(const OwnStreams&) = delete;

  ChildStreams streams;

 private:
  int ends_[2] = {-1, -1};
};

}  // namespace orchion::node::shim
