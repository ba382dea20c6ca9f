#pragma once

// An etcd that several servers share, as the command line names it.

#include <functional>
#include <memory>
#include <string>

#include "base/co.h"
#include "control/store/etcd/etcd_store.h"
#include "daemon/store_options.h"

namespace orchion::daemon {

struct SharedStore {
  control::store::EtcdAccess access;
  std::string prefix;
};

// Blocks for a few small files. kInvalidArgument: the address, or it isn't safe to speak to it so; says what to do.
base::Result<SharedStore> read_shared_store(const StoreOptions& options);

// Waits as long as etcd doesn't answer, which it says in the log, and no signal asks this process to end. `writer` and
// `ended` as EtcdStoreOptions says.
base::Co<std::unique_ptr<control::store::EtcdStore>> open_shared_store(base::Executor executor, SharedStore shared,
                                                                       std::string writer,
                                                                       std::function<void(base::Error)> ended = {});

}  // namespace orchion::daemon
