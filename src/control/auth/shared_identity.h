#pragma once

// What all servers of one cluster must have alike: its id, and the keys of its authorities.

#include <filesystem>
#include <string>

#include "base/clock.h"
#include "base/co.h"
#include "control/store/store.h"
#include "v1/backup.pb.h"

namespace orchion::control::auth {

// Of this data folder. Blocks for a few small files. kNotFound: it has none yet.
base::Result<v1::ClusterIdentity> read_identity(const std::filesystem::path& data_folder);

// Into a data folder that has none, or the same. kFailedPrecondition: it is another cluster's.
base::Result<> write_identity(const std::filesystem::path& data_folder, const v1::ClusterIdentity& identity);

// Where several servers share a store: the first one puts the identity of its data folder there, made where there is
// none, the others take it from there. It is sealed with a secret that the store never has: DATA/cluster-secret, made
// by the first, to be copied to the others by whoever runs them. kFailedPrecondition: that file is missing, readable by
// others, or another cluster's; says what to do.
base::Co<> share_identity(store::Store& store, std::filesystem::path data_folder, base::WallTime now);

}  // namespace orchion::control::auth
