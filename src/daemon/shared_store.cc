#include "daemon/shared_store.h"

#include <fmt/core.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "base/read_line.h"
#include "control/auth/private_file.h"
#include "control/store/etcd/etcd_address.h"
#include "daemon/loop_thread.h"

namespace orchion::daemon {

using base::Code;
namespace store = control::store;

namespace {

constexpr auto kAgain = std::chrono::seconds(1);

base::Result<> check_private(const std::filesystem::path& file) {
  return control::auth::check_private(file, fmt::format("`chmod 600 {}`", file.string()));
}

base::Result<store::EtcdAccess::Tls> read_tls(const StoreOptions& options) {
  store::EtcdAccess::Tls tls;
  ASSIGN_OR_RETURN(tls.authority, base::read_file(options.authority));
  if (options.certificate.empty() != options.key.empty())
    return base::fail(Code::kInvalidArgument, "--store-cert and --store-key go together: name both files, or neither");
  if (options.certificate.empty()) return tls;
  ASSIGN_OR_RETURN(tls.certificate, base::read_file(options.certificate));
  ASSIGN_OR_RETURN(tls.key, base::read_file(options.key));
  RETURN_IF_ERROR(check_private(options.key));
  return tls;
}

}  // namespace

base::Result<SharedStore> read_shared_store(const StoreOptions& options) {
  ASSIGN_OR_RETURN(auto address, store::parse_etcd_address(options.address));
  SharedStore shared{{.endpoints = address.endpoints}, address.prefix};
  if (!options.authority.empty()) {
    ASSIGN_OR_RETURN(shared.access.tls, read_tls(options));
  } else if (!address.only_loopback()) {
    return base::fail(Code::kInvalidArgument,
                      "what goes to an etcd on another machine is the whole state: give etcd certificates, and name "
                      "their authority with --store-ca");
  } else if (!options.certificate.empty() || !options.key.empty()) {
    return base::fail(Code::kInvalidArgument, "--store-cert and --store-key need --store-ca, too");
  }
  if (options.user.empty() != options.password_file.empty())
    return base::fail(Code::kInvalidArgument,
                      "--store-user and --store-password-file go together: give both, or neither");
  shared.access.user = options.user;
  if (options.user.empty()) return shared;
  ASSIGN_OR_RETURN(shared.access.password, base::read_line(options.password_file));
  RETURN_IF_ERROR(check_private(options.password_file));
  return shared;
}

base::Co<std::unique_ptr<store::EtcdStore>> open_shared_store(base::Executor executor, SharedStore shared,
                                                              std::string writer,
                                                              std::function<void(base::Error)> ended) {
  base::SystemClock clock;
  bool said = false;
  for (;;) {
    store::EtcdStoreOptions options{.access = shared.access, .prefix = shared.prefix, .writer = writer, .ended = ended};
    auto opened = co_await store::EtcdStore::open(executor, std::move(options));
    if (opened || opened.error().code != Code::kUnavailable) co_return opened;
    if (!said) base::log::warn("waiting for the store: {}", opened.error().message);
    said = true;
    if (EndSignals::pending()) co_return opened;
    CO_RETURN_IF_ERROR(co_await clock.sleep(kAgain));
  }
}

}  // namespace orchion::daemon
