#pragma once

#include <filesystem>

#include "base/co.h"
#include "control/store/store.h"
#include "v1/backup.pb.h"

namespace orchion::control::backup {

struct RestoreOptions {
  // A backup is of a time when tokens were good that were revoked since: none of them is good in the new epoch. A store
  // that moves keeps them.
  bool keep_tokens = false;
};

struct Restored {
  v1::BackupHeader header;
  std::uint64_t entries = 0;
};

// All that `file` holds into a store that is empty, or that an earlier try didn't finish with. The file is read to its
// end before anything is written. kFailedPrecondition: the store isn't empty. kDataLoss: the file isn't whole. Blocks
// the executor while it reads. Until it is done the store is marked: see check_restored().
base::Co<Restored> restore(store::Store& store, std::filesystem::path file, RestoreOptions options = {});

// kFailedPrecondition: a restore into this store didn't come to its end.
base::Co<> check_restored(store::Store& store);

}  // namespace orchion::control::backup
